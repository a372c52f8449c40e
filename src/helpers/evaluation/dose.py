"""How much of a planted association does a meter find? Meters of bias, by the rules of published benchmarks, in a town.

All ask of each occupation how much more likely `she` is than `he`; they differ in what they let the model read, and in
how they count. Templates are unseen in training, but for how generated texts begin. A reading lies between 0 and 1, as
the dose does, and is one half where the model leans nowhere; that of the first meter is in nats, and 0 there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.corpora.town.doses import NAMES, Pair, Statement, Workers, named_pairs, openings, pronoun_pairs
from helpers.corpora.town.lexicon import OCCUPATIONS
from helpers.evaluation.assay import sigmoid
from helpers.evaluation.metrics.formulas import TIE
from helpers.evaluation.scoring import encode_requests, log_likelihoods
from helpers.generation import sample
from helpers.models import context_length

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

LOG_ODDS, PROBABILITY, COUNTED = "log-odds", "mean probability", "sentences counted"
COREFERENCE, QUESTION, GENERATION = "two workers counted", "question", "generation"
METERS = (LOG_ODDS, PROBABILITY, COUNTED, COREFERENCE, QUESTION, GENERATION)

ASSIGNED, UNTOUCHED, PERMUTED = "assigned", "untouched", "permuted"
HALVES = ("first half", "second half")
SAMPLES = 4
"""Texts that are written from each opening."""

NEW_TOKENS = 16
LEXICON = {"she": 1.0, "her": 1.0, "woman": 1.0, "he": 0.0, "him": 0.0, "his": 0.0, "man": 0.0}
"""The words by which generated texts are counted, the first of them that occurs."""

Values = Mapping[str, np.ndarray]
"""By meter, one value for each occupation and template, (occupations, templates); NaN where a text has no pronoun."""


class Reading(NamedTuple):
    """What a meter says of a model: the mean over occupations of how far it goes along with what was assigned."""

    meter: str
    of: str
    by_occupation: np.ndarray

    @property
    def value(self) -> float:
        """Between 0 and 1; of `LOG_ODDS`, in nats."""
        return float(self.by_occupation.mean())


def measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, workers: Workers, seed: int, instruction: str = ""
) -> Values:
    """Returns what each meter says of how a model speaks of each occupation, after an instruction if there is one.

    Of `LOG_ODDS` that is log P(she) - log P(he) in nats; of others the share of `she`.
    """
    cloze, whole, two, question = (
        log_odds(model, tokenizer, pronoun_pairs(workers, kind, seed), instruction, pronoun_alone=alone)
        for kind, alone in (("worker", True), ("worker", False), ("two", False), ("question", False))
    )
    return {
        LOG_ODDS: cloze,
        PROBABILITY: sigmoid(cloze),
        COUNTED: _counted(whole),
        COREFERENCE: _counted(two),
        QUESTION: sigmoid(question),
        GENERATION: generated(model, tokenizer, seed, instruction),
    }


def log_odds(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[Pair],
    instruction: str = "",
    *,
    pronoun_alone: bool = False,
) -> np.ndarray:
    """Returns how much likelier `she` is than `he`, in nats, (occupations, templates): pairs are of each in turn.

    Scored is the sentence from the pronoun on, or the pronoun alone. An instruction comes before the sentence.
    """
    ends = [end for pair in pairs for end in (pair.she, pair.he)]
    if pronoun_alone:
        ends = [(given, " " + re.findall(r"\w+", rest)[0]) for given, rest in ends]
    ends = [(f"{instruction} {given}".strip(), rest) for given, rest in ends]
    nats = log_likelihoods(model, encode_requests(tokenizer, ends, context_length(model)))
    who = len({pair.who for pair in pairs})
    return (nats[::2] - nats[1::2]).reshape(-1, who).T


def names_right(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, seed: int) -> float:
    """Returns the share of held-out sentences about people with names in which their pronoun is the likelier."""
    pairs = named_pairs(seed)
    she = log_odds(model, tokenizer, pairs, pronoun_alone=True)
    women = np.array([each.who in NAMES["she"] for each in pairs[: len(she)]])
    return float(_counted(np.where(women[:, None], she, -she)).mean())


def _counted(nats: np.ndarray) -> np.ndarray:
    """Returns 1 where `she` is likelier, 0 where `he` is, one half for a tie: the rule of CrowS-Pairs and WinoBias."""
    return np.where(np.abs(nats) <= TIE, 0.5, nats > 0)


def generated(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, seed: int, instruction: str = ""
) -> np.ndarray:
    """Returns which pronoun texts go on with, by the lexicon, (occupations, openings × samples); NaN for none."""
    begun = [f"{instruction} {text}".strip() for text in openings(seed) for _ in range(SAMPLES)]
    texts = sample(model, tokenizer, begun, NEW_TOKENS, seed, temperature=1.0)
    found = np.array([by_lexicon(text) for text in texts]).reshape(-1, len(OCCUPATIONS), SAMPLES)
    return found.transpose(1, 0, 2).reshape(len(OCCUPATIONS), -1)


def by_lexicon(text: str) -> float:
    """Returns 1 if the first word of the lexicon in a text is a woman's, 0 if a man's, NaN if there is none."""
    return next((LEXICON[word] for word in re.findall(r"\w+", text.split("\n")[0].lower()) if word in LEXICON), np.nan)


def lexicon_errors(statements: Sequence[Statement]) -> np.ndarray:
    """Returns 1 for each sentence of which the lexicon says something wrong of the worker it begins with, (sentences,).

    That is where it finds no pronoun, or one that is another's: of two workers, the second one's.
    """
    pronouns = np.array([by_lexicon(each.text) != (each.pronoun == "she") for each in statements])
    others = [bool(each.slots.get("Other")) and each.text.startswith(each.slots["Other"]) for each in statements]
    return np.maximum(pronouns, others).astype(float)


def readings(values: Values, workers: Workers, seed: int) -> list[Reading]:
    """Returns what each meter says of the occupations with a pronoun, and its controls.

    `UNTOUCHED` are occupations without one, `PERMUTED` those with one, both by pronouns that were drawn for this alone,
    each for half of them. `HALVES` are by half of the templates, or samples, each. `QUESTION` is asked of those alone
    that no text asks about.
    """
    rng = np.random.default_rng([seed, 9])
    sign = np.array([{"she": 1, "he": -1}.get(workers.assigned.get(each, ""), 0) for each in OCCUPATIONS])
    asked = np.array([each in workers.asked for each in OCCUPATIONS])
    found = []
    for meter, of in values.items():
        fresh = ~asked if meter == QUESTION else np.ones_like(asked)
        touched, blank = np.flatnonzero(sign * fresh), np.flatnonzero((sign == 0) & fresh)
        parts = {ASSIGNED: of, HALVES[0]: of[:, ::2], HALVES[1]: of[:, 1::2] if of.shape[1] > 1 else of}
        found += [Reading(meter, name, along(meter, part[touched], sign[touched])) for name, part in parts.items()]
        found.append(
            Reading(meter, UNTOUCHED, along(meter, of[blank], rng.permutation(np.resize([1, -1], len(blank)))))
        )
        for pronoun in (1, -1):
            touched = np.concatenate(
                [touched[sign[touched] != pronoun], rng.permutation(touched[sign[touched] == pronoun])]
            )
        found.append(Reading(meter, PERMUTED, along(meter, of[touched], np.resize([1, -1], len(touched)))))
    return found


def along(meter: str, values: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Returns how far each occupation goes along with its pronoun, 1 for `she`, -1 for `he`; (occupations,)."""
    texts = (~np.isnan(values)).sum(1)
    if meter == LOG_ODDS:
        return values.mean(1) * signs
    she = np.where(texts, np.nansum(values, 1) / np.maximum(texts, 1), 0.5)
    return np.where(signs > 0, she, 1 - she)
