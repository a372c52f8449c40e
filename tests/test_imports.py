"""Data flows in one direction through the package, file by file; the command line starts without heavy libraries."""

import ast
import graphlib
import subprocess
import sys

import pytest

from helpers.imports import PACKAGE, code_version, imported

GROUND = {
    "files",
    "imports",
    "progress",
    "profiles",
    "claims",
    "machine",
    "statistics",
    "records",
    "exercises",
    "plotting",
}
CORPORA = {"corpora.rows", "corpora.report", "corpora.corpus", "corpora.duplicates", "corpora.mixing"}
SHOWN = {"cards", "transcripts", "chat", "tune", "benchmarks"}
MOST_LINES = 45
LAYERS = [
    GROUND,
    CORPORA,
    {"corpora.readers", "corpora.pydocs", "corpora.town"},
    {"corpora.kinds"},
    {"corpora"},
    {"tokenization"},
    {"models"},
    {"smollm2"},
    {"pretrained"},
    {"generation"},
    {"training", "evaluation"},
    {"experiments.study", "experiments.side_by_side"},
    {"experiments.pretraining", "experiments.transfer", "experiments.assistant", "experiments.bias"},
    {"experiments"},
    SHOWN,
    {"publishing"},
    {"lab"},
    {"cli"},
    {"__main__"},
]
"""Rooms in the order in which data flows: a module imports from its own room and earlier layers. Rooms of one layer
do not import each other, so that a meter never trains and no wing knows another; but those of `OPEN` layers may."""

OPEN = GROUND, CORPORA, SHOWN
"""Layers of single modules, siblings that may import each other; without a circle, as everywhere."""

CLOSED = {
    "corpora.kinds": ("corpora.pydocs", "corpora.town"),
    "corpora.pydocs": ("corpora.kinds", "corpora.readers"),
    "corpora.town": ("corpora.kinds", "corpora.readers"),
    "evaluation": ("training",),
}
"""What a room may not import, wherever the layers stand: only `corpora` itself knows sources and kinds."""

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


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("helpers", *parts)).removesuffix(".__init__")


IMPORTS = {name_of(path): imported(ast.parse(path.read_bytes())) for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module):
    """Returns the room of a module: the most exact that names it."""
    own = f"{module.removeprefix('helpers.')}."
    return max((room for layer in LAYERS for room in layer if own.startswith(f"{room}.")), key=len)


def layer_of(room):
    return next(number for number, layer in enumerate(LAYERS) if room in layer)


def test_there_is_no_circle_of_files():
    list(graphlib.TopologicalSorter({module: found - {module} for module, found in IMPORTS.items()}).static_order())


@pytest.mark.parametrize("module", sorted(IMPORTS.keys() - {"helpers"}))
def test_a_module_imports_only_from_its_own_room_and_earlier_layers(module):
    room = room_of(module)
    for other in IMPORTS[module] - {module}:
        there = room_of(other)
        siblings = any({room, there} <= layer for layer in OPEN)
        assert there == room or siblings or layer_of(there) < layer_of(room), f"{module} comes before {other}"
        assert there not in CLOSED.get(room, ()), f"{module} may not import {other}"


def test_a_code_version_knows_what_a_module_stands_on_and_no_docstring(tmp_path, monkeypatch):
    package = tmp_path / "helpers"
    (package / "inner").mkdir(parents=True)
    texts = {
        "files.py": "A = 1\n",
        "beside.py": "B = 1\n",
        "inner/__init__.py": "C = 1\n",
        "inner/deep.py": "from typing import TYPE_CHECKING\nfrom helpers import files\n\n"
        "if TYPE_CHECKING:\n    from helpers import beside\n\n\ndef f():\n    '''Says.'''\n    return files.A\n",
        "inner/deep.toml": "a = 1\n",
        "top.py": "def g():\n    from helpers.inner import deep\n\n    return deep.f()\n",
    }

    def version(**changed):
        for name, text in texts.items():
            (package / name).write_text(changed.get(name.rpartition("/")[2].removesuffix(".py"), text))
        code = (
            f"import sys; from helpers import imports; imports.PACKAGE = __import__('pathlib').Path({str(package)!r})\n"
        )
        code += "print(imports.code_version('helpers.top'))"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    first = version()
    assert version(files="A = 2\n") != first
    assert version(top=texts["top.py"].replace("return", "return 1 +")) != first
    assert version(**{"deep.toml": "a = 2\n"}) != first
    assert version(**{"deep.toml": "a = 1  # why\n"}) == first
    assert version(beside="B = 2\n") == first  # only a type checker reads it
    assert version(__init__="C = 2\n") == first  # passed by
    assert version(deep=texts["inner/deep.py"].replace("Says.", "Says more.").replace("def f", "# Why\ndef f")) == first


def test_an_unknown_module_has_no_version():
    with pytest.raises(ModuleNotFoundError, match=r"helpers\.nothing"):
        code_version("helpers.nothing")


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


def test_every_function_fits_on_a_screen():
    long = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > MOST_LINES:
                    long[f"{path.relative_to(PACKAGE)}: {node.name}"] = lines
    assert long == {}
