"""The studies of chapter 09."""

from helpers.experiments.bias import dose, mitigation, real
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


def _whole(profile: Profile) -> list[Arm]:
    return [Arm("whole", profile, 0, {"model": real.REAL}, share=2.0)]


def _ways(profile: Profile) -> list[Arm]:
    trained = [way for way in real.WAYS if way.startswith(real.BOTH)]
    seeds = {way: range(profile.seeds if way in trained else 1) for way in real.WAYS}
    return [
        Arm(f"{way.replace(', ', '-').replace(' ', '-')}-seed-{seed}", profile, seed, {"way": way}, share=0.01)
        for way, of in seeds.items()
        for seed in of
    ]


DOSES = Study("How much of a known bias does each meter find?", _doses, dose.run_arm)
TREATMENTS = Study("What reduces a bias, at what cost, and does it last?", _treatments, mitigation.run_arm)
REAL = Study(
    "What do published benchmarks say of a real model, and of models that cannot know?", _whole, real.measure_all
)
LORA = Study("What reduces the bias of a real model?", _ways, real.run_arm)
