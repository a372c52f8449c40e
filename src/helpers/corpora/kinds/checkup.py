"""Does it make sense to train on these conversations? What to know before an hour is spent on it.

`check` looks through a corpus of kind `prompts` and gives findings, each with its places and its remedy, a table of
sizes, and a verdict. A finding of severity `stop` means that training would be pointless; a `warning` that the result
may be worse than it could be, or the test less of a test; a `note` is only to be known.

Near duplicates are estimated from MinHash sketches as in `helpers.corpora.duplicates`, but with bands that propose only
pairs of about `NEAR` and more, and without the texts, so that a row costs half a kilobyte. Among the first `COMPARED`
rows only, and of the candidates for a row at most `CANDIDATES` are compared: the count is a lower bound.

Personal data are guessed by their form: e-mail addresses, telephone numbers, and numbers of payment cards, which have
the length and the beginning of an issuer and a check digit (Luhn 1960) that nine of ten other numbers fail. Names and
addresses of houses are not found. What is found is shown masked.
"""

from __future__ import annotations

import html
import json
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from helpers.corpora.corpus import SET_ASIDE, Corpus
from helpers.corpora.duplicates import BANDS, ROWS, SEED, shingles
from helpers.corpora.kinds.loading import digest
from helpers.corpora.kinds.prompts import REPEATED
from helpers.corpora.report import html_table, shorten
from helpers.files import WorkbookError

if TYPE_CHECKING:
    from rensa import RMinHash
    from transformers import PreTrainedTokenizerBase

SEVERITIES = STOP, WARNING, NOTE = ("stop", "warning", "note")

FEWEST, FEW = 20, 200
"""Training rows below which learning is pointless, or doubtful."""

NEAR = 0.8
"""Similarity from which two rows are near duplicates."""

COMPARED = 100_000
CANDIDATES = 20

PLACES = 3
"""How many places a finding names."""

TASKS = 20
"""How many tasks the table of sizes lists, the largest first."""

BATCH = 1000

Turns = list[dict[str, str]]
"""The messages of a conversation, each with `role` and `content`."""

Lengths = Callable[[list[Turns]], Sequence[tuple[int, int]]]
"""Gives for each conversation how long all of it is, and how long what comes before its last answer."""


@dataclass(frozen=True)
class Finding:
    """Something that was found: how grave it is, of how many rows, the places of the first few, and what to do."""

    severity: str
    what: str
    count: int
    places: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Checkup:
    """What was found in a corpus, the gravest first; header and rows of the table of sizes; and the verdict."""

    name: str
    findings: tuple[Finding, ...]
    sizes: tuple[tuple[str, ...], ...]
    verdict: str
    ok: bool

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.sizes, strict=True)]
        table = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in self.sizes]
        found = []
        for finding in self.findings:
            places = f" ({', '.join(finding.places)})" if finding.places else ""
            found += [f"  {finding.severity}: {finding.what}: {finding.count:,}{places}", f"    {finding.remedy}."]
        parts = [["Sizes", *table], ["Findings", *(found or ["  none"])], [f"Verdict: {self.verdict}"]]
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
        corpus: of kind `prompts`.
        lengths: measures them; see `in_tokens` and `in_words`.
        context: how long a conversation may be for the model; None if that is not known.
        goal: what they are for, as the verdict, which begins with it, calls it.
        unit: in what they are measured.
    """
    rows = {split: len(part) for split, part in corpus.splits.items()}
    found = _Found()
    _count(rows, found)
    sizes, answers, near = _Sizes(context, unit, found), _Answers(found), _Near(rows, found)
    for batch in _batches(corpus):
        measured = lengths([row.messages for row in batch])
        for row, (whole, prompt) in zip(batch, measured, strict=True):
            sizes.add(row, whole, prompt)
            answers.add(row)
            near.add(row)
            _look_for_marks(row, found)
    sizes.judge(sum(rows.values()))
    answers.judge()
    _look_at_set_aside(corpus, found)
    findings = found.findings()
    stops = [finding.what for finding in findings if finding.severity == STOP]
    return Checkup(corpus.name, findings, sizes.table(), _verdict(findings, stops, rows, goal), not stops)


def _verdict(findings: Sequence[Finding], stops: list[str], rows: dict[str, int], goal: str) -> str:
    if stops:
        return f"{goal} on these rows would be pointless: {'; '.join(stops)}."
    warnings = any(finding.severity == WARNING for finding in findings)
    count = ", ".join(f"{number:,} in {split}" for split, number in rows.items())
    look = " Look at the warnings first." if warnings else ""
    return f"{goal} on these rows makes sense: {count}.{look}"


def in_tokens(tokenizer: PreTrainedTokenizerBase) -> Lengths:
    """Returns what measures conversations in tokens: by the chat template, or where there is none of all contents."""

    def lengths(conversations: list[Turns]) -> list[tuple[int, int]]:
        prompts = _rendered(tokenizer, [turns[:-1] for turns in conversations], True)
        wholes = _rendered(tokenizer, conversations, False)
        # Where the prompt is written alike with and without its answer, it is encoded once.
        rests = [whole.removeprefix(prompt) for whole, prompt in zip(wholes, prompts, strict=True)]
        counts = _encoded(tokenizer, [*prompts, *rests])
        asked, added = counts[: len(prompts)], counts[len(prompts) :]
        return [
            (count + more if whole.startswith(prompt) else more, count)
            for whole, prompt, count, more in zip(wholes, prompts, asked, added, strict=True)
        ]

    return lengths


def _rendered(tokenizer: PreTrainedTokenizerBase, conversations: list[Turns], answer_follows: bool) -> list[str]:
    """Writes conversations as the model reads them.

    Raises:
        WorkbookError: the chat template refuses one.
    """
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


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[int]:
    """Returns how many tokens each text has; the template's special tokens count as one each."""
    ids = tokenizer(texts, add_special_tokens=False, split_special_tokens=False, return_attention_mask=False)
    return list(map(len, ids["input_ids"]))


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


class _Problem(NamedTuple):
    severity: str
    what: str
    remedy: str


_TOO_FEW = _Problem(
    STOP,
    f"fewer than {FEWEST} rows to learn from",
    "They would be learnt by heart; write more, or show them in the prompt",
)
_FEW = _Problem(
    WARNING, f"fewer than {FEW} rows to learn from", "What is learnt varies from seed to seed; write more, or try seeds"
)
_UNTESTED = _Problem(
    WARNING, "no rows to test on", "Nobody could tell whether training helped; name some in a column split"
)
_ALIKE = _Problem(STOP, "all answers are the same", "A constant needs no model; give rows with other answers")
_SEVERAL = _Problem(
    WARNING, "same prompt as an earlier row, another answer", "Keep them if all are right; else keep one"
)
_LEAKED = _Problem(
    WARNING, "prompt of the test is also in train but for case or punctuation", "Take it out of one of them"
)
_NEAR_LEAKED = _Problem(
    WARNING, "rows of the test nearly repeat one of train", "They test memory; take them out of one of them"
)
_NEAR_REPEATED = _Problem(WARNING, "nearly repeat an earlier row", "They count twice; keep one of each")
_NOT_COMPARED = _Problem(NOTE, "not looked at for near duplicates", f"Only the first {COMPARED:,} rows are compared")
_DAMAGED = _Problem(
    WARNING, "text that was decoded wrongly", "Read the source again with its own encoding, and save it as UTF-8"
)
_PERSONAL = "A model can repeat it word for word; replace it, or make sure that it may be used"
_SHORTEN = "Shorten them, or choose a model with a longer context"


class _Found:
    """What was found so far: of each problem how many, and where the first few are."""

    def __init__(self) -> None:
        self._problems: dict[_Problem, tuple[int, list[str]]] = {}

    def add(self, problem: _Problem, *places: str, count: int = 1) -> None:
        before, named = self._problems.get(problem, (0, []))
        self._problems[problem] = before + count, [*named, *places][:PLACES]

    def take(self, problem: _Problem) -> tuple[int, list[str]]:
        """Forgets a problem, and returns what was known of it."""
        return self._problems.pop(problem, (0, []))

    def findings(self) -> tuple[Finding, ...]:
        found = [Finding(p.severity, p.what, n, tuple(named), p.remedy) for p, (n, named) in self._problems.items()]
        return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _look_at_set_aside(corpus: Corpus, found: _Found) -> None:
    path = corpus.folder / SET_ASIDE
    if not path.exists():
        return
    remedies: dict[str, str] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            kind = row["kind"]
            severity = NOTE if kind == REPEATED.kind else WARNING
            found.add(_Problem(severity, f"set aside: {kind}", remedies.setdefault(kind, row["remedy"])), row["place"])


def _count(rows: dict[str, int], found: _Found) -> None:
    train = rows.get("train", 0)
    if train < FEW:
        found.add(_TOO_FEW if train < FEWEST else _FEW, count=train)
    if not rows.get("test"):
        found.add(_UNTESTED, count=0)


class _Lengths(NamedTuple):
    """Lengths of rows, and of their answers."""

    whole: array[int]
    answer: array[int]


class _Sizes:
    """How long rows and their answers are, and which are too long."""

    def __init__(self, context: int | None, unit: str, found: _Found) -> None:
        self._context, self._unit, self._found = context, unit, found
        self._splits: dict[str, _Lengths] = {}
        self._tasks: dict[str, _Lengths] = {}
        limit = f"the model's {context} {unit}"
        self._lost = _Problem(WARNING, f"prompt fills {limit}: nothing of the answer is left", _SHORTEN)
        self._long = _Problem(WARNING, f"longer than {limit}: left out of training", _SHORTEN)

    def add(self, row: _Row, whole: int, prompt: int) -> None:
        for parts, name in ((self._splits, row.split), (self._tasks, row.task)):
            part = parts.setdefault(name, _Lengths(array("I"), array("I")))
            part.whole.append(whole)
            part.answer.append(whole - prompt)
        if self._context is not None and whole > self._context:
            self._found.add(self._lost if prompt >= self._context else self._long, row.place)

    def judge(self, rows: int) -> None:
        """Stops the training if most answers are lost."""
        count, places = self._found.take(self._lost)
        if count:
            severity = STOP if count > rows / 2 else WARNING
            self._found.add(self._lost._replace(severity=severity), *places, count=count)

    def table(self) -> tuple[tuple[str, ...], ...]:
        measures = ("median", "95%", "longest")
        words = *(f"{self._unit}, {m}" for m in measures), *(f"of answers, {m}" for m in measures)
        parts = list(self._splits.items())
        if len(self._tasks) > 1:
            tasks = sorted(self._tasks.items(), key=lambda item: -len(item[1].whole))
            parts += [(f"task {shorten(task) or '(none)'}", part) for task, part in tasks[:TASKS]]
        rows = ((name, f"{len(part.whole):,}", *_spread(part.whole), *_spread(part.answer)) for name, part in parts)
        return ("rows of", "rows", *words), *rows


def _spread(lengths: array[int]) -> Iterator[str]:
    """Yields median, 95% quantile and maximum."""
    return (f"{value:,.0f}" for value in np.quantile(np.asarray(lengths), [0.5, 0.95, 1.0]))


class _Answers:
    """Which prompts have several answers, or are in both splits but for case and punctuation."""

    def __init__(self, found: _Found) -> None:
        self._found = found
        self._prompts: set[int] = set()
        self._loosely: set[int] = set()
        self._answers: set[int] = set()

    def add(self, row: _Row) -> None:
        prompt = [turn["content"] for turn in row.messages[:-1]]
        exactly = digest([[turn["role"] for turn in row.messages], prompt])
        loosely = digest([" ".join(text.lower().split()).rstrip(".?!") for text in prompt])
        if exactly in self._prompts:  # the loader has set aside rows that have the same answer too
            self._found.add(_SEVERAL, row.place)
        self._prompts.add(exactly)
        if row.split == "train":
            self._found.add(_ALIKE, row.place)
            self._loosely.add(loosely)
            self._answers.add(digest(row.messages[-1]["content"].strip()))
        elif loosely in self._loosely:
            self._found.add(_LEAKED, row.place)

    def judge(self) -> None:
        """Keeps the finding that all answers are alike if they are."""
        count, places = self._found.take(_ALIKE)
        if len(self._answers) == 1 < count:
            self._found.add(_ALIKE, *places, count=count)


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
        mails = (match.group() for match in _MAIL.finditer(text))
        found["an e-mail address"] = next((mail for mail in mails if not _NOBODYS.search(mail)), "")
    if _DIGITS.search(text):
        cards = (match.group() for match in _CARD.finditer(text))
        found["a card number"] = next((card for card in cards if _is_card(_NO_DIGIT.sub("", card))), "")
        phones = (match.group() for match in _PHONE.finditer(text))
        found["a telephone number"] = next((phone for phone in phones if _is_phone(_NO_DIGIT.sub("", phone))), "")
    return {kind: masked(what) for kind, what in found.items() if what}


_NO_DIGIT = re.compile(r"\D")


def _is_phone(digits: str) -> bool:
    return 8 <= len(digits) <= 15  # 15 at most by ITU-T E.164


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
        found.add(_Problem(WARNING, f"perhaps {kind}", _PERSONAL), f"{row.place}: {shown}")
