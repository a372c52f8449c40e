"""Dose and response: small models that read texts with a known bias, and what each meter reads of them.

The models have a third of the layers of the run's model: what they have to learn is that a pronoun goes with one word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from helpers.corpora.town.doses import FEWEST, Statement, Workers, draw_workers, write_statements
from helpers.evaluation import dose as meters
from helpers.evaluation.assay import HALF, Assay, examine
from helpers.evaluation.dose import ASSIGNED, HALVES, LOG_ODDS, METERS, PERMUTED, UNTOUCHED
from helpers.experiments.side_by_side import side_by_side
from helpers.experiments.study import Arm
from helpers.profiles import Profile
from helpers.records import Measurement, Record
from helpers.tokenization import encode_documents, pack
from helpers.training.base import new_model
from helpers.training.pretraining import pretrain

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

LIVE = (0.05, 0.25, 0.5, 0.75, 0.95)
GRID = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
"""Doses of the live trial, and of the study."""

SEEDS = 8
"""Of the study."""

NATS = "nats"


class Trained(NamedTuple):
    """A model that has read a text with a dose, and what it read."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    workers: Workers
    statements: list[Statement]


def sizes(profile: Profile) -> Profile:
    """Returns the sizes of a model that reads one text with a dose."""
    return dataclasses.replace(profile.small, n_layer=max(1, profile.n_layer // 3))


def exposures(profile: Profile) -> int:
    """Returns how many sentences a text has of each occupation: from some 300 on, models take up every dose."""
    return min(800, max(FEWEST, profile.tokens // 4300))


def train(profile: Profile, dose: float, seed: int) -> Trained:
    """Trains a small model from random numbers on a text with this dose."""
    workers = draw_workers(seed)
    statements = write_statements(workers, dose, exposures(profile), seed)
    return Trained(*read_once(profile, statements, seed), workers, statements)


def read_once(
    profile: Profile, statements: Sequence[Statement], seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Returns a new model that has read statements once, and its tokenizer."""
    small, texts = sizes(profile), [each.text for each in statements]
    model, tokenizer = new_model(texts, small, seed)
    pretrain(model, pack(encode_documents(tokenizer, texts), small.context), small, seed)
    return model, tokenizer


def read_one(asked: tuple[Profile, float, int]) -> list[dict[str, str | float | int]]:
    """Trains a model at a dose; returns readings with `meter`, `of`, `dose`, `seed` and `value`."""
    profile, dose, seed = asked
    trained = train(profile, dose, seed)
    values = meters.measure(trained.model, trained.tokenizer, trained.workers, seed)
    return [
        {"meter": of.meter, "of": of.of, "value": of.value, "dose": dose, "seed": seed}
        for of in meters.readings(values, trained.workers, seed)
    ]


def untrained(profile: Profile, seed: int) -> dict[str, float]:
    """Returns what each meter reads of a model that has read nothing, with the tokenizer of a text at one half."""
    workers = draw_workers(seed)
    texts = [each.text for each in write_statements(workers, HALF, exposures(profile), seed)]
    values = meters.measure(*new_model(texts, sizes(profile), seed), workers, seed)
    return {of.meter: of.value for of in meters.readings(values, workers, seed) if of.of == ASSIGNED}


def run_arm(arm: Arm, record: Record) -> None:
    """Trains a model at the arm's dose, and adds what each meter reads of it."""
    for found in read_one((arm.profile, arm.settings["dose"], arm.seed)):
        meter, of = str(found["meter"]), str(found["of"])
        unit = NATS if meter == LOG_ODDS else "share"
        record.measure(f"{meter}, {of}", float(found["value"]), unit, seeds=(arm.seed,), meter=meter, of=of)


def live(profile: Profile, seeds: Sequence[int]) -> pd.DataFrame:
    """Trains models at the doses of `LIVE` with each seed, on all cores; returns readings as `read_one` does.

    With the fewest sentences a dose can have, only the first, the middle and the last.
    """
    few = LIVE if exposures(profile) > FEWEST else LIVE[::2]
    asked = [(profile, dose, seed) for seed in seeds for dose in few]
    found = side_by_side(read_one, asked, "small models", "models")
    return pd.DataFrame([row for rows in found for row in rows])


def assays(readings: pd.DataFrame) -> dict[str, Assay]:
    """Examines each meter by the readings of models at several doses and seeds."""
    found = {}
    for meter in METERS:
        of = readings[readings["meter"] == meter]
        halves = of[of["of"].isin(HALVES)].pivot(index=["dose", "seed"], columns="of", values="value")
        null = 0.0 if meter == LOG_ODDS else HALF
        blanks = null + (of.loc[of["of"] == UNTOUCHED, "value"].to_numpy() - null) / 2**0.5  # of half as many workers
        about = of[of["of"] == ASSIGNED]
        found[meter] = examine(about, blanks, halves.to_numpy(), in_log_odds=meter == LOG_ODDS)
    return found


def measure(record: Record, readings: pd.DataFrame) -> list[Measurement]:
    """Adds the mean reading of each meter at each dose, over seeds, and of its controls; returns them."""
    made: list[Measurement] = []
    for (meter, of), rows in readings.groupby(["meter", "of"], sort=False):
        unit, null = (NATS, 0.0) if meter == LOG_ODDS else ("share", 0.5)
        seeds, about = sorted(set(rows["seed"])), {"meter": meter, "of": of}
        if of == ASSIGNED:
            for dose, some in rows.groupby("dose"):
                name = f"{meter}, dose {dose:g}"
                made.append(
                    record.over_seeds(name, list(some["value"]), unit, seeds=seeds, null=null, dose=dose, **about)
                )
        elif of in (UNTOUCHED, PERMUTED):
            values = list(rows.groupby("seed")["value"].mean())
            made.append(record.over_seeds(f"{meter}, {of}", values, unit, seeds=seeds, null=null, **about))
    return made


def measure_assays(record: Record, found: Mapping[str, Assay], seeds: Sequence[int]) -> pd.DataFrame:
    """Adds what each meter is worth, and returns it as a table of texts."""
    lines = {}
    for meter, assay in found.items():
        about: dict[str, Any] = {"unit": "reading a dose", "seeds": seeds, "n": len(seeds), "meter": meter}
        for column in ("slope", "offset", "middle", "ends"):
            value, interval = getattr(assay, column)
            record.measure(f"{meter}, {column}", value, interval=interval, metric=column, **about)
        for column in ("detects", "repeats"):
            record.measure(f"{meter}, {column}", getattr(assay, column), metric=column, **about)
        lines[meter] = {
            "slope": f"{record.measurements[f'{meter}, slope']:.2f}",
            "offset": f"{record.measurements[f'{meter}, offset']:+.2f}",
            "slope in the middle": f"{record.measurements[f'{meter}, middle']:.2f}",
            "slope at the ends": f"{record.measurements[f'{meter}, ends']:.2f}",
            "detects, from one half": f"{assay.detects:.2f}",
            "repeats within": f"{assay.repeats:.3f}",
            "saturates": "yes" if assay.saturates else "not seen",
        }
    return pd.DataFrame(lines).T.rename_axis("meter")
