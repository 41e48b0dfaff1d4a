"""Messages in docs/troubleshooting.md are in the package."""

from __future__ import annotations

import ast
import re

from tests.conftest import ROOT


def texts() -> str:
    """All texts in the code of the package, with a break where a value is put in."""
    found = []
    for path in (ROOT / "src/tkre").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "\n" for p in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n\n".join(found)


def test_messages_of_the_page_are_those_of_the_package():
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    tables = page.partition("\n## Questions")[0]
    first = [line.split("|")[1] for line in tables.splitlines() if line.startswith("| `")]
    messages = [message for cell in first for message in re.findall(r"`([^`]+)`", cell)]
    known = texts()
    parts = {
        m: [p.strip(" :,") for p in m.split("...") if len(p.strip(" :,")) > 3] for m in messages
    }
    assert len(parts) > 30 and all(parts.values())
    assert [m for m, found in parts.items() if not all(part in known for part in found)] == []
