"""Which studies are there? Each by its name, which begins with the number of the chapter that shows it."""

from helpers.experiments.assistant import study as assistant
from helpers.experiments.bias import study as bias
from helpers.experiments.pretraining import study as pretraining
from helpers.experiments.study import Study
from helpers.experiments.transfer import study as transfer

STUDIES: dict[str, Study] = {
    "01_pretraining": pretraining.OBJECTIVES,
    "01_scaling": pretraining.SCALING,
    "03_labels": transfer.LABELS,
    "03_size": transfer.SIZE,
    "03_domains": transfer.DOMAINS,
    "03_shuffled": transfer.SHUFFLE,
    "04_tuning": assistant.TUNING,
    "04_alone": assistant.ALONE,
    "04_more": assistant.MORE,
    "04_functions": assistant.FUNCTIONS,
    "04_real": assistant.REAL,
    "09_dose": bias.DOSES,
    "09_mitigation": bias.TREATMENTS,
    "09_real": bias.REAL,
    "09_lora": bias.LORA,
}
