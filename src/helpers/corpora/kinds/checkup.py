"""Does it make sense to train on these conversations? What to know before an hour is spent on it.

`check` looks through a corpus of kind `prompts` and gives findings, each with its places and its remedy, a table of
sizes, and a verdict. A finding of severity `stop` means that training would be pointless; a `warning` that the result
may be worse than it could be, or the test less of a test; a `note` is only to be known.

Near duplicates are estimated from MinHash sketches as in `helpers.corpora.duplicates`, without the texts. Among the
first `COMPARED` rows only, and of the candidates for a row at most `CANDIDATES` are compared: the count is a lower
bound.

Personal data are guessed by their form: e-mail addresses, telephone numbers, and numbers of payment cards, which have
the length and the beginning of an issuer and a check digit (Luhn 1960) that nine of ten other numbers fail. Names and
addresses of houses are not found. What is found is shown masked.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

import pandas as pd

from helpers.corpora.corpus import SET_ASIDE, Corpus
from helpers.corpora.duplicates import BANDS, ROWS, SEED, shingles
from helpers.corpora.kinds.loading import digest
from helpers.corpora.kinds.prompts import REPEATED
from helpers.corpora.report import aligned, html_table, shorten
from helpers.files import WorkbookError

if TYPE_CHECKING:
    from rensa import RMinHash
    from transformers import PreTrainedTokenizerBase

SEVERITIES = STOP, WARNING, NOTE = ("stop", "warning", "note")

FEWEST, FEW = 20, 200
"""Training rows below which learning is pointless, or doubtful."""

NEAR = 0.8
"""Similarity from which two rows are near duplicates."""

COMPARED, CANDIDATES = 100_000, 20
PLACES = 3  # that a finding names
TASKS = 20  # in the table of sizes, the largest first
BATCH = 1000

Turns = list[dict[str, str]]
"""The messages of a conversation, each with `role` and `content`."""

Lengths = Callable[[list[Turns]], Sequence[tuple[int, int]]]
"""Gives for each conversation how long all of it is, and how long what comes before its last answer."""


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


def check(
    corpus: Corpus, lengths: Lengths, context: int | None, goal: str = "Fine-tuning", unit: str = "tokens"
) -> Checkup:
    """Looks through conversations before a model is trained on them.

    Args:
        lengths: measures them; see `in_tokens` and `in_words`.
        context: how long a conversation may be for the model; None if that is not known.
        goal: what they are for, with which the verdict begins.
    """
    rows = {split: len(part) for split, part in corpus.splits.items()}
    limit = f"the model's {context} {unit}"
    lost = WARNING, f"prompt fills {limit}: nothing of the answer is left", _SHORTEN
    long = WARNING, f"longer than {limit}: left out of training", _SHORTEN
    found, sizes = _Found(), []
    _look_at_counts(rows, found)
    answers, near = _Answers(found), _Near(rows, found)
    for batch in _batches(corpus):
        measured = lengths([row.messages for row in batch])
        sizes.append(pd.DataFrame(measured, columns=["whole", "prompt"]).assign(split=batch[0].split))
        sizes[-1]["task"] = [row.task for row in batch]
        for row, (whole, prompt) in zip(batch, measured, strict=True):
            if context is not None and whole > context:
                found.add(lost if prompt >= context else long, row.place)
            answers.add(row)
            near.add(row)
            _look_for_marks(row, found)
    if lost[1] in found and found[lost[1]].count > sum(rows.values()) / 2:
        found[lost[1]].severity = STOP
    if len(answers.given) == 1 < rows.get("train", 0):
        found.add(_ALIKE, count=rows["train"])
    _look_at_set_aside(corpus, found)
    findings = tuple(sorted(found.values(), key=lambda finding: SEVERITIES.index(finding.severity)))
    ok = all(finding.severity != STOP for finding in findings)
    return Checkup(corpus.name, findings, _table(pd.concat(sizes), unit), _verdict(findings, rows, goal), ok)


def _verdict(findings: Sequence[Finding], rows: dict[str, int], goal: str) -> str:
    if stops := [finding.what for finding in findings if finding.severity == STOP]:
        return f"{goal} on these rows would be pointless: {'; '.join(stops)}."
    count = ", ".join(f"{number:,} in {split}" for split, number in rows.items())
    warned = any(finding.severity == WARNING for finding in findings)
    return f"{goal} on these rows makes sense: {count}." + " Look at the warnings first." * warned


def in_tokens(tokenizer: PreTrainedTokenizerBase) -> Lengths:
    """Returns what measures conversations in tokens: by the chat template, or where there is none of all contents."""

    def lengths(conversations: list[Turns]) -> list[tuple[int, int]]:
        prompts = _rendered(tokenizer, [turns[:-1] for turns in conversations], True)
        wholes = _rendered(tokenizer, conversations, False)
        # Where the prompt is written alike with and without its answer, it is encoded once.
        rests = [whole.removeprefix(prompt) for whole, prompt in zip(wholes, prompts, strict=True)]
        # The template's special tokens count as one each.
        ids = tokenizer([*prompts, *rests], add_special_tokens=False, split_special_tokens=False)["input_ids"]
        counts = list(map(len, ids))
        asked, added = counts[: len(prompts)], counts[len(prompts) :]
        return [
            (count + more if whole.startswith(prompt) else more, count)
            for whole, prompt, count, more in zip(wholes, prompts, asked, added, strict=True)
        ]

    return lengths


def _rendered(tokenizer: PreTrainedTokenizerBase, conversations: list[Turns], answer_follows: bool) -> list[str]:
    """Writes conversations as the model reads them, or raises WorkbookError."""
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return ["\n\n".join(turn["content"] for turn in turns) for turns in conversations]
    try:
        rendered = tokenizer.apply_chat_template(conversations, tokenize=False, add_generation_prompt=answer_follows)
    except TemplateError as error:
        raise WorkbookError(
            f"The model's chat template refuses a conversation ({error}). Choose another model, or leave such rows out."
        ) from None
    return cast("list[str]", rendered)


def in_words(conversations: list[Turns]) -> list[tuple[int, int]]:
    """Measures conversations in words between blanks, for want of a tokenizer."""
    words = [[len(turn["content"].split()) for turn in turns] for turns in conversations]
    return [(sum(counts), sum(counts[:-1])) for counts in words]


class _Row(NamedTuple):
    split: str
    place: str
    task: str
    text: str
    messages: Turns


def _batches(corpus: Corpus) -> Iterator[list[_Row]]:
    """Yields the rows of all splits, train first."""
    for split, part in corpus.splits.items():
        for start in range(0, len(part), BATCH):
            columns = part[start : start + BATCH]
            values = (columns[name] for name in ("place", "task", "text", "messages"))
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
_UNTESTED = (WARNING, "no rows to test on", "Nobody could tell whether training helped; name some in a column split")
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
_DAMAGED = (
    WARNING,
    "text that was decoded wrongly",
    "Read the source again with its own encoding, and save it as UTF-8",
)
_PERSONAL = "A model can repeat it word for word; replace it, or make sure that it may be used"
_SHORTEN = "Shorten them, or choose a model with a longer context"


class _Found(dict[str, Finding]):
    """What was found so far, by what it is."""

    def add(self, problem: Problem, *places: str, count: int = 1) -> None:
        finding = self.setdefault(problem[1], Finding(*problem))
        finding.count += count
        finding.places = (*finding.places, *places)[:PLACES]


def _look_at_set_aside(corpus: Corpus, found: _Found) -> None:
    path = corpus.folder / SET_ASIDE
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            severity = NOTE if row["kind"] == REPEATED.kind else WARNING
            found.add((severity, f"set aside: {row['kind']}", row["remedy"]), row["place"])


def _look_at_counts(rows: dict[str, int], found: _Found) -> None:
    train = rows.get("train", 0)
    if train < FEW:
        found.add(_TOO_FEW if train < FEWEST else _FEW, count=train)
    if not rows.get("test"):
        found.add(_UNTESTED, count=0)


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


_MOJIBAKE = re.compile("[ÂÃ][\x80-\xbf]|â€|â\x80|ï»¿|\ufffd")

_MAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}\b")
_NOBODYS = re.compile(r"[@.](?:example(?:\.\w+)?|test|invalid|localhost)$", re.IGNORECASE)  # RFC 2606
_DIGITS = re.compile(r"\d[\d ()./-]{6,}\d")
_PHONE = re.compile(
    r"(?<![\w.,+-])(?:"
    r"\+\d[\d ()./-]{6,18}\d"  # international
    r"|\(\d{2,5}\) ?\d{3,4}[ -]?\d{3,5}|\d{3}-\d{3}-\d{4}"  # with the area code in brackets, or of North America
    r"|0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,5}"  # with a trunk zero
    r")(?![\w-]|[.,]\d)"
)
_CARD = re.compile(
    r"(?<![\w.,+-])(?:\d{13,19}|\d{4}(?P<a>[ -])\d{4}(?P=a)\d{4}(?P=a)\d{4}|\d{4}(?P<b>[ -])\d{6}(?P=b)\d{5})"
    r"(?![\w-]|[.,]\d)"
)
_ISSUERS = (
    (("4",), (13, 16, 19)),
    (("34", "37"), (15,)),
    (("51", "52", "53", "54", "55", "22", "23", "24", "25", "26", "27", "6011", "65"), (16,)),
)
"""With what numbers of cards begin, and how many digits these have."""


def personal(text: str) -> dict[str, str]:
    """Returns what in a text may be personal data: of each kind the first, masked."""
    found = {}
    if "@" in text:
        found["an e-mail address"] = [mail for mail in _MAIL.findall(text) if not _NOBODYS.search(mail)]
    if _DIGITS.search(text):
        cards = (match.group() for match in _CARD.finditer(text))
        found["a card number"] = [card for card in cards if _is_card(re.sub(r"\D", "", card))]
        phones = (phone for phone in _PHONE.findall(text) if 8 <= len(re.sub(r"\D", "", phone)) <= 15)  # ITU-T E.164
        found["a telephone number"] = list(phones)
    return {kind: masked(some[0]) for kind, some in found.items() if some}


def _is_card(digits: str) -> bool:
    """Says whether an issuer gives such numbers, and the check digit is right: the doubled digits' sums end in 0."""
    issued = any(digits.startswith(beginnings) and len(digits) in sizes for beginnings, sizes in _ISSUERS)
    total = sum(int(d) for d in digits[-1::-2]) + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return issued and total % 10 == 0


def masked(text: str) -> str:
    """Returns a text with dots for all letters and digits but the first and the last."""
    return text[0] + re.sub(r"\w", "•", text[1:-1]) + text[-1]


def _look_for_marks(row: _Row, found: _Found) -> None:
    """Looks for signs of damaged text and for personal data."""
    if not row.text.isascii() and (damage := _MOJIBAKE.search(row.text)):
        found.add(_DAMAGED, f"{row.place}: {damage.group()}")
    for kind, shown in personal(row.text).items():
        found.add((WARNING, f"perhaps {kind}", _PERSONAL), f"{row.place}: {shown}")
