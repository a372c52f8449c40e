"""The studies of chapter 09."""

from helpers.experiments.bias import dose, mitigation
from helpers.experiments.study import Arm, Study
from helpers.profiles import Profile


def _share(profile: Profile, texts: float) -> float:
    """Returns how much an arm trains, in base runs: so many texts with a dose, of 30 tokens an exposure."""
    return texts * dose.exposures(profile) * 30 * 24 / profile.tokens


def _doses(profile: Profile) -> list[Arm]:
    return [
        Arm(f"dose-{each:g}-seed-{seed}", profile, seed, {"dose": each}, share=_share(profile, 1))
        for seed in range(dose.SEEDS)
        for each in dose.GRID
    ]


def _treatments(profile: Profile) -> list[Arm]:
    return [
        Arm(f"seed-{seed}", profile, seed, {"dose": mitigation.DOSE}, _share(profile, 5)) for seed in range(dose.SEEDS)
    ]


DOSES = Study("How much of a known bias does each meter find?", _doses, dose.run_arm)
TREATMENTS = Study("What reduces a bias, at what cost, and does it last?", _treatments, mitigation.run_arm)
