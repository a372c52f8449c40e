"""Does it make sense to train on these conversations? What to know before an hour is spent on it.

`check` looks through a corpus of kind `prompts` and gives findings, each with its places and its remedy, a table of
sizes, and a verdict. A finding of severity `stop` means that training would be pointless; a `warning` that the result
may be worse than it could be, or the test less of a test; a `note` is only to be known.

Near duplicates are estimated from MinHash sketches as in `helpers.corpora.duplicates`, without the texts. Among the
first `COMPARED` rows only, and of the candidates for a row at most `CANDIDATES` are compared: the count is a lower
bound.
"""

from __future__ import annotations

import html
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

import pandas as pd

from helpers.corpora.corpus import SET_ASIDE, Corpus
from helpers.corpora.duplicates import BANDS, ROWS, SEED, shingles
from helpers.corpora.kinds.loading import digest
from helpers.corpora.kinds.marks import marks
from helpers.corpora.kinds.prompts import REPEATED
from helpers.corpora.report import aligned, html_table, shorten

if TYPE_CHECKING:
    from rensa import RMinHash
    from transformers import PreTrainedTokenizerBase

SEVERITIES = STOP, WARNING, NOTE = ("stop", "warning", "note")

CONTEXT = 1024
"""Tokens that a conversation may have at most, where a model reads more at once; for want of memory."""

FEWEST, FEW = 20, 200
"""Training rows below which learning is pointless, or doubtful."""

FEWEST_GROUPS = 2
"""Groups of the test below which no interval can be computed: it is over groups."""

NEAR = 0.8
"""Similarity from which two rows are near duplicates."""

COMPARED, CANDIDATES = 100_000, 20
PLACES = 3  # that a finding names
TASKS = 20  # in the table of sizes, the largest first
BATCH = 1000

Turns = list[dict[str, str]]
"""The messages of a conversation, each with `role` and `content`."""


class Length(NamedTuple):
    """How long a conversation is, how long what comes before its last answer, and why the model refuses it, if so."""

    whole: int
    prompt: int
    refused: str = ""


@dataclass(frozen=True)
class Measure:
    """What conversations are measured with, in which unit; and the names of the special tokens."""

    unit: str
    lengths: Callable[[list[Turns]], Sequence[Length]]
    special: frozenset[str] = frozenset()


Problem = tuple[str, str, str]
"""How grave it is, what it is, and what to do about it."""


@dataclass
class Finding:
    """A problem that was found: of how many rows, and the places of the first few."""

    severity: str
    what: str
    remedy: str
    count: int = 0
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkup:
    """What was found in a corpus, the gravest first; header and rows of the table of sizes; and the verdict."""

    name: str
    findings: tuple[Finding, ...]
    sizes: tuple[tuple[str, ...], ...]
    verdict: str
    ok: bool

    def __str__(self) -> str:
        found = []
        for finding in self.findings:
            places = f" ({', '.join(finding.places)})" if finding.places else ""
            found += [f"  {finding.severity}: {finding.what}: {finding.count:,}{places}", f"    {finding.remedy}."]
        parts = [["Sizes", *aligned(self.sizes)], ["Findings", *(found or ["  none"])], [f"Verdict: {self.verdict}"]]
        return "\n\n".join(map("\n".join, parts))

    def _repr_html_(self) -> str:
        header = ("severity", "what", "rows", "for example", "remedy")
        found = [(f.severity, f.what, f"{f.count:,}", ", ".join(f.places), f.remedy) for f in self.findings]
        verdict = f"<p><strong>{html.escape(self.name)}</strong>: {html.escape(self.verdict)}</p>"
        return "\n".join([verdict, html_table(header, found), html_table(self.sizes[0], self.sizes[1:])])


def check(corpus: Corpus, measure: Measure, context: int | None, goal: str = "Fine-tuning") -> Checkup:
    """Looks through conversations before a model is trained on them.

    Args:
        measure: see `in_tokens` and `IN_WORDS`.
        context: how long a conversation may be for the model; None if that is not known.
        goal: what they are for, with which the verdict begins.
    """
    rows = {split: len(part) for split, part in corpus.splits.items()}
    found, sizes = _Found(), []
    answers, near = _Answers(found), _Near(rows, found)
    fitting, groups = Counter[str](), defaultdict[str, set[int]](set)
    for batch in _batches(corpus):
        measured = measure.lengths([row.messages for row in batch])
        sizes.append(pd.DataFrame([length[:2] for length in measured], columns=["whole", "prompt"]))
        sizes[-1] = sizes[-1].assign(split=batch[0].split, task=[row.task for row in batch])
        for row, length in zip(batch, measured, strict=True):
            if _fits(row, length, context, measure.unit, found):
                fitting[row.split] += 1
                groups[row.split].add(digest(row.group))
            answers.add(row)
            near.add(row)
            for what, remedy, shown in marks([turn["content"] for turn in row.messages], measure.special):
                found.add((WARNING, what, remedy), f"{row.place}: {shown}")
    _look_at_counts(fitting, len(groups["test"]), found)
    for what in (_LOST, _REFUSED):
        if what in found and found[what].count > sum(rows.values()) / 2:
            found[what].severity = STOP
    if len(answers.given) == 1 < rows.get("train", 0):
        found.add(_ALIKE, count=rows["train"])
    _look_at_report(corpus, found)
    findings = tuple(sorted(found.values(), key=lambda finding: SEVERITIES.index(finding.severity)))
    ok = all(finding.severity != STOP for finding in findings)
    return Checkup(corpus.name, findings, _table(pd.concat(sizes), measure.unit), _verdict(findings, rows, goal), ok)


def _verdict(findings: Sequence[Finding], rows: dict[str, int], goal: str) -> str:
    if stops := [finding.what for finding in findings if finding.severity == STOP]:
        return f"{goal} on these rows would be pointless: {'; '.join(stops)}."
    count = ", ".join(f"{number:,} in {split}" for split, number in rows.items())
    warned = any(finding.severity == WARNING for finding in findings)
    return f"{goal} on these rows makes sense: {count}." + " Look at the warnings first." * warned


def in_tokens(tokenizer: PreTrainedTokenizerBase) -> Measure:
    """Returns what measures conversations in tokens: by the chat template, or where there is none of all contents."""

    def lengths(conversations: list[Turns]) -> list[Length]:
        written = _written(tokenizer, conversations)
        # Where the prompt is written alike with and without its answer, it is encoded once.
        rests = [whole.removeprefix(prompt) for prompt, whole, _ in written]
        # The template's special tokens count as one each.
        texts = [*(prompt for prompt, *_ in written), *rests]
        encoded = tokenizer(texts, add_special_tokens=False, split_special_tokens=False, return_attention_mask=False)
        counts = list(map(len, encoded["input_ids"]))
        asked, added = counts[: len(written)], counts[len(written) :]
        return [
            Length(count + more if whole.startswith(prompt) else more, count, refused)
            for (prompt, whole, refused), count, more in zip(written, asked, added, strict=True)
        ]

    special = frozenset(token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    return Measure("tokens", lengths, special)


def _written(tokenizer: PreTrainedTokenizerBase, conversations: list[Turns]) -> list[tuple[str, str, str]]:
    """Writes conversations as the model reads them: each without its answer, as a whole, and why it is refused."""
    from jinja2 import TemplateError

    def rendered(some: list[Turns], answer_follows: bool) -> list[str]:
        if not tokenizer.chat_template:
            return ["\n\n".join(turn["content"] for turn in turns) for turns in some]
        return cast(
            "list[str]", tokenizer.apply_chat_template(some, tokenize=False, add_generation_prompt=answer_follows)
        )

    try:
        prompts = rendered([turns[:-1] for turns in conversations], True)
        return [(prompt, whole, "") for prompt, whole in zip(prompts, rendered(conversations, False), strict=True)]
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:  # a template is a program
        if len(conversations) > 1:  # at least one of them is at fault
            return [written for turns in conversations for written in _written(tokenizer, [turns])]
        contents = [turn["content"] for turn in conversations[0]]
        return [("\n\n".join(contents[:-1]), "\n\n".join(contents), str(error))]


def _words(conversations: list[Turns]) -> list[Length]:
    words = [[len(turn["content"].split()) for turn in turns] for turns in conversations]
    return [Length(sum(counts), sum(counts[:-1])) for counts in words]


IN_WORDS = Measure("words", _words)
"""Measures conversations in words between blanks, for want of a tokenizer."""


class _Row(NamedTuple):
    split: str
    place: str
    group: str
    task: str
    text: str
    messages: Turns


def _batches(corpus: Corpus) -> Iterator[list[_Row]]:
    """Yields the rows of all splits, train first."""
    for split, part in corpus.splits.items():
        for start in range(0, len(part), BATCH):
            columns = part[start : start + BATCH]
            values = (columns[name] for name in ("place", "group", "task", "text", "messages"))
            yield [_Row(split, *row) for row in zip(*values, strict=True)]


_TOO_FEW = (
    STOP,
    f"fewer than {FEWEST} rows to learn from",
    "They would be learnt by heart; write more, or show them in the prompt",
)
_FEW = (
    WARNING,
    f"fewer than {FEW} rows to learn from",
    "What is learnt varies from seed to seed; write more, or try seeds",
)
_UNTESTED = (
    STOP,
    "no rows to test on",
    "Nobody could tell whether training helped; name some in a column split, or give more groups or prompts",
)
_ONE_GROUP = (
    STOP,
    "all rows to test on are of one group",
    "Nobody could tell how sure the result is; name other groups, or others for the test",
)
_LOST = "prompt fills the model's context: nothing of the answer is left"
_REFUSED = "the model's chat template refuses the conversation"
_ALIKE = (STOP, "all answers are the same", "A constant needs no model; give rows with other answers")
_SEVERAL = (WARNING, "same prompt as an earlier row, another answer", "Keep them if all are right; else keep one")
_LEAKED = (WARNING, "prompt of the test is also in train but for case or punctuation", "Take it out of one of them")
_NEAR_LEAKED = (
    WARNING,
    "rows of the test nearly repeat one of train",
    "They test memory; take them out of one of them",
)
_NEAR_REPEATED = (WARNING, "nearly repeat an earlier row", "They count twice; keep one of each")
_NOT_COMPARED = (NOTE, "not looked at for near duplicates", f"Only the first {COMPARED:,} rows are compared")
_SHORTEN = "Shorten them, or choose a model with a longer context"


class _Found(dict[str, Finding]):
    """What was found so far, by what it is."""

    def add(self, problem: Problem, *places: str, count: int = 1) -> None:
        finding = self.setdefault(problem[1], Finding(*problem))
        finding.count += count
        finding.places = (*finding.places, *places)[:PLACES]


def _fits(row: _Row, length: Length, context: int | None, unit: str, found: _Found) -> bool:
    """Says whether a model can learn from a row; if not, that is found."""
    if length.refused:
        remedy = f"Choose another model, or leave them out; it says: {shorten(length.refused)}"
        found.add((WARNING, _REFUSED, remedy), row.place)
    elif context is None or length.whole <= context:
        return True
    elif length.prompt >= context:
        found.add((WARNING, _LOST, f"It reads {context} {unit}. {_SHORTEN}"), row.place)
    else:
        found.add((WARNING, f"longer than the model's {context} {unit}: left out of training", _SHORTEN), row.place)
    return False


def _look_at_report(corpus: Corpus, found: _Found) -> None:
    """Takes over what was set aside, altered, or not used when the rows were read."""
    for what, noted in corpus.report.noted.items():
        found.add((WARNING if noted.warns else NOTE, what, noted.remedy), *noted.places, count=noted.rows)
    for problem in corpus.report.problems:
        if SET_ASIDE not in problem:  # splits that were meant otherwise spoil the test
            severity = WARNING if "by a hash" in problem else NOTE
            found.add((severity, problem, "If that is not what you want, mend the source"))
    path = corpus.folder / SET_ASIDE
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            severity = NOTE if row["kind"] == REPEATED.kind else WARNING
            found.add((severity, f"set aside: {row['kind']}", row["remedy"]), row["place"])


def _look_at_counts(rows: Mapping[str, int], test_groups: int, found: _Found) -> None:
    """Looks at how many rows a model can learn from, and be tested on."""
    train = rows.get("train", 0)
    if train < FEW:
        found.add(_TOO_FEW if train < FEWEST else _FEW, count=train)
    if test_groups < FEWEST_GROUPS:
        found.add(_ONE_GROUP if test_groups else _UNTESTED, count=rows.get("test", 0))


def _table(sizes: pd.DataFrame, unit: str) -> tuple[tuple[str, ...], ...]:
    """Returns header and rows of the table of sizes, by split and, where there are several, by task."""
    sizes["answer"] = sizes["whole"] - sizes["prompt"]
    parts = [(str(split), part) for split, part in sizes.groupby("split", sort=False)]
    tasks = sorted(sizes.groupby("task", sort=False), key=lambda item: -len(item[1]))
    if len(tasks) > 1:
        parts += [(f"task {shorten(str(task)) or '(none)'}", part) for task, part in tasks[:TASKS]]
    measures = ("median", "95%", "longest")
    table = [("rows of", "rows", *(f"{unit}, {m}" for m in measures), *(f"of answers, {m}" for m in measures))]
    for name, part in parts:
        values = part[["whole", "answer"]].quantile([0.5, 0.95, 1.0]).to_numpy().T.flat
        table.append((name, f"{len(part):,}", *(f"{value:,.0f}" for value in values)))
    return tuple(table)


class _Answers:
    """Which prompts have several answers, or are in both splits but for case and punctuation."""

    def __init__(self, found: _Found) -> None:
        self._found = found
        self._prompts: set[int] = set()
        self._loosely: set[int] = set()
        self.given: set[int] = set()

    def add(self, row: _Row) -> None:
        prompt = [turn["content"] for turn in row.messages[:-1]]
        exactly = digest([[turn["role"] for turn in row.messages], prompt])
        loosely = digest([" ".join(text.lower().split()).rstrip(".?!") for text in prompt])
        if exactly in self._prompts:  # the loader has set aside rows that have the same answer too
            self._found.add(_SEVERAL, row.place)
        self._prompts.add(exactly)
        if row.split == "train":
            self._loosely.add(loosely)
            self.given.add(digest(row.messages[-1]["content"].strip()))
        elif loosely in self._loosely:
            self._found.add(_LEAKED, row.place)


class _Near:
    """Which rows nearly repeat an earlier one."""

    def __init__(self, rows: dict[str, int], found: _Found) -> None:
        from rensa import RMinHashLSH

        held_out = min(sum(rows.values()) - rows.get("train", 0), COMPARED // 10)
        self._found = found
        self._left = {"train": COMPARED - held_out, "held out": held_out}
        self._index = RMinHashLSH(threshold=NEAR, num_perm=BANDS * ROWS, num_bands=BANDS // 2)
        self._sketches: list[tuple[RMinHash, str, str]] = []  # with split and place

    def add(self, row: _Row) -> None:
        part = "train" if row.split == "train" else "held out"
        if not self._left[part]:
            self._found.add(_NOT_COMPARED, row.place)
            return
        self._left[part] -= 1
        sketch = _sketch(row.text)
        candidates = [self._sketches[key] for key in islice(self._index.query(sketch), CANDIDATES)]
        twins = {split: place for other, split, place in candidates if sketch.jaccard(other) >= NEAR}
        if part == "held out" and "train" in twins:
            self._found.add(_NEAR_LEAKED, f"{row.place} like {twins['train']}")
        elif twins:
            self._found.add(_NEAR_REPEATED, f"{row.place} like {next(iter(twins.values()))}")
        else:
            self._index.insert(len(self._sketches), sketch)
            self._sketches.append((sketch, row.split, row.place))


def _sketch(text: str) -> RMinHash:
    from rensa import RMinHash

    sketch = RMinHash(num_perm=BANDS * ROWS, seed=SEED)
    sketch.update(list(shingles(text)))
    return sketch
