"""The changes of mutation testing, each at one place of a module's syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.MatMult: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip
Put = Callable[[ast.AST | None], None]


@dataclass(frozen=True)
class Mutant:
    """One change. Its text has no line number, which would move with every other change."""

    where: str
    before: str
    after: str
    line: int
    tree: ast.Module
    change: Callable[[], None]

    def __str__(self) -> str:
        return f"{self.where}: {self.before} -> {self.after}"

    def plant(self, module: ModuleType, path: Path) -> None:
        """Gives the functions, classes and constants of a loaded module what the mutant makes them.

        Who has imported a function has the same object, with other code.
        """
        self.change()
        made = ModuleType(module.__name__)
        made.__file__ = str(path)
        exec(compile(ast.fix_missing_locations(self.tree), str(path), "exec"), vars(made))
        _transplant(vars(made), module)


def _transplant(made: Mapping[str, Any], into: Any) -> None:
    for name, new in made.items():
        old = vars(into).get(name)
        functions = _function(old), _function(new)
        if all(functions) and functions[0].__module__ == functions[1].__module__:
            for part in ("__code__", "__defaults__", "__kwdefaults__"):
                setattr(functions[0], part, getattr(functions[1], part))
        elif isinstance(old, type) and isinstance(new, type):
            if old is not new:
                _transplant(vars(new), old)
        elif isinstance(into, ModuleType) and not name.startswith("__"):
            setattr(into, name, new)


def _function(value: Any) -> Any:
    """The function of a method or property; None for anything else."""
    for part in ("__func__", "fget", "func"):
        value = getattr(value, part, value)
    return value if isinstance(value, FunctionType) else None


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its lines."""
    tree = ast.parse(source)
    yield from _below(tree, tree, "")


def _below(tree: ast.Module, node: ast.AST, where: str) -> Iterator[Mutant]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        where = f"{where}.{node.name}".lstrip(".")
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child, put in _places(node, field, value):
            if _not_changed(child, node):
                continue
            for before, after in _changes(child):
                yield _mutant(tree, where, child, before, after, put)
            yield from _below(tree, child, where)


def _places(node: ast.AST, field: str, value: object) -> Iterator[tuple[ast.AST, Put]]:
    """The nodes of a field, each with what puts another one (or none) in its place."""
    if isinstance(value, ast.AST):
        yield value, lambda new: setattr(node, field, new)
    elif isinstance(value, list):
        for n, item in enumerate(value):
            if isinstance(item, ast.AST):
                # fmt: off
                yield item, lambda new, n=n: (  # type: ignore[misc]
                    value.__setitem__(n, new) if new else value.__delitem__(n)
                )
                # fmt: on


def _not_changed(child: ast.AST, parent: ast.AST) -> bool:
    if isinstance(child, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
        return True
    # Docstrings, and strings in a list of types (``Literal``).
    is_text = isinstance(child, ast.Constant) and isinstance(child.value, str)
    if isinstance(parent, ast.Expr) and is_text:
        return True
    return isinstance(child, ast.Subscript) and ast.unparse(child.value) in {"Literal", "Callable"}


def _changes(  # noqa: PLR0912
    node: ast.AST,
) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """Pairs of a node and what takes its place; None leaves it out."""
    match node:
        case ast.Compare(left, [operator], right) if type(operator) in COMPARED:
            yield node, ast.Compare(left, [COMPARED[type(operator)]()], right)
        case ast.Compare(left, operators, right):
            for n, operator in enumerate(operators):
                other = [*operators[:n], COMPARED[type(operator)](), *operators[n + 1 :]]
                yield node, ast.Compare(left, other, right)
        case ast.BoolOp(operator, values):
            yield node, ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(_, operand):
            yield node, operand
        case ast.BinOp(left, operator, right) if type(operator) in CALCULATED:
            yield node, ast.BinOp(left, CALCULATED[type(operator)](), right)
        case ast.AugAssign(target, operator, value):
            yield node, ast.Pass()
            if type(operator) in CALCULATED:
                yield node, ast.AugAssign(target, CALCULATED[type(operator)](), value)
        case ast.Constant(bool(value)):
            yield node, ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield node, ast.Constant(value + 1)
        case ast.Constant(str(value)) if " " not in value.strip():
            yield node, ast.Constant(f"XX{value}")
        case ast.If(test, body, orelse):
            yield node, ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.While(test, body, orelse):
            yield node, ast.While(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test, body, orelse):
            yield node, ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.comprehension(target, iterated, [_, *_], is_async):
            yield node, ast.comprehension(target, iterated, [], is_async)
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Break() | ast.Continue():
            yield node, ast.Pass()
        case ast.Return(ast.AST() as value) if not (
            isinstance(value, ast.Constant) and value.value is None
        ):
            yield node, ast.Return(ast.Constant(None))
        case ast.keyword(str()):
            yield node, None
        case ast.Slice(lower, upper, step):
            if lower:
                yield node, ast.Slice(None, upper, step)
            if upper:
                yield node, ast.Slice(lower, None, step)


def _mutant(
    tree: ast.Module, where: str, child: ast.AST, before: ast.AST, after: ast.AST | None, put: Put
) -> Mutant:
    def short(node: ast.AST | None) -> str:
        text = "nothing" if node is None else ast.unparse(node).partition("\n")[0]
        return " ".join(text.split())

    line = getattr(child, "lineno", 0)
    return Mutant(where or "module", short(before), short(after), line, tree, lambda: put(after))
