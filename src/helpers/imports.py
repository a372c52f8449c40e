"""Which code made this? The modules that a module stands on, by its imports, and one fingerprint of them all.

What is cached, and what a chapter found, is made anew when code changes that it was made by: the module's own, or that
of any module of the package that it imports, wherever in it and however far down. Comments and docstrings do not count,
nor imports for type checkers alone. A package's `__init__` counts where something is imported from it, not where it is
only passed by: what lies in a folder does not depend on all that lies beside it.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from helpers import files

PACKAGE = Path(__file__).parent


def imported(tree: ast.AST) -> set[str]:
    """Returns the modules of this package that some code imports, by their dotted names, such as `helpers.files`."""
    found = set()
    for node in _running(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if path_of(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE.name:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if path_of(inner) else node.module)
    return found


def closure(modules: Iterable[str]) -> list[str]:
    """Returns the modules and all that they stand on, in the order of their names."""
    found: set[str] = set()
    left = list(modules)
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += imported(_parsed(module))
    return sorted(found)


def code_version(*modules: str) -> str:
    """Returns a fingerprint of the code of the modules and of all that they stand on.

    Args:
        modules: dotted names, such as `__name__`.
    """
    return files.fingerprint(part for module in closure(modules) for part in (module, _code_of(module)))


def path_of(module: str) -> Path | None:
    """Returns the file of a module of this package; None of anything else."""
    top, *parts = module.split(".")
    places = PACKAGE.joinpath(*parts).with_suffix(".py") if parts else PACKAGE, PACKAGE.joinpath(*parts, "__init__.py")
    return next((path for path in places if top == PACKAGE.name and path.is_file()), None)


@cache
def _parsed(module: str) -> ast.Module:
    path = path_of(module)
    if path is None:
        raise ModuleNotFoundError(f"there is no module {module} in {PACKAGE}")
    return ast.parse(path.read_bytes())


@cache
def _code_of(module: str) -> str:
    """Returns a module's code in a form in which comments, docstrings and line breaks leave no trace."""
    tree = copy.deepcopy(_parsed(module))
    for node in ast.walk(tree):
        for name, body in ast.iter_fields(node):
            if isinstance(body, list):
                setattr(node, name, [part for part in body if not _is_remark(part)])
    return ast.dump(tree)


def _is_remark(node: object) -> bool:
    """Returns whether a statement is a bare text: a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes of the code that runs: not those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)
