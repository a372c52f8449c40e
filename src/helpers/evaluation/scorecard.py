"""Bits per byte of held-out text, and accuracies of choices: our model beside methods that count.

What a measurement is about has the columns `method` and `corpus` or those of the test; the paired difference to a rival
is a method of its own, such as `our model - 5-gram`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from helpers.evaluation.choices import ChoiceTest
from helpers.evaluation.likelihood import HeldOut
from helpers.records import Measurement, Record

OURS, NULL, RIVAL, FLOOR = "our model", "unigram", "5-gram", "floor"
LEAD = f"{OURS} - {RIVAL}"


def measure_bits(record: Record, corpus: str, held: HeldOut, bits: Mapping[str, np.ndarray], seed: int) -> None:
    """Adds the bits per byte of each method, and our model's paired differences to null and rival.

    The record gets `<corpus>.<method>` and `<corpus>.our model - <method>`; also `<corpus>.floor` where it is known.
    Given are, by method, the `bits` of each held-out document, (documents,), `OURS`, `NULL` and `RIVAL` among them.
    """
    null = held.bits_per_byte(bits[NULL])[0]
    gaps = {f"{OURS} - {method}": bits[OURS] - bits[method] for method in (NULL, RIVAL)}
    floor = {} if held.floor_bits is None else {FLOOR: held.floor_bits}
    for method, spent in {**bits, **floor, **gaps}.items():
        beside = 0.0 if method in gaps else null
        held.measure(record, f"{corpus}.{method}", spent, seed, null=beside, corpus=corpus, method=method)


def measure_choices(
    record: Record, test: ChoiceTest, scores: Mapping[str, np.ndarray], seed: int
) -> dict[str, Measurement]:
    """Adds each method's accuracy at a test, `<test>.<method>`, and our model's paired difference to the rival.

    Given are, by method, what `score_choices` returned, `OURS` and `RIVAL` among them. Returns the measurements by
    method, the difference among them.
    """
    known: dict[str, Any] = {"groups": test.groups, "seeds": (seed,)} | test.about
    found = {
        method: record.share(f"{test.name}.{method}", earned, null=test.chance, method=method, **known)
        for method, earned in scores.items()
    }
    found[LEAD] = record.gap(f"{test.name}.{LEAD}", scores[OURS], scores[RIVAL], method=LEAD, **known)
    return found


def table(measured: Record | Iterable[Measurement], columns: str, form: str, **about: Any) -> pd.DataFrame:
    """Returns measurements with their intervals as text, in a format such as `.0%`.

    Shown are those that are about all of `about`. Of the `columns` of what they are about (`task labels method`), the
    values of the last name the table's columns, those of the others its rows.
    """
    names = columns.split()
    cells = {
        tuple(each.about[name] for name in names): format(each, form)
        for each in (measured.measurements.values() if isinstance(measured, Record) else measured)
        if each.about.keys() >= {*names} and about.items() <= each.about.items()
    }
    return pd.Series(cells).rename_axis(names).unstack(sort=False).rename_axis(columns=None)
