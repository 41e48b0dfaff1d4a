"""Digests of code: a function and every definition of the project that it can reach.

The unit is a top-level name of a module (function, class, constant): an edit elsewhere in a module
that a function imports from leaves its digest as it is. Docstrings, comments and formatting do not
count. Names are followed by their text, so a local variable that is called like a top-level name
counts as that name: a digest may change too often, but not too seldom.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tkre.core.documents import read_json
from tkre.core.files import write_whole
from tkre.core.params import GROUPS, plugin_modules
from tkre.core.provenance import versions
from tkre.modeling.weights import file_digest

PACKAGE = "tkre"
ROOT = Path(__file__).parents[1]
# Another version of these may give other numbers from the same code; an extra counts only for code
# that imports it.
LIBRARIES = ("numpy", "pandas", "scikit-learn", "torch", "transformers")
EXTRAS = ("setfit",)
# Attributes of a registry that load no entry.
WITHOUT_ENTRIES = {"check", "entries"}
_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")  # package.module:name


@dataclass(frozen=True)
class Symbol:
    """A top-level name of a module.

    Attributes:
        module: Dotted name of the module.
        name: The name; None for all of the module.
        followed: Whether what it refers to is reached, too.
    """

    module: str
    name: str | None
    followed: bool = True


@dataclass(frozen=True)
class Module:
    """A parsed module.

    Attributes:
        definitions: Statements that bind or change each top-level name.
        effects: Statements that bind none, such as calls.
    """

    definitions: dict[str, list[ast.stmt]]
    effects: list[ast.stmt]


class CodeDigests:
    """Digests of functions that are kept in a file for as long as no source changes.

    A digest is taken once: a source that is edited afterwards is not what this process runs.

    Args:
        file: JSON file; it need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._taken: dict[str, str] = {}

    def of_function(self, function: Callable[..., Any]) -> str:
        """The digest of a function (``of_function``), as of the first call."""
        module, name = _place(function)
        key = f"{module}:{name or ''}"
        if key not in self._taken:
            self._taken[key] = self._of_place(key, module, name)
        return self._taken[key]

    def _of_place(self, key: str, module: str, name: str | None) -> str:
        packages = _packages(module)
        sources = _state_of(packages)
        if sources is None:
            return _digest(module, name)
        stored = self._read()
        if stored.get(key, {}).get("sources") == sources:
            return stored[key]["digest"]
        digest = _digest(module, name)
        # The state may be older than this call: what has been edited since is not filed under it.
        if _state_of.__wrapped__(packages) == sources:
            stored[key] = {"sources": sources, "digest": digest}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, json.dumps(stored, indent=1))
        return digest

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            stored = read_json(self._file)
            return {key: stored[key] for key in stored if {"sources", "digest"} <= {*stored[key]}}
        except (OSError, ValueError, TypeError):
            return {}


def of_function(function: Callable[..., Any]) -> str:
    """The digest of a function.

    It covers all definitions of the project, and of the function's own package, that the function
    can reach; entries of registries, where one is loaded, with those of other packages; templates
    beside the modules; and the versions of the libraries that numbers depend on.
    """
    return _digest(*_place(function))


def _place(function: Callable[..., Any]) -> tuple[str, str | None]:
    """The module of a function and the top-level name that it belongs to."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None)
    outermost = code.co_qualname.split(".")[0] if code else type(function).__name__
    return function.__module__, None if outermost == "<lambda>" else outermost


def _packages(module: str) -> frozenset[str]:
    """The packages whose definitions are followed from a module: its own, ours, plug-ins'."""
    plugins = {m.split(".")[0] for group in GROUPS for m in plugin_modules(group)}
    return frozenset({PACKAGE, module.partition(".")[0], *plugins})


@cache
def _state_of(packages: frozenset[str]) -> str | None:
    """Digest of all that digests of code depend on; None where a package has no files."""
    files: dict[str, str] = {}
    for package in packages:
        home = _file(package)
        if home is None:
            return None
        found = home.parent.rglob("*") if home.name == "__init__.py" else [home]
        files |= {str(f): file_digest(f) for f in found if f.is_file() and f.suffix != ".pyc"}
    groups = {group: plugin_modules(group) for group in GROUPS}
    text = json.dumps([files, groups, _versions(), versions(EXTRAS), sys.version], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@cache
def _digest(module: str, name: str | None) -> str:
    reached, extras = reach(module, name)
    dumped = [(s.module, s.name or "", *_dumps(s)) for s in sorted(reached, key=str)]
    own = {s.module for s in reached if s.module.split(".")[0] == PACKAGE}
    templates = {
        str(file.relative_to(ROOT)): file_digest(file)
        for folder in {ROOT.joinpath(*m.split(".")[1:]).parent / "templates" for m in own}
        for file in folder.glob("*")
    }
    used = _versions() | versions(sorted(extras))
    text = json.dumps([dumped, used, templates], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def reach(module: str, name: str | None) -> tuple[set[Symbol], set[str]]:
    """The definitions that one can reach, itself among them, and the extras that they import."""
    packages = _packages(module)
    reached: set[Symbol] = set()
    extras: set[str] = set()
    waiting = [Symbol(module, name)]
    while waiting:
        symbol = waiting.pop()
        package = symbol.module.partition(".")[0]
        if package in EXTRAS:
            extras.add(package)
        if symbol in reached or package not in packages:
            continue
        parsed = parse(symbol.module)
        if parsed is None or (symbol.name and symbol.name not in parsed.definitions):
            # A module of its own, or a name that is made in no way that is seen here.
            whole = f"{symbol.module}.{symbol.name}" if symbol.name else symbol.module
            if symbol.name and parse(whole) is not None:
                waiting.append(Symbol(whole, None))
            elif symbol.name and parsed is not None:
                waiting.append(Symbol(symbol.module, None))
            else:
                reached.add(symbol)
            continue
        reached.add(symbol)
        if symbol.followed:
            waiting += _references(symbol)
    return reached, extras


@cache
def parse(module: str) -> Module | None:
    """A module by its place among the files, since an import would import torch with it."""
    file = _file(module)
    if file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    definitions: dict[str, list[ast.stmt]] = {}
    effects: list[ast.stmt] = []
    for statement in tree.body:
        names = set(_bound(statement))
        for name in names:
            definitions.setdefault(name, []).append(statement)
        if not names and not _is_text(statement):
            effects.append(statement)
    return Module(definitions, effects)


@cache
def _file(module: str) -> Path | None:
    package, *rest = module.split(".")
    # This imports nothing. The functions of a notebook have no module.
    spec = None if package == "__main__" else find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        place = Path(folder, *rest)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    if spec and not rest and str(spec.origin).endswith(".py"):  # a package of one file
        return Path(str(spec.origin))
    return None


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module binds, or whose value it changes."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Import() | ast.ImportFrom():
            for alias in statement.names:
                yield alias.asname or alias.name.split(".")[0]
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from (
                node.id for t in targets for node in ast.walk(t) if isinstance(node, ast.Name)
            )
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case _:
            for part in ast.walk(statement):
                if isinstance(part, ast.stmt) and part is not statement:
                    yield from _bound(part)


def _is_text(statement: ast.stmt) -> bool:
    is_typing = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test)
    return is_typing or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _statements(symbol: Symbol) -> list[ast.stmt]:
    module = parse(symbol.module)
    if module is None:
        return []
    if symbol.name is None:
        whole = [*module.effects, *(s for of in module.definitions.values() for s in of)]
        return list(dict.fromkeys(whole))
    return [*module.definitions[symbol.name], *module.effects]


@cache
def _dumps(symbol: Symbol) -> tuple[str, ...]:
    """The statements as text, without docstrings; an import counts by what it leads to."""
    return tuple(
        ast.dump(_without_docstrings(statement))
        for statement in _statements(symbol)
        if not isinstance(statement, ast.Import | ast.ImportFrom)
    )


@cache
def _references(symbol: Symbol) -> tuple[Symbol, ...]:
    """What the statements of a symbol refer to, in this module and in others."""
    if (symbol.module, symbol.name) == (f"{PACKAGE}.core.params", "GROUPS"):
        return ()  # it names the groups, and loads none
    found: dict[Symbol, None] = {}
    module = parse(symbol.module)
    for statement in _statements(symbol) if module else ():
        if isinstance(statement, ast.Import | ast.ImportFrom):
            if symbol.name is not None:
                found |= dict.fromkeys(_imported(statement, symbol.module, [symbol.name]))
            continue
        local = [n for n in ast.walk(statement) if isinstance(n, ast.Import | ast.ImportFrom)]
        for chain in _chains(statement):
            defined = [s for s in module.definitions.get(chain[0], ()) if s not in local]  # type: ignore[union-attr]
            imports = [s for s in defined if isinstance(s, ast.Import | ast.ImportFrom)]
            for imported in [*imports, *local]:
                found |= dict.fromkeys(_imported(imported, symbol.module, chain))
            if len(imports) < len(defined):
                followed = chain[1:2] == [] or chain[1] not in WITHOUT_ENTRIES
                found[Symbol(symbol.module, chain[0], followed)] = None
        for text in (n.value for n in ast.walk(statement) if isinstance(n, ast.Constant)):
            if isinstance(text, str) and text in GROUPS:
                found |= {Symbol(entry, None): None for entry in plugin_modules(text)}
            elif isinstance(text, str) and _PATH.fullmatch(text):
                source, _, name = text.partition(":")
                found[Symbol(source, name)] = None
    return tuple(found)


def _chains(statement: ast.stmt) -> Iterator[list[str]]:
    """Names with the attributes that are read of them: ``a.b.c`` as [a, b, c]."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        chain: list[str] = []
        part = node
        while isinstance(part, ast.Attribute):
            chain.insert(0, part.attr)
            part = part.value
        if isinstance(part, ast.Name):
            yield [part.id, *chain]
        else:
            waiting += ast.iter_child_nodes(part if chain else node)


def _imported(
    statement: ast.Import | ast.ImportFrom, module: str, chain: list[str]
) -> Iterator[Symbol]:
    """What a chain of names leads to if it begins with a name that the import binds."""
    for alias in statement.names:
        if alias.name == "*":
            assert isinstance(statement, ast.ImportFrom)  # only it has a star
            yield from (Symbol(source, None) for source in _sources(statement, module))
        if chain[0] != (alias.asname or alias.name.split(".")[0]):
            continue
        if isinstance(statement, ast.Import):
            path = [*(alias.name.split(".") if alias.asname else [chain[0]]), *chain[1:]]
            yield _symbol(path)
            continue
        for source in _sources(statement, module):
            parsed = parse(source)
            if parsed is not None and alias.name in parsed.definitions:
                followed = chain[1:2] == [] or chain[1] not in WITHOUT_ENTRIES
                yield Symbol(source, alias.name, followed)
            else:
                yield _symbol([*source.split("."), alias.name, *chain[1:]])


def _symbol(path: list[str]) -> Symbol:
    """A symbol by its whole path: the longest part that is a module, and the name after it."""
    for length in range(len(path), 0, -1):
        module = ".".join(path[:length])
        if path[0] not in EXTRAS and _is_known(path[0]) and _file(module) is not None:
            return Symbol(module, path[length] if length < len(path) else None)
    return Symbol(path[0], None)


@cache
def _is_known(package: str) -> bool:
    """Whether a package may be followed; the code of libraries is known by their versions."""
    return package not in LIBRARIES and package.isidentifier()


def _sources(statement: ast.ImportFrom, module: str) -> list[str]:
    """Where names are imported from; relative to a module, and to a package of that name."""
    if not statement.level:
        return [statement.module or ""]
    parts = module.split(".")
    file = _file(module)
    is_package = file is not None and file.name == "__init__.py"
    end = len(parts) - statement.level + is_package
    return [".".join([*parts[:end], *([statement.module] if statement.module else [])])]


def _without_docstrings(statement: ast.stmt) -> ast.stmt:
    for node in ast.walk(statement):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return statement


@cache
def _versions() -> dict[str, str]:
    return versions(LIBRARIES)


def forget() -> None:
    """Reads all modules again when they are asked for: tests change them."""
    for cached in (_digest, _state_of, parse, _file, _dumps, _references):
        cached.cache_clear()
