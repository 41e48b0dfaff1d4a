"""What a node was made of, as digests: the content of its datasets, the code behind it."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol, MemoryDataset
from pydantic import BaseModel

from tkre.core.params import GROUPS, plugin_modules
from tkre.core.provenance import versions
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import RELATIONS_FILE, CorpusFolder
from tkre.datasets import load_path
from tkre.datasets.corpus import CorpusFolderDataset
from tkre.modeling.weights import file_digest

PACKAGE = "tkre"
ROOT = Path(__file__).parents[1]
# Of these another version may give other numbers from the same code; of an extra, where the code
# imports it: an environment without the extra is no other one for the rest.
LIBRARIES = ("numpy", "pandas", "scikit-learn", "torch", "transformers")
EXTRAS = ("setfit",)


class ContentDigests:
    """Digests of datasets. A file is read again only if its size or its time has changed."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, int, int], str] = {}

    def of(self, catalog: CatalogProtocol, name: str) -> str | None:
        """The digest of a dataset's content as it is now.

        A dataset that is no file may say by a method ``digest(of_path)`` what stands for it.

        Returns:
            None for what has no content to compare: it does not exist, or is no file.
        """
        dataset = catalog.get(name)
        if dataset is not None and name.startswith("params:"):
            return of_value(dataset.load())
        if isinstance(dataset, CorpusFolderDataset):
            return self._of_corpus(dataset.load(), catalog)
        if hasattr(dataset, "digest"):
            return str(dataset.digest(self.of_path))
        if dataset is None or isinstance(dataset, MemoryDataset):
            return None
        path = load_path(dataset)
        return None if path is None else self.of_path(path)

    def of_path(self, path: Path) -> str | None:
        """The digest of a file, or of all files of a folder with their names; None for nothing."""
        if path.is_file():
            return self._of_file(path)
        if not path.is_dir():
            return None
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return of_value({str(file.relative_to(path)): self._of_file(file) for file in files})

    def _of_corpus(self, folder: CorpusFolder, catalog: CatalogProtocol) -> str:
        """Of the files that its parameters name: they may be another corpus's."""
        params = CorpusParams.model_validate(catalog[f"params:corpora.{folder.name}"].load())
        found = {file: folder.find(file) for file in (RELATIONS_FILE, *params.read_files())}
        return of_value({file: path and self.of_path(path) for file, path in found.items()})

    def _of_file(self, path: Path) -> str:
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._files:
            self._files[key] = file_digest(path)
        return self._files[key]


def of_value(value: Any) -> str:
    """The digest of parameters, or of anything made of JSON's types and of models.

    Equal for equal settings: in whatever order, 1 or 1.0, as a model or as what it was made from.
    """
    text = json.dumps(_plain(value), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def of_function(function: Callable[..., Any]) -> str:
    """The digest of a function's module and of all modules of the project that it can reach.

    Of the syntax tree without docstrings: neither comments nor formatting make a result stale. The
    entries of a registry, other packages' included, count as reached where the module that loads
    them is reached (``core.params.GROUPS``). Of the templates in the folders of the project's
    modules, and of the versions of the libraries that numbers depend on.
    """
    return _of_module(function.__module__)


@cache
def _of_module(module: str) -> str:
    reached: dict[str, str] = {}
    extras: set[str] = set()
    entries: dict[str, list[str]] = {}  # modules of lazily loaded entries, by group
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            tree = _syntax(name)
            reached[name] = "" if tree is None else ast.dump(_reduced(tree))
            entries |= {} if tree is None else _lazy_entries(tree)
            for imported in _imported(tree, name) if tree is not None else ():
                package = imported.split(".", maxsplit=1)[0]
                if package in EXTRAS:
                    extras.add(package)
                else:
                    waiting.append(imported)
        if not waiting:
            groups = [group for group, loader in GROUPS.items() if loader in reached]
            found = {m for g in groups for m in (*entries.get(g, ()), *plugin_modules(g))}
            waiting += sorted(found - reached.keys())
    own = [name.split(".")[1:] for name in reached if name.split(".")[0] == PACKAGE]
    templates = {
        str(file.relative_to(ROOT)): file_digest(file)
        for folder in {ROOT.joinpath(*parts).parent / "templates" for parts in own}
        for file in folder.glob("*")
    }
    used = _versions() | versions(sorted(extras))
    return of_value([sorted(reached.items()), used, *([templates] if templates else [])])


def _syntax(module: str) -> ast.Module | None:
    """The syntax tree of a module; None for a name that is no module (but something in one).

    By its place among the files: to import it would import torch with it.
    """
    package, *rest = module.split(".")
    # Of what stands at the top: this imports nothing. A notebook's own functions have no module.
    spec = None if package == "__main__" else find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        place = Path(folder, *rest)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return ast.parse(file.read_text(encoding="utf-8"))
    if spec and not rest and str(spec.origin).endswith(".py"):  # a package of one file
        return ast.parse(Path(str(spec.origin)).read_text(encoding="utf-8"))
    return None


def _lazy_entries(tree: ast.Module) -> dict[str, list[str]]:
    """The modules of the entries that a module's registries import on use, by group."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Registry":
            texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
            places = [t.split(":")[0] for t in texts if isinstance(t, str) and ":" in t]
            found |= {text: places for text in texts if text in GROUPS}
    return found


def _imported(tree: ast.Module, module: str) -> Iterator[str]:
    """What a module imports of the project, of its own package and of extras, in functions too."""
    packages = {PACKAGE, module.split(".", maxsplit=1)[0], *EXTRAS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            sources = _imported_from(node, module)
            names = [*sources, *(f"{s}.{alias.name}" for s in sources for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in packages)


def _imported_from(node: ast.ImportFrom, module: str) -> list[str]:
    """Where names are imported from; a relative import once for a module, once for a package.

    Which of the two the importer is need not be known: names that are no module cost nothing.
    """
    if not node.level:
        return [node.module or ""]
    parts = module.split(".")
    ends = (len(parts) - node.level, len(parts) - node.level + 1)
    return [".".join([*parts[:end], *([node.module] if node.module else [])]) for end in ends]


def _reduced(tree: ast.Module) -> ast.Module:
    """The tree without docstrings and without imports for type checkers only."""
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return tree


@cache
def _versions() -> dict[str, str]:
    return versions(LIBRARIES)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):  # defaults are code, which has a digest of its own
        return _plain(value.model_dump(mode="json", exclude_unset=True))
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | bool):
        return value
    return float(value) if isinstance(value, int | float) else str(value)
