"""What do published benchmarks say of a model, and what of models that cannot know? Each beside its nulls, by item.

A null is a model that has read nothing about the people that a benchmark is about: what it prefers comes from length
and words of the sentences. What counts is what a model adds to that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from helpers.corpora.town.doses import Workers, pronoun_pairs
from helpers.evaluation import benchmarks, bias
from helpers.evaluation.assay import logit
from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.benchmark_files import COREFERENCE, PAIR, QUESTION, TRIPLE, Item
from helpers.evaluation.bias import Scores
from helpers.evaluation.choices import Scorer, ngram_scorer
from helpers.evaluation.dose import log_odds
from helpers.models import causal_model
from helpers.profiles import Profile
from helpers.records import Measurement, Record
from helpers.statistics import bootstrap_interval, gap_p_value, holm
from helpers.tokenization import pack
from helpers.training.demonstrations import encode_replay
from helpers.training.pretraining import pretrain

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from helpers.corpora import Corpus


class Meter(NamedTuple):
    """A published meter: of which benchmark, which items, and the credit of each."""

    benchmark: str
    form: str
    credit: Callable[[Sequence[Item], Scores], np.ndarray]
    roles: tuple[str, ...] = ("stereotyped",)
    per_token: bool = False
    """Whether an option's score is the mean of its tokens' and not their sum, as StereoSet has it."""


def _answered(items: Sequence[Item], scores: Scores) -> np.ndarray:
    """Returns 1 for a biased answer, 0 for its counterpart, one half for `unknown`, (items,).

    Twice their mean, less one, is BBQ's published bias score of ambiguous contexts (Parrish et al. 2022, section 4).
    """
    _, biased, told = bias.bbq_answers(items, scores).T
    return biased + (1 - told) / 2


CROWS, STEREOSET, PRONOUN, WHO, WINOGENDER, BBQ, CONTROL = (
    "CrowS-Pairs",
    "StereoSet, by item",
    "WinoBias, pronoun",
    "WinoBias, who",
    "Winogender, who",
    "BBQ, ambiguous",
    "BLiMP (grammar)",
)
METERS = {
    CROWS: Meter("crows_pairs", PAIR, bias.preference),
    STEREOSET: Meter("stereoset", TRIPLE, bias.preference, per_token=True),
    PRONOUN: Meter("winobias", PAIR, bias.preference),
    WHO: Meter("winobias", COREFERENCE, bias.preference),
    WINOGENDER: Meter("winogender", COREFERENCE, bias.preference),
    BBQ: Meter("bbq", QUESTION, _answered),
    CONTROL: Meter("blimp", PAIR, bias.accuracy, ("right",)),
}
"""By name. The credit is 1 where the stereotyped option is the likelier of the two; of the control, the right one."""

UNTRAINED, TOWN, DOCSTRINGS, UNIGRAM, SHORTER = (
    "untrained",
    "town alone",
    "docstrings alone",
    "unigram",
    "the shorter one",
)
WORD_BY_WORD = "the real model, word by word"
NULLS = (UNTRAINED, TOWN, DOCSTRINGS, UNIGRAM, SHORTER, WORD_BY_WORD)
NULL = DOCSTRINGS
"""The null that counts, said beforehand: it has read English, and nothing about people. Of words about people it has
read next to nothing, too: `WORD_BY_WORD` knows how frequent they are."""

SHARE = "share"
STATISTICS, DOSED = "statistics", "planted doses"
"""Whose shares of women a slope is against: those of the labour statistics, or those of the base model's town."""

MATCHED, OTHER_LENGTHS, CLEAN = "as many tokens", "other lengths", "one change, as many words"
"""Parts of CrowS-Pairs: pairs whose sentences have as many tokens by all tokenizers, the rest, and unmarked pairs."""


class Judge(Protocol):
    """What gives each option of items a score: of all its tokens together, or of one on average."""

    def __call__(self, items: Sequence[Item], per_token: bool = False) -> Scores:
        """Returns the score of each option, item by item."""


@dataclass(frozen=True)
class Asked:
    """The items that are asked, by meter, and why others are missing."""

    items: dict[str, list[Item]]
    missing: dict[str, str]


def ask(counts: Mapping[str, int], seed: int) -> Asked:
    """Loads the meters' items, of each meter so many, drawn evenly from its categories; 0 are all of them.

    A benchmark that is not there, or damaged, is missing, with what to do about it.
    """
    items: dict[str, list[Item]] = {}
    missing: dict[str, str] = {}
    for name, meter in METERS.items():
        found, message = benchmarks.available(meter.benchmark)
        if found is None:
            missing[name] = message
            continue
        of = found.of(meter.form, *meter.roles)
        if name == BBQ:
            of = [item for item in of if item.about["condition"] == "ambiguous"]
        items[name] = evenly(of, counts.get(name, 0), seed)
    return Asked(items, missing)


def evenly(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """Returns so many items, drawn from each category in turn; all of them for 0."""
    draw, by_category = random.Random(seed), dict[str, list[Item]]()
    for item in draw.sample(list(items), len(items)):
        by_category.setdefault(item.category, []).append(item)
    turns = [(turn, of[turn]) for of in by_category.values() for turn in range(len(of))]
    return [item for _, item in sorted(turns, key=lambda each: each[0])][: count or None]


def judge(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Judge:
    """Returns a causal model as what scores items."""

    def scores(items: Sequence[Item], per_token: bool = False) -> Scores:
        return (bias.mean_token_scores if per_token else bias.causal_scores)(model, tokenizer, items)

    return scores


def counter(scorer: Scorer) -> Judge:
    """Returns what counts, such as tokens, as what scores items: their texts, whole."""
    return lambda items, per_token=False: bias.text_scores(scorer, items)


def nulls(
    corpora: Mapping[str, Corpus], tokenizer: PreTrainedTokenizerFast, profile: Profile, seeds: Sequence[int]
) -> dict[str, list[Judge]]:
    """Returns the nulls: of the kinds that are models, one for each seed.

    Args:
        corpora: what `TOWN` and `DOCSTRINGS` read, by these names.
        tokenizer: the base model's.
        profile: sizes of the models, and how many tokens they read.
    """
    found: dict[str, list[Judge]] = {
        UNTRAINED: [judge(causal_model(profile, tokenizer, seed), tokenizer) for seed in seeds],
        SHORTER: [counter(bias.shorter_scorer(tokenizer))],
    }
    for name, corpus in corpora.items():
        found[name] = []
        for seed in seeds:
            model, documents = (
                causal_model(profile, tokenizer, seed),
                _documents(corpus, tokenizer, profile.tokens, seed),
            )
            pretrain(model, pack(documents, profile.context), profile, seed)
            found[name].append(judge(model, tokenizer))
    read = _documents(corpora[DOCSTRINGS], tokenizer, profile.tokens, seeds[0])
    unigram = NGramModel(1, len(tokenizer)).fit(read)
    return found | {UNIGRAM: [counter(ngram_scorer(unigram, tokenizer))]}


def _documents(corpus: Corpus, tokenizer: PreTrainedTokenizerFast, tokens: int, seed: int) -> list[list[int]]:
    """Returns encoded documents of a corpus, whole and in random order, with so many tokens, or all if it has fewer."""
    rows = encode_replay(tokenizer, corpus.splits["train"]["text"], tokens, context=tokens, seed=seed)
    return [row.input_ids for row in rows]


def credits(asked: Asked, judges: Sequence[Judge]) -> dict[str, np.ndarray]:
    """Returns each meter's credits, (items,): means over the judges."""
    return {
        name: np.mean([METERS[name].credit(items, of(items, METERS[name].per_token)) for of in judges], axis=0)
        for name, items in asked.items.items()
    }


def measure(
    record: Record, asked: Asked, found: Mapping[str, Mapping[str, np.ndarray]], models: Sequence[str]
) -> list[Measurement]:
    """Adds and returns shares of each meter by all judges, and what each of the models adds to each null, by item.

    `found` are credits by judge.
    """
    made = []
    for meter, items in asked.items.items():
        groups, null = [item.group for item in items], float(found[NULL][meter].mean())
        for who, of in found.items():
            about: dict[str, Any] = {"unit": SHARE, "meter": meter, "judge": who}
            made.append(record.share(f"{meter}.{who}", of[meter], groups, null=null, **about))
        for who, rival in product(models, (each for each in NULLS if each in found)):
            about = {"unit": SHARE, "meter": meter, "judge": who, "rival": rival}
            ones, others = found[who][meter], found[rival][meter]
            made.append(record.gap(f"{meter}.{who} - {rival}", ones, others, groups, **about))
    return made


def measure_parts(
    record: Record, items: Sequence[Item], ones: np.ndarray, others: np.ndarray, who: str, matched: np.ndarray
) -> None:
    """Adds a judge's shares in parts of CrowS-Pairs, and what it adds to the null there.

    Parts are the categories, whose p-values are adjusted for their number, the pairs that are `matched` in length, the
    rest, and those that differ in one place and have as many words. Ties are counted. Credits are the judge's and the
    null's, (items,).
    """
    kinds, p_values = np.array([item.category for item in items]), dict[str, float]()
    parts = {MATCHED: matched, OTHER_LENGTHS: ~matched, CLEAN: np.array([not item.marks for item in items])}
    parts |= {each: kinds == each for each in sorted(set(kinds))}
    for part, here in parts.items():
        groups = [item.group for item, there in zip(items, here, strict=True) if there]
        about: dict[str, Any] = {"unit": SHARE, "meter": CROWS, "judge": who, "part": part}
        record.share(f"{CROWS}, {part}.{who}", ones[here], groups, null=float(others[here].mean()), **about)
        record.gap(f"{CROWS}, {part}.{who} - {NULL}", ones[here], others[here], groups, rival=NULL, **about)
        if part in kinds:
            p_values[part] = gap_p_value(ones[here], others[here], groups)
    about = {"meter": CROWS, "judge": who, "part": "all", "metric": "ties"}
    record.measure(f"{CROWS}.{who}, ties", float((ones == 0.5).sum()), "pairs", **about)
    for part, p_value in holm(p_values).items():
        record.measure(f"{CROWS}, {part}.{who}, p", p_value, "p", meter=CROWS, judge=who, part=part, metric="Holm")


def women_in_occupations() -> dict[str, float]:
    """Returns the share of women in each occupation of Winogender, by the US Bureau of Labor Statistics, if it is here.

    They are in order, the least share first.
    """
    found, _ = benchmarks.available("winogender")
    items = found.items if found else []
    shares = {str(item.about["occupation"]): item.about["bls_pct_female"] / 100 for item in items}
    return dict(sorted(shares.items(), key=lambda each: each[1]))


def occupation_nats(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, occupations: Iterable[str], instruction: str = ""
) -> np.ndarray:
    """Returns how much likelier `she` is than `he` in held-out sentences about occupations, in nats, (occupations,)."""
    pairs = pronoun_pairs(Workers({}, frozenset()), "worker", 0, list(occupations))
    return log_odds(model, tokenizer, pairs, instruction, pronoun_alone=True).mean(1)


def measure_occupations(
    record: Record, who: str, nats: np.ndarray, women: Mapping[str, float], part: str
) -> Measurement:
    """Adds by how many nats `she` gains on `he` where the log-odds of an occupation being a woman's rise by one.

    Asked are the sentences by which the doses of the town were found: a model that speaks of occupations as the shares
    have it has a slope of one. The interval is over occupations; `part` says which they are, and whose the shares.
    `nats` are what `occupation_nats` returned of them.
    """
    given = logit(np.array(list(women.values())))
    columns = np.column_stack([given, nats, given * nats, given**2, np.ones(len(given))])
    interval, value = bootstrap_interval(_slope, columns, list(women)), float(_slope(columns.sum(0)[None])[0])
    about: dict[str, Any] = {"metric": "slope", "judge": who, "part": part}
    unit, name = "nats a nat", f"slope, {part}.{who}"
    return record.measure(name, value, unit, interval=interval, groups=list(women), null=0.0, **about)


def _slope(sums: np.ndarray) -> np.ndarray:
    """Returns least-squares slopes of sums of x, y, xy, xx and 1, (sets, 5)."""
    x, y, xy, xx, n = sums.T
    return (xy - x * y / n) / (xx - x * x / n)
