"""Every defence that docs/security.md claims has its test."""

from __future__ import annotations

import re

from tests.conftest import ROOT


def test_each_defended_threat_names_tests_that_exist():
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    table = page.split("## What is defended")[1].split("## What is not")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    named = {row: re.findall(r"`(test_\w+)`", row) for row in rows}
    assert len(rows) > 10 and all(named.values())
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    missing = {test for tests_of in named.values() for test in tests_of} - set(
        re.findall(r"^def (test_\w+)\(", tests, re.MULTILINE)
    )
    assert not missing
