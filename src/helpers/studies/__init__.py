"""What needs more than a live chapter? Grids of seeds, sizes and arms, run in the background of an afternoon.

`python -m helpers study NAME` runs one, arm by arm; each finished arm is on disk, so it can be stopped and resumed.
A study is a module of this package; it is registered here under its name.
"""

from __future__ import annotations

from helpers.studies import demonstrations, pretraining, scaling, transfer
from helpers.studies.study import Arm, Study, find_study, load_study, over_seeds, run_study

__all__ = ["STUDIES", "Arm", "Study", "find_study", "load_study", "over_seeds", "run_study"]

STUDIES: dict[str, Study] = {
    "01_pretraining": pretraining.STUDY,
    "01_scaling": scaling.STUDY,
    "03_labels": transfer.LABELS,
    "03_domains": transfer.DOMAINS,
    "03_shuffled": transfer.SHUFFLE,
    "04_tuning": demonstrations.TUNING,
    "04_alone": demonstrations.ALONE,
    "04_more": demonstrations.MORE,
    "04_functions": demonstrations.FUNCTION,
}
"""The studies by name, which begins with the number of the chapter that shows it."""
