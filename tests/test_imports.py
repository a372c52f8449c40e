"""Data flows in one direction through the package, file by file; the command line starts without heavy libraries."""

import ast
import graphlib
import subprocess
import sys

import pytest

from helpers.imports import PACKAGE, code_version, imported

LAYERS = [
    ["files", "imports", "progress", "profiles", "claims", "machine", "statistics", "records", "exercises"],
    ["corpora.report", "corpora.rows", "corpora.corpus", "corpora.duplicates", "corpora.mixing"],
    ["corpora.readers", "corpora.pydocs", "corpora.town"],
    ["corpora.kinds"],
    ["corpora"],
    ["tokenization"],
    ["models"],
    ["training"],
    ["generation"],
    ["evaluation"],
    ["experiments.study"],
    ["experiments.pretraining", "experiments.transfer", "experiments.assistant"],
    ["experiments"],
    ["cards", "transcripts", "plotting", "chat", "benchmarks"],
    ["publishing"],
    ["cli"],
    ["__main__"],
]
"""What a module imports stands in an earlier layer, or in its own; folders of one layer do not import one another."""

GROUND = {
    "evaluation": ["training"],
    "corpora.kinds": ["corpora.town", "corpora.pydocs"],
    "corpora.readers": ["corpora.kinds"],
}
"""A meter never trains; a kind knows no source of the workbook's own, and a reader no kind."""

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


def place_of(module):
    """Returns layer and folder of a module: the most exact that names it."""
    own = module.removeprefix("helpers.")
    listed = [
        (part, i) for i, layer in enumerate(LAYERS) for part in layer if own == part or own.startswith(f"{part}.")
    ]
    folder, layer = max(listed, key=lambda found: len(found[0]))
    return layer, folder


def test_there_is_no_circle_of_files():
    list(graphlib.TopologicalSorter({module: found - {module} for module, found in IMPORTS.items()}).static_order())


@pytest.mark.parametrize("module", sorted(IMPORTS.keys() - {"helpers"}))
def test_a_module_imports_only_from_those_before_it(module):
    layer, folder = place_of(module)
    for other in IMPORTS[module] - {module}:
        other_layer, other_folder = place_of(other)
        together = LAYERS.index(LAYERS[layer]) == 0 or folder == other_folder or layer in (1, 13)
        assert other_layer < layer or (other_layer == layer and together), f"{module} comes before {other}"
        assert not any(
            folder.startswith(reader) and other_folder.startswith(tuple(kept)) for reader, kept in GROUND.items()
        ), f"{module} may not import {other}"


def test_a_code_version_knows_what_a_module_stands_on_and_no_docstring(tmp_path, monkeypatch):
    package = tmp_path / "helpers"
    (package / "inner").mkdir(parents=True)
    texts = {
        "files.py": "A = 1\n",
        "beside.py": "B = 1\n",
        "inner/__init__.py": "C = 1\n",
        "inner/deep.py": "from typing import TYPE_CHECKING\nfrom helpers import files\n\n"
        "if TYPE_CHECKING:\n    from helpers import beside\n\n\ndef f():\n    '''Says.'''\n    return files.A\n",
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
