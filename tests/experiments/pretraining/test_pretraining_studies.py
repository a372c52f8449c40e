"""The arms of chapter 01's studies must measure what the chapter reads from them."""

import pandas as pd
import pytest

from helpers.evaluation.objective_tasks import FEATURES, FILLING, UNITS, WRITING
from helpers.experiments.pretraining import study
from helpers.experiments.registry import STUDIES
from helpers.profiles import load_profile
from helpers.records import Record

SMOKE = load_profile("smoke", hidden_size=32, n_layer=1)


def run_arm(name, arm):
    record = Record(name, arm.profile, "", arm.parameters)
    STUDIES[name].run_arm(arm, record)
    return record.measurements


@pytest.fixture(scope="module")
def base():
    """What one arm of each objective measured, the next-token one first."""
    arms = STUDIES["01_pretraining"].arms(SMOKE)
    assert [arm.name for arm in arms[:4]] == ["next-0", "hidden-0", "next-1", "hidden-1"]
    assert len(arms) == 16
    return [run_arm("01_pretraining", arm) for arm in arms[:2]]


def about(measured, **wanted):
    return [found for found in measured.values() if wanted.items() <= found.about.items()]


def test_both_objectives_do_the_same_tasks(base):
    for measured, objective in zip(base, study.BOTH, strict=True):
        assert [found.about["task"] for found in about(measured, method=objective)] == list(UNITS)
        assert {f"exam: {task}" for task in UNITS} <= {*measured}
    assert about(base[0], task=FILLING, method="5-gram")
    assert about(base[0], task=FEATURES, method="TF-IDF")
    assert len(about(base[0], method="untrained")) == len(UNITS)


def test_a_next_token_arm_has_all_that_the_rule_for_the_first_claim_needs(base):
    parts = {found.about["part"] for found in about(base[0], method="our model") if "part" in found.about}
    assert parts == {"structure", "context", "knowledge"}
    assert len(about(base[0], method="our model - 5-gram", corpus="pydocs")) == 1
    assert len(about(base[0], method="our model - 5-gram", corpus="town")) == 1


def test_leads_are_paired_by_seed_and_of_writing_the_distance_counts():
    values = {
        (FILLING, study.NEXT): (0.6, 0.5),
        (FILLING, study.HIDDEN): (0.4, 0.4),
        (WRITING, study.NEXT): (-0.5, 0.5),
        (WRITING, study.HIDDEN): (3.5, 4.5),
        (FEATURES, study.NEXT): (0.5, 0.5),
    }
    rows = [(*key, seed, value) for key, both in values.items() for seed, value in enumerate(both)]
    record = Record("01_pretraining", SMOKE)
    leads = study.measure_leads(record, pd.DataFrame(rows, columns=["task", "method", "seed", "value"]))
    assert {task: lead.value for task, lead in leads.items()} == {
        FILLING: pytest.approx(0.15),
        WRITING: pytest.approx(-3.5),
    }
    assert leads[FILLING] == record.measurements[f"objectives: {FILLING}.next token - hidden tokens"]
    assert (leads[FILLING].n, leads[FILLING].seeds, leads[FILLING].null) == (2, (0, 1), 0.0)


def test_the_scaling_study_has_a_grid_and_measures_its_axes():
    arms = STUDIES["01_scaling"].arms(SMOKE)
    assert len({(arm.profile.hidden_size, arm.profile.tokens) for arm in arms}) == 16
    assert len({arm.name for arm in arms}) == 16
    small = run_arm("01_scaling", arms[0])
    assert small["tokens"].value == pytest.approx(SMOKE.tokens / 8, rel=0.5)
    assert small["parameters"].value > 0
    loss = small["pydocs.our model"]
    assert loss.value > 0
    assert (loss.about["parameters"], loss.about["tokens"]) == (small["parameters"].value, small["tokens"].value)
