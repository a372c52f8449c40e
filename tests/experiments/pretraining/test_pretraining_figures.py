"""Each figure shows all of what its tables hold."""

import numpy as np
import pandas as pd
import pytest

from helpers import plotting
from helpers.evaluation.objective_tasks import UNITS
from helpers.evaluation.scaling_law import Grid, leave_largest_out
from helpers.experiments.pretraining import figures
from helpers.records import Measurement

BETWEEN = {"low": 0.4, "high": 0.6, "value": 0.5, "method": "our model"}


def by_step(**about):
    return pd.DataFrame([{"step": step, **BETWEEN, **about} for step in (0, 16, 32, 64)])


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_a_curve_for_each_corpus_with_its_name():
    figure = figures.learning(pd.DataFrame({"pydocs": [4.0, 3.0, 2.0], "town": [4.0, 2.0, 1.0]}, index=[0, 16, 32]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["pydocs", "town"]


def test_every_method_has_a_row_in_both_panels():
    rows = [
        BETWEEN | {"corpus": corpus, "method": method} for corpus in ("pydocs", "town") for method in figures.METHODS
    ]
    figure = figures.methods(pd.DataFrame(rows[:5] + rows[6:]))  # the floor of one is not known
    assert titles(figure) == ["pydocs", "town"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(figures.METHODS)


def test_each_test_of_structure_has_a_panel_with_its_rival():
    table = pd.concat([by_step(test=test) for test in ("a, b", "c")])
    figure = figures.structure(table, {"a, b": Measurement("", 0.7, ""), "c": Measurement("", 0.8, "")})
    assert titles(figure)[:2] == ["a,\nb", "c"]
    assert [text.get_text().strip() for text in figure.axes[1].texts] == ["5-gram"]


@pytest.mark.parametrize("long_texts", [True, False])
def test_context_is_drawn_with_and_without_long_texts(long_texts):
    table = pd.concat([by_step(test=test) for test in ("name", "fact")])
    measured = pd.DataFrame([BETWEEN | ({"tokens_shown": count} if long_texts else {}) for count in (4, 16)])
    left, *others = figures.context(table, measured).axes
    assert bool(left.lines) == long_texts
    assert all(axes.lines for axes in others)


def test_facts_are_in_the_order_of_how_often_they_were_told():
    rows = [
        BETWEEN | {"part": "knowledge", "words": words, "times_told": times}
        for words in ("familiar", "new")
        for times in (0, 3, 30, "often")
    ]
    table = pd.concat([by_step(part="knowledge", words="familiar", times_told=times) for times in (0, 3, "often")])
    _, right = figures.knowledge(table, pd.DataFrame(rows), often=12.3).axes
    assert [label.get_text() for label in right.get_yticklabels()] == ["0", "3", "12 or so", "30"]


def test_objectives_are_drawn_once_for_each_run_with_writing_apart():
    rows = [(task, method, 0, 0.5) for task in UNITS for method in ("next token", "hidden tokens", "5-gram")]
    table = pd.DataFrame(rows, columns=["task", "method", "seed", "value"])
    figure = figures.objectives({"live": table, "study": table})
    assert titles(figure) == ["live", "", "study", ""]
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["writing"]


def test_the_scaling_figure_names_each_size():
    runs = pd.DataFrame([(n, d) for n in (1e5, 3e5, 1e6) for d in (2e5, 8e5, 2e6)], columns=["parameters", "tokens"])
    runs["value"] = 1 + 0.3 * (runs["parameters"] / 1e6) ** -0.5 + 0.9 * (runs["tokens"] / 1e6) ** -0.4
    _, predicted = leave_largest_out(runs)
    axes = figures.scaling(runs, Grid(runs).law, predicted).axes[0]
    assert len(axes.texts) == 3
    assert plotting.OURS in {line.get_color() for line in axes.lines}
    assert np.isfinite(axes.get_ylim()).all()
