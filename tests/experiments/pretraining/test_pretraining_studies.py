"""The arms of chapter 01's studies must measure what the chapter reads from them."""

import pytest

from helpers.experiments.pretraining import exam, tasks
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


def test_both_objectives_sit_the_same_exam(base):
    for measured in base:
        assert {f"exam: {task}" for task in exam.UNITS} <= {*measured}
    rivals = {name for name in base[0] if name.startswith("exam: ") and ", " in name}
    assert {f"exam: {exam.FILLING}, 5-gram", f"exam: {exam.FEATURES}, TF-IDF"} <= rivals
    assert {f"exam: {task}, untrained" for task in exam.UNITS} <= rivals


def test_the_rule_for_the_first_claim_can_be_applied_to_a_next_token_arm(base):
    measured, _ = base
    assert {*tasks.taught(measured, "often")} == {"structure", "context", "knowledge"}
    assert {"pydocs.our model - 5-gram", "town.our model - 5-gram"} <= {*measured}


def test_the_scaling_study_has_a_grid_and_measures_its_axes():
    arms = STUDIES["01_scaling"].arms(SMOKE)
    assert len({(arm.profile.hidden_size, arm.profile.tokens) for arm in arms}) == 16
    assert len({arm.name for arm in arms}) == 16
    small = run_arm("01_scaling", arms[0])
    assert small["tokens"].value == pytest.approx(SMOKE.tokens / 8, rel=0.5)
    assert small["parameters"].value > 0
    assert small["pydocs.our model"].value > 0
