"""The code compiles, and its part of the standard library exists, in each supported Python."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

VERSIONS = ("3.11", "3.12", "3.13")
CHECK = """
import importlib, json, sys, warnings
warnings.simplefilter("error")
files, names = json.load(sys.stdin)
missing = []
for file in files:
    with open(file, encoding="utf-8") as text:
        compile(text.read(), file, "exec")
for module, name in names:
    found = importlib.import_module(module)
    if name and not hasattr(found, name):
        try:
            importlib.import_module(f"{module}.{name}")
        except ImportError:
            missing.append(f"{module}.{name}")
print(json.dumps(missing))
"""


def python(version: str) -> str:
    """An interpreter of this version; the test is skipped where there is none."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [sys.executable if here == version else None, shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for found in filter(None, candidates):
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        if f" {version}." in said.stdout:
            return found
    pytest.skip(f"no Python {version} on this machine")


def from_standard_library(files: list[Path]) -> list[tuple[str, str]]:
    """Modules and names that files import, or use as ``module.name``."""
    found: set[tuple[str, str]] = set()
    for file in files:
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        modules: dict[str, str] = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                modules |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found |= {(str(node.module), alias.name) for alias in node.names}
        found |= {(module, "") for module in modules.values()}
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add((modules.get(node.value.id, ""), node.attr))
    return sorted(x for x in found if x[0].partition(".")[0] in sys.stdlib_module_names)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_code_fits_every_supported_python(version):
    files = sorted((ROOT / "src").rglob("*.py"))
    names = from_standard_library(files)
    assert len(names) > 100
    done = subprocess.run(
        [python(version), "-I", "-c", CHECK], text=True, capture_output=True, check=False,
        input=json.dumps([[str(file) for file in files], names]),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
