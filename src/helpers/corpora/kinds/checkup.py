"""Does it make sense to train on these conversations? What is told before an hour is spent on it.

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
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from helpers.corpora.corpus import Corpus
from helpers.corpora.duplicates import BANDS, ROWS, SEED, shingles
from helpers.corpora.kinds.prompts import REPEATED, SET_ASIDE
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
    """Something that was found.

    Attributes:
        severity: one of `SEVERITIES`.
        what: in a few words.
        count: of how many rows.
        places: of the first few.
        remedy: what the user can do.
    """

    severity: str
    what: str
    count: int
    places: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Checkup:
    """What was found in a corpus.

    Attributes:
        name: the corpus.
        findings: the gravest first.
        sizes: header and rows of the table of sizes, all as text.
        verdict: whether training makes sense, in a sentence.
        ok: whether it does.
    """

    name: str
    findings: tuple[Finding, ...]
    sizes: tuple[tuple[str, ...], ...]
    verdict: str
    ok: bool

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.sizes, strict=True)]
        table = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in self.sizes]
        found = [
            f"  {finding.severity}: {finding.what}: {finding.count:,}{_listed(finding.places)}\n    {finding.remedy}."
            for finding in self.findings
        ]
        return "\n\n".join(
            ["\n".join(["Sizes", *table]), "\n".join(["Findings", *(found or ["  none"])]), f"Verdict: {self.verdict}"]
        )

    def _repr_html_(self) -> str:
        header = ("severity", "what", "rows", "for example", "remedy")
        found = [(f.severity, f.what, f"{f.count:,}", ", ".join(f.places), f.remedy) for f in self.findings]
        verdict = f"<p><strong>{html.escape(self.name)}</strong>: {html.escape(self.verdict)}</p>"
        return "\n".join([verdict, html_table(header, found), html_table(self.sizes[0], self.sizes[1:])])


def _listed(places: Sequence[str]) -> str:
    return f" ({', '.join(places)})" if places else ""


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

    Returns:
        What was found.
    """
    sizes, answers, near, marks = _Sizes(context), _Answers(), _Near(corpus), _Marks()
    for batch in _batches(corpus):
        measured = lengths([row.messages for row in batch])
        for row, (whole, prompt) in zip(batch, measured, strict=True):
            sizes.add(row, whole, prompt)
            answers.add(row)
            near.add(row)
            marks.add(row)
    rows = {split: len(part) for split, part in corpus.splits.items()}
    found = [
        *_enough(rows),
        *sizes.findings(unit),
        *answers.findings(),
        *near.findings(),
        *marks.findings(),
        *_set_aside(corpus),
    ]
    findings = tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
    stops = [finding.what for finding in findings if finding.severity == STOP]
    return Checkup(corpus.name, findings, sizes.table(unit), _verdict(findings, stops, rows, goal), not stops)


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
    number: int
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
            yield [_Row(split, start + i, *row) for i, row in enumerate(zip(*values, strict=True))]


def _digest(value: Any) -> int:
    return int.from_bytes(blake2b(json.dumps(value).encode(), digest_size=8).digest(), "big")


@dataclass
class _Places:
    """How many, and where the first few are."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        self.count += 1
        if len(self.places) < PLACES:
            self.places.append(place)

    def finding(self, severity: str, what: str, remedy: str) -> list[Finding]:
        """Returns the finding, if there is one."""
        return [Finding(severity, what, self.count, tuple(self.places), remedy)] if self.count else []


def _set_aside(corpus: Corpus) -> list[Finding]:
    """Returns a finding for each kind of row that the loader set aside."""
    path = corpus.folder / SET_ASIDE
    if not path.exists():
        return []
    kinds: dict[str, _Places] = {}
    remedies: dict[str, str] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            kinds.setdefault(row["kind"], _Places()).add(row["place"])
            remedies.setdefault(row["kind"], row["remedy"])
    return [
        finding
        for kind, places in kinds.items()
        for finding in places.finding(NOTE if kind == REPEATED else WARNING, f"set aside: {kind}", remedies[kind])
    ]


def _enough(rows: dict[str, int]) -> list[Finding]:
    train = rows.get("train", 0)
    found = []
    if train < FEWEST:
        remedy = "They would be learnt by heart; write more, or give them as examples in the prompt instead"
        found.append(Finding(STOP, f"fewer than {FEWEST} rows to learn from", train, (), remedy))
    elif train < FEW:
        remedy = "What is learnt from so few varies from seed to seed; write more, or train with several seeds"
        found.append(Finding(WARNING, f"fewer than {FEW} rows to learn from", train, (), remedy))
    if not rows.get("test"):
        remedy = "Nobody could tell whether training helped; put rows into test.jsonl, or name them in a column split"
        found.append(Finding(WARNING, "no rows to test on", 0, (), remedy))
    return found


class _Sizes:
    """How long rows and their answers are, and which are too long."""

    def __init__(self, context: int | None) -> None:
        self._context = context
        self._splits: dict[str, tuple[array[int], array[int]]] = {}  # lengths of rows, and of their answers
        self._tasks: dict[str, tuple[array[int], array[int]]] = {}
        self._wholly, self._partly = _Places(), _Places()

    def add(self, row: _Row, whole: int, prompt: int) -> None:
        for part in (self._splits.setdefault(row.split, _pair()), self._tasks.setdefault(row.task, _pair())):
            part[0].append(whole)
            part[1].append(whole - prompt)
        if self._context is not None and whole > self._context:
            (self._wholly if prompt >= self._context else self._partly).add(row.place)

    def findings(self, unit: str) -> list[Finding]:
        rows = sum(len(whole) for whole, _ in self._splits.values())
        limit = f"the model's {self._context} {unit}"
        gravity = STOP if self._wholly.count > rows / 2 else WARNING
        shorter = "Shorten them, or choose a model with a longer context"
        return [
            *self._wholly.finding(gravity, f"prompt fills {limit}: nothing of the answer is left", shorter),
            *self._partly.finding(WARNING, f"longer than {limit}: left out of training", shorter),
        ]

    def table(self, unit: str) -> tuple[tuple[str, ...], ...]:
        measures = ("median", "95%", "longest")
        header = ("rows of", "rows", *(f"{unit}, {m}" for m in measures), *(f"of answers, {m}" for m in measures))
        parts = list(self._splits.items())
        if len(self._tasks) > 1:
            tasks = sorted(self._tasks.items(), key=lambda item: -len(item[1][0]))
            parts += [(f"task {shorten(task) or '(none)'}", part) for task, part in tasks[:TASKS]]
        return header, *((name, f"{len(whole):,}", *_spread(whole), *_spread(ans)) for name, (whole, ans) in parts)


def _pair() -> tuple[array[int], array[int]]:
    return array("I"), array("I")


def _spread(lengths: array[int]) -> Iterator[str]:
    """Yields median, 95% quantile and maximum."""
    return (f"{value:,.0f}" for value in np.quantile(np.asarray(lengths), [0.5, 0.95, 1.0]))


class _Answers:
    """Which prompts have several answers, or stand in both splits but for case and punctuation."""

    def __init__(self) -> None:
        self._prompts: set[int] = set()
        self._loosely: set[int] = set()
        self._answers: set[int] = set()
        self._several, self._leaked, self._train = _Places(), _Places(), _Places()

    def add(self, row: _Row) -> None:
        prompt = [turn["content"] for turn in row.messages[:-1]]
        exactly = _digest([[turn["role"] for turn in row.messages], prompt])
        loosely = _digest([" ".join(text.lower().split()).rstrip(".?!") for text in prompt])
        if exactly in self._prompts:  # the loader has set aside rows that have the same answer too
            self._several.add(row.place)
        self._prompts.add(exactly)
        if row.split == "train":
            self._train.add(row.place)
            self._loosely.add(loosely)
            self._answers.add(_digest(row.messages[-1]["content"].strip()))
        elif loosely in self._loosely:
            self._leaked.add(row.place)

    def findings(self) -> list[Finding]:
        alike = self._train if len(self._answers) == 1 < self._train.count else _Places()
        return [
            *alike.finding(STOP, "all answers are the same", "A constant needs no model; give rows with other answers"),
            *self._several.finding(
                WARNING, "same prompt as an earlier row, another answer", "Keep them if all are right; else keep one"
            ),
            *self._leaked.finding(
                WARNING, "prompt of the test stands in train but for case or punctuation", "Take it out of one of them"
            ),
        ]


class _Near:
    """Which rows nearly repeat an earlier one."""

    def __init__(self, corpus: Corpus) -> None:
        from rensa import RMinHashLSH

        rows = {split: len(part) for split, part in corpus.splits.items()}
        held_out = min(sum(rows.values()) - rows.get("train", 0), COMPARED // 10)
        self._left = {"train": COMPARED - held_out, "held out": held_out}
        self._index = RMinHashLSH(threshold=NEAR, num_perm=BANDS * ROWS, num_bands=BANDS // 2)
        self._sketches: list[tuple[RMinHash, str, str]] = []  # with split and place
        self._repeated, self._leaked, self._not_compared = _Places(), _Places(), _Places()

    def add(self, row: _Row) -> None:
        part = "train" if row.split == "train" else "held out"
        if not self._left[part]:
            self._not_compared.add(row.place)
            return
        self._left[part] -= 1
        sketch = _sketch(row.text)
        candidates = [self._sketches[key] for key in islice(self._index.query(sketch), CANDIDATES)]
        twins = {split: place for other, split, place in candidates if sketch.jaccard(other) >= NEAR}
        if part == "held out" and "train" in twins:
            self._leaked.add(f"{row.place} like {twins['train']}")
        elif twins:
            self._repeated.add(f"{row.place} like {next(iter(twins.values()))}")
        else:
            self._index.insert(len(self._sketches), sketch)
            self._sketches.append((sketch, row.split, row.place))

    def findings(self) -> list[Finding]:
        return [
            *self._leaked.finding(
                WARNING, "rows of the test nearly repeat one of train", "They test memory; take them out of one of them"
            ),
            *self._repeated.finding(WARNING, "nearly repeat an earlier row", "They count twice; keep one of each"),
            *self._not_compared.finding(
                NOTE, "not looked at for near duplicates", f"Only the first {COMPARED:,} rows are compared"
            ),
        ]


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


class _Marks:
    """Which rows show signs of damaged text or hold personal data."""

    def __init__(self) -> None:
        self._damaged = _Places()
        self._personal: dict[str, _Places] = {}

    def add(self, row: _Row) -> None:
        if not row.text.isascii() and (found := _MOJIBAKE.search(row.text)):
            self._damaged.add(f"{row.place}: {found.group()}")
        for kind, shown in personal(row.text).items():
            self._personal.setdefault(kind, _Places()).add(f"{row.place}: {shown}")

    def findings(self) -> list[Finding]:
        read_again = "Read the source again with its own encoding, and save it as UTF-8"
        found = self._damaged.finding(WARNING, "text that was decoded wrongly", read_again)
        for kind, places in self._personal.items():
            remedy = "A model can repeat it word for word; replace it, or make sure that it may be used"
            found += places.finding(WARNING, f"perhaps {kind}", remedy)
        return found
