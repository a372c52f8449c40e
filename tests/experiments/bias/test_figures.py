"""Each figure of chapter 09 is rendered, with all series that its tables hold."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from helpers import plotting
from helpers.evaluation.assay import logit
from helpers.evaluation.dose import LOG_ODDS, METERS, QUESTION
from helpers.experiments.bias import dose, figures, mitigation, published, real
from helpers.experiments.bias.mitigation import AT_ONCE, HELD_OUT, RELAPSED, TREATED

WOMEN = {f"trade {i}": share for i, share in enumerate(np.linspace(0.02, 0.98, 12))}


def rendered(figure):
    """Renders a figure as a page has it, and returns the names in its legend."""
    data, metadata = plotting.render(figure, "figure", "What is shown.")
    assert all(data[mime] for mime in ("image/png", plotting.DARK_PNG, plotting.NARROW_PNG))
    assert metadata["image/png"]["width"] > 0
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def lines_of(axes):
    return {line.get_label(): line for line in axes.lines}


@pytest.fixture(scope="module")
def readings():
    """Means of readings that are the doses themselves, and those of two seeds."""
    rows = []
    for meter, of, seed in product(METERS, dose.GRID, (0, 1)):
        value = logit(np.array(of)) if meter == LOG_ODDS else of
        rows.append({"meter": meter, "dose": of, "seed": seed, "value": float(value), "low": value, "high": value})
    each = pd.DataFrame(rows)
    return each[each["seed"] == 0], each[["meter", "dose", "seed", "value"]]


def test_readings_in_nats_become_doses_with_their_intervals_and_others_stay(readings):
    for table in readings:
        found = figures.as_doses(table)
        for column in {"value", "low", "high"} & set(table):
            assert found[column].astype(float).to_numpy() == pytest.approx(found["dose"].to_numpy())
        assert list(found.columns) == list(table.columns)


def test_each_meter_is_a_curve_and_a_perfect_one_lies_on_the_dose(readings):
    figure = figures.response(*readings)
    drawn = [name for meters in figures.PANELS.values() for name in meters]
    assert sorted(drawn) == sorted(METERS) == sorted(figures.METERS)
    for axes, meters in zip(figure.axes, figures.PANELS.values(), strict=True):
        for meter in meters:
            line = lines_of(axes)[meter]
            assert line.get_ydata() == pytest.approx(np.array(dose.GRID))
            assert line.get_xdata() == pytest.approx(np.array(dose.GRID), abs=0.02)
        faint = [line for line in axes.lines if line.get_alpha()]
        assert len(faint) == len(meters)
        assert all(len(line.get_xdata()) == 2 * len(dose.GRID) for line in faint)
    assert set(rendered(figure)) == {"the dose itself", *METERS}


def test_each_named_judge_has_a_dot_for_each_meter():
    judges = (*figures.JUDGES, real.ASSISTANT)
    rows = [
        {"meter": meter, "judge": judge, "value": 0.5 + 0.01 * i, "low": 0.4, "high": 0.7}
        for meter in published.METERS
        for i, judge in enumerate(judges)
    ]
    figure = figures.benchmarks(pd.DataFrame(rows))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(published.METERS)
    for i, judge in enumerate(figures.JUDGES):
        assert lines_of(axes)[judge].get_xdata() == pytest.approx([0.5 + 0.01 * i] * len(published.METERS))
    assert "one half" in [text.get_text().strip() for text in axes.texts]
    assert set(rendered(figure)) == set(figures.JUDGES)


@pytest.mark.filterwarnings("error")  # of no room
@pytest.mark.parametrize("count", [1, 2])
def test_benchmarks_that_are_missing_leave_no_row_and_the_others_have_room(count):
    there = list(published.METERS)[:count]
    rows = [
        {"meter": meter, "judge": of, "value": 0.5, "low": 0.4, "high": 0.7} for meter in there for of in figures.JUDGES
    ]
    figure = figures.benchmarks(pd.DataFrame(rows))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == there
    rendered(figure)


@pytest.mark.parametrize("who", [[real.BASE], [real.BASE, real.REAL]])
def test_each_model_has_a_panel_of_occupations_with_its_fitted_line(who):
    shares = np.array(list(WOMEN.values()))
    nats = {name: 0.5 * (i + 1) * logit(shares) - 0.3 for i, name in enumerate(who)}
    figure = figures.occupations(WOMEN, nats)
    assert [axes.get_title(loc="left") for axes in figure.axes] == who
    for i, axes in enumerate(figure.axes):
        dots, statistics, fitted = axes.lines
        assert dots.get_ydata() == pytest.approx(nats[who[i]])
        assert statistics.get_xdata() == pytest.approx(statistics.get_ydata())
        rise, run = np.ptp(fitted.get_ydata()), np.ptp(fitted.get_xdata())
        assert rise / run == pytest.approx(0.5 * (i + 1))
    assert rendered(figure) == ["as the statistics have it"]


def test_each_treatment_is_read_by_two_meters_on_all_occupations_and_at_all_times():
    ways = [mitigation.NONE, *mitigation.WAYS]
    rows = [
        {"way": way, "occupations": of, "when": when, "meter": meter, "value": 0.6, "low": 0.5, "high": 0.7}
        for way, of, when, meter in product(ways, (TREATED, HELD_OUT), (AT_ONCE, RELAPSED), (LOG_ODDS, QUESTION))
        if not (way == mitigation.INSTRUCTION and when == RELAPSED)
    ]
    figure = figures.treatments(pd.DataFrame(rows))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"read by {of}" for of in (LOG_ODDS, QUESTION)]
    for axes in figure.axes:
        counts = {name: len(lines_of(axes)[name].get_xdata()) for name in figures.SERIES}
        assert counts == {name: len(ways) - (RELAPSED in name) for name in figures.SERIES}
    assert set(rendered(figure)) == set(figures.SERIES)


def test_a_bias_that_a_treatment_turned_round_is_in_sight():
    rows = [
        {"way": mitigation.AFTER, "occupations": TREATED, "when": AT_ONCE, "meter": meter, **ends}
        for meter in (LOG_ODDS, QUESTION)
        for ends in [{"value": 0.2, "low": 0.1, "high": 0.3}]
    ]
    for axes in figures.treatments(pd.DataFrame(rows)).axes:
        assert axes.get_xlim()[0] < 0.1


def test_what_is_drawn_beside_each_other_has_colours_of_its_own():
    series = (*[{of: figures.METERS[of] for of in meters} for meters in figures.PANELS.values()],
              figures.JUDGES, figures.SERIES)  # fmt: skip
    for colours in series:
        assert len({to_hex(colour) for colour in colours.values()}) == len(colours)
