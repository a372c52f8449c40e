"""The rules by which chapter 01 decides on its claims, run as they stand in its notebook, on made-up results."""

import nbformat
import pandas as pd
import pytest

from helpers import files
from helpers.evaluation import language
from helpers.records import Measurement
from helpers.statistics import Interval


@pytest.fixture(scope="module")
def cells():
    notebook = nbformat.read(files.NOTEBOOKS / "01_pretraining.ipynb", as_version=4)
    return {cell.id: cell.source for cell in notebook.cells}


@pytest.fixture
def taught(cells):
    """The rule for C1, for accuracies that are given, each with five points on both sides."""
    known = {"language": language, "most": "often"}
    exec(cells["rule-c1"], known)
    parts = {"structure": (language.BETWEEN, "a", "b", "c")}
    parts["context"] = ("name", "name, not told", "fact", "fact, not told")
    parts["knowledge"] = ("familiar words, told often", "familiar words, told 0")

    def decide(**values):
        rows = [
            {
                "test": test,
                "part": part,
                "method": "our model",
                "value": values.get(test, 0.5 if test in "abc" else None),
            }
            for part, tests in parts.items()
            for test in tests
        ]
        table = pd.DataFrame(rows)
        table.loc[table.test == language.BETWEEN, "value"] = values.get("between", 0.5)
        table.loc[table.test == "familiar words, told often", "value"] = values.get("often", 0.1)
        table["value"] = table.value.fillna(0.1).astype(float)
        return known["taught"](table.assign(low=table.value - 0.05, high=table.value + 0.05))

    return decide


def test_what_is_taught_what_is_absent_and_what_is_neither(taught):
    assert taught(between=0.9, a=0.9, b=0.9, name=0.7, often=0.9) == [True, True, True]
    assert taught() == [False, False, False]
    assert taught(a=0.9, b=0.9, c=0.9)[0] is None  # not with a noun between
    assert taught(between=0.9)[0] is None
    assert taught(fact=0.17)[1] is None


@pytest.mark.parametrize(
    ("continuing", "writing", "verdict", "filling"),
    [
        ((0.1, 0.2), (-3.0, -2.0), "refuted", (-0.1, 0.1)),
        ((0.1, 0.2), (-3.0, -2.0), "not distinguishable", (-0.2, -0.1)),  # hiding is better at what it practises
        ((-0.2, -0.1), (2.0, 3.0), "supported", (-0.1, 0.1)),
        ((0.1, 0.2), (-1.0, 1.0), "not distinguishable", (-0.1, 0.1)),
        ((-0.1, 0.1), (2.0, 3.0), "not distinguishable", (-0.1, 0.1)),
        ((0.1, 0.2), (2.0, 3.0), "not distinguishable", (-0.1, 0.1)),
        ((-0.1, 0.1), (-1.0, 1.0), "not distinguishable", (-0.1, 0.1)),
    ],
)
def test_one_task_alone_decides_nothing(cells, continuing, writing, verdict, filling):
    ends = {"continuing": continuing, "writing": writing, "filling": filling}
    leads = {task: Measurement(task, sum(both) / 2, "", Interval(*both, "made up")) for task, both in ends.items()}
    known = {"ahead": {"study": leads}, "decides": "study"} | {task.upper(): task for task in ends}
    exec(cells["rule-c2"], known)
    assert known["here"] == verdict
