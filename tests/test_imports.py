"""Data flows in one direction through the package, and the command line starts without heavy libraries."""

import ast
import subprocess
import sys

import pytest

from helpers.publishing.changes import PACKAGE

ORDER = [
    "files",
    "progress",
    "profiles",
    "records",
    "claims",
    "statistics",
    "exercises",
    "corpora",
    "tokenization",
    "models",
    "training",
    "generation",
    "evaluation",
    "transcripts",
    "chat",
    "plotting",
    "benchmarks",
    "studies",
    "publishing",
    "cli",
    "__main__",
]
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "evaluate",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
    "seaborn",
    "numpy",
}
SLOW = HEAVY | {"nbformat", "papermill", "nbconvert"}


def imported(path):
    """Yields the modules of the package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"helpers.{alias.name}" for alias in node.names]
            yield from names if node.module == "helpers" else [node.module]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_those_before_it(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        assert not [module for module in imported(path) if module.startswith("helpers")]
        return
    parts = {module.split(".")[1] for module in imported(path) if module.startswith("helpers.")}
    later = {part for part in parts if ORDER.index(part) > ORDER.index(own)}
    assert not later, f"{own} comes before {later}"


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import helpers", SLOW),
        ("import sys; sys.argv[1:] = ['--help']; from helpers.cli import main; main()", SLOW | {"doit"}),
        ("import helpers.publishing.runner", SLOW),  # what a run needs that finds nothing changed
    ],
)
def test_what_must_start_quickly_imports_nothing_heavy(code, absent):
    ending = "import atexit, sys; atexit.register(lambda: print('loaded', *{m.split('.')[0] for m in sys.modules}))\n"
    done = subprocess.run([sys.executable, "-c", ending + code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "helpers" in loaded
    assert not loaded & absent
