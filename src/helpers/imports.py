"""Which code made this? The modules that a module stands on, by its imports, and one fingerprint of them all.

What is cached, and what a chapter found, is made anew when code changes that it was made by: the module's own, or that
of any module of the package that it imports, wherever in it and however far down, with their data (`data_of`). Comments
and docstrings do not count, nor imports for type checkers alone. A package's `__init__` counts where something is
imported from it, not where it is only passed by: what lies in a folder does not depend on all that lies beside it.
"""

import ast
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from helpers import files

PACKAGE = Path(__file__).parent


def imported(tree: ast.AST) -> set[str]:
    """Returns the modules of this package that some code imports, by their dotted names, such as `helpers.files`."""
    found = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if path_of(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE.name:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if path_of(name) else node.module for name in inner}
    return found


def closure(modules: Iterable[str]) -> list[str]:
    """Returns the modules and all that they stand on, in the order of their names."""
    found: set[str] = set()
    left = list(modules)
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += _read(module)[0]
    return sorted(found)


def code_version(*modules: str) -> str:
    """Returns a fingerprint of the code of modules, such as `__name__`, and of all that they stand on."""
    return files.fingerprint(part for module in closure(modules) for part in (module, _read(module)[1]))


def data_of(module: str) -> dict[str, Any]:
    """Returns the data of a module, such as `__name__`: the TOML file of its name beside it; empty without one."""
    path = path_of(module)
    beside = path and path.with_suffix(".toml")
    return tomllib.loads(beside.read_text(encoding="utf-8")) if beside and beside.is_file() else {}


@cache
def path_of(module: str) -> Path | None:
    """Returns the file of a module of this package; None of anything else."""
    top, *parts = module.split(".")
    places = PACKAGE.joinpath(*parts).with_suffix(".py") if parts else PACKAGE, PACKAGE.joinpath(*parts, "__init__.py")
    return next((path for path in places if top == PACKAGE.name and path.is_file()), None)


@cache  # each chapter and most caches ask for nearly all of them
def _read(module: str) -> tuple[set[str], str]:
    """Returns a module's imports, and its code in a form in which comments and docstrings leave no trace."""
    path = path_of(module)
    if path is None:
        raise ModuleNotFoundError(f"there is no module {module} in {PACKAGE}")
    tree = ast.parse(path.read_bytes())
    found = imported(tree)
    for node in (tree, *_statements(tree, checked=True)):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [part for part in body if not _is_remark(part)]  # type: ignore[attr-defined]
    return found, ast.dump(tree) + (str(data) if (data := data_of(module)) else "")


def _statements(node: ast.AST, checked: bool = False) -> Iterator[ast.AST]:
    """Yields the statements inside a node, but not those that only a type checker reads, unless `checked`."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt | ast.excepthandler | ast.match_case):
            yield part
            if checked or getattr(getattr(part, "test", None), "id", "") != "TYPE_CHECKING":
                yield from _statements(part, checked)


def _is_remark(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
