"""What is an item of a benchmark? The published files of each, read as they are, and made one form.

`benchmarks.BENCHMARKS` is the table from a benchmark's name to what here makes items of its files. A file that is
missing or damaged is an error that names its line; a row that cannot be an item is set aside and counted by reason. No
message quotes a sentence, since many of them are harmful. No text is altered but for what its authors wrote around it:
numbers and brackets in WinoBias.

Left out: StereoSet, WinoBias and Winogender in the forms of the Hub, which are others than their authors'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.corpora.readers.content import look
from helpers.corpora.readers.tables import as_text, read_rows
from helpers.corpora.report import Source
from helpers.corpora.rows import Part, Row, Unfit
from helpers.files import WorkbookError, at, read_json

PAIR, TRIPLE, QUESTION, COREFERENCE = "pair", "triple", "question", "coreference"
"""Forms of items: whole sentences of which one is the likelier; answers to a question; whom a pronoun refers to."""


@dataclass(frozen=True)
class Item:
    """One item of a benchmark: options, of which a model gives each a likelihood.

    Attributes:
        form: `PAIR`, `TRIPLE`, `QUESTION` or `COREFERENCE`; a benchmark can have items of two forms.
        options: what is given and its continuation, which is scored, as `scoring.encode_requests` wants them.
        roles: which options are `stereotyped`, `anti` (its counterpart), `unrelated`, `unknown`, `right`, `female`,
            `male`, `neutral`; a role that no option has is left out, and an option can have several.
        category: what kind of bias, or of grammar.
        group: what it was sampled with, the unit of the interval.
        marks: what speaks against comparing its options.
        about: what else its authors say of it.
    """

    form: str
    options: tuple[tuple[str, str], ...]
    roles: Mapping[str, tuple[int, ...]]
    category: str
    group: str
    marks: frozenset[str] = frozenset()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        """Each option as one text, without blanks around it."""
        return [(given + continuation).strip() for given, continuation in self.options]

    def has(self, role: str) -> np.ndarray:
        """Returns which options have a role, (options,)."""
        return np.isin(np.arange(len(self.options)), self.roles.get(role, ()))


class Found(NamedTuple):
    """What was read: items, and of each row that was set aside why, and where it is."""

    items: list[Item]
    aside: list[tuple[str, str]]


class Files(NamedTuple):
    """Files of a benchmark, and what to do if one is not as published."""

    paths: list[Path]
    remedy: str

    def named(self, name: str) -> Path:
        """Returns the path of a file, which is there."""
        return next(path for path in self.paths if path.name == name)

    def parts(self) -> list[Part]:
        """Returns the files as tables of rows."""
        return [part_of(path) for path in self.paths]


def part_of(path: Path) -> Part:
    """Returns a file as a table, to be read as rows."""
    return Part(path.name, None, lambda: read_rows(path, {}), f"{path}, line {{}}".format, Source(path.name))


Make = Callable[[dict[str, Any], int], Iterable[Item]]
"""Makes items of a row and its number; raises `Unfit` if it cannot."""


def from_rows(parts: Iterable[Part], columns: Sequence[str], make: Make, remedy: str) -> Found:
    """Makes items of the rows of tables.

    Raises:
        WorkbookError: a row is damaged, or lacks a column.
    """
    found = Found([], [])
    for part in parts:
        for row in part.rows():
            if reason := damage(row, columns):
                raise WorkbookError(f"{part.where(row.number)}: {reason}. {remedy}")
            try:
                found.items.extend(make(row.value, row.number))
            except Unfit as unfit:
                found.aside.append((unfit.flaw.kind, f"{part.name}:{row.number}"))
            except (AttributeError, KeyError, TypeError):
                raise WorkbookError(f"{part.where(row.number)}: the row is not of its form. {remedy}") from None
    return found


def damage(row: Row, columns: Sequence[str]) -> str:
    """Returns what is wrong with a row, if something is, without quoting it."""
    if row.flaw:
        return row.flaw.kind
    if not isinstance(row.value, dict):
        return "it is no table with columns"
    absent = [column for column in columns if column not in row.value]
    return f"there is no column {absent[0]!r}" if absent else ""


def sentences_in(row: Mapping[str, Any], *columns: str) -> list[str]:
    """Returns the texts of some columns, none of them empty and no two alike."""
    texts = [as_text(row[column], column) for column in columns]
    if not all(text.strip() for text in texts):
        raise Unfit("empty sentence", "a sentence is empty")
    if len(set(texts)) < len(texts):
        raise Unfit("sentences alike", "two options are the same")
    return texts


def changes(one: str, other: str) -> list[tuple[int, int]]:
    """Returns of each span of words that two sentences do not share how many words it has in each."""
    blocks = SequenceMatcher(None, one.split(), other.split(), autojunk=False).get_opcodes()
    return [(b - a, d - c) for what, a, b, c, d in blocks if what != "equal"]


def crows_pairs(row: dict[str, Any], _: int) -> Iterable[Item]:
    """CrowS-Pairs (Nangia et al. 2020): `sent_more` is the more stereotyped sentence, in either direction."""
    more, less = sentences_in(row, "sent_more", "sent_less")
    if row["stereo_antistereo"] not in ("stereo", "antistereo"):
        raise Unfit("unknown direction", "stereo_antistereo is neither")
    marks = {"unequal words"} if len(more.split()) != len(less.split()) else set()
    marks |= {"several spans"} if len(changes(more, less)) > 1 else set()
    about = {"direction": row["stereo_antistereo"]}
    roles = {"stereotyped": (0,), "anti": (1,)}
    options = (("", more), ("", less))
    yield Item(PAIR, options, roles, str(row["bias_type"]), str(row["anon_writer"]), frozenset(marks), about)


def blimp(row: dict[str, Any], number: int) -> Iterable[Item]:
    """BLiMP (Warstadt et al. 2020); a blank before each sentence, as lm-evaluation-harness has it."""
    good, bad = sentences_in(row, "sentence_good", "sentence_bad")
    about = {"paradigm": row["UID"], "field": row["field"]}
    options = (("", f" {good}"), ("", f" {bad}"))
    yield Item(PAIR, options, {"right": (0,)}, str(row["linguistics_term"]), f"{row['UID']} {number}", about=about)


UNKNOWN = (
    "Unknown",
    "Cannot answer",
    "Can't be determined",
    "Cannot be determined",
    "Can't answer",
    "Not known",
    "Not enough info",
    "Not enough information",
    "Not answerable",
    "Undetermined",
)
"""How BBQ's answers say that a context does not tell; all are offered, as lm-evaluation-harness does."""

BBQ_COLUMNS = (
    *("context", "question", "ans0", "ans1", "ans2", "label", "answer_info", "additional_metadata"),
    *("category", "question_index", "question_polarity", "context_condition"),
)
GENDERS = {"woman": "f", "girl": "f", "man": "m", "boy": "m"}
TWO_GROUPS = re.compile(r"(m|f|lowses|highses)[-_](.+)")
STATUS = {"lowses": "low ses", "highses": "high ses"}


def bbq(row: dict[str, Any], _: int) -> Iterable[Item]:
    """BBQ (Parrish et al. 2022): two people and ten ways to say that it is unknown, asked as the harness does.

    The biased answer is the stereotyped group where the question is negative, the other one where it is not.
    """
    answers = [as_text(row[name], name) for name in ("ans0", "ans1", "ans2")]
    people = [place for place in range(3) if answers[place] not in UNKNOWN]
    if len(people) != 2 or row["label"] not in range(3):
        raise Unfit("not two people and one unknown", "an answer or the label is not as published")
    about = row["additional_metadata"]
    groups = {group.lower() for group in about["stereotyped_groups"]}
    stereotyped = [bool(_group_words(row["answer_info"][f"ans{place}"]) & groups) for place in people]
    if sum(stereotyped) != 1:
        raise Unfit("not exactly one biased answer", "the metadata name both people, or neither")
    biased = stereotyped.index(row["question_polarity"] == "neg")
    unknown = tuple(range(2, 2 + len(UNKNOWN)))
    right = unknown if row["label"] not in people else (people.index(row["label"]),)
    roles = {"right": right, "stereotyped": (biased,), "anti": (1 - biased,), "unknown": unknown}
    asked = f"{row['context']}\n\nQ: {row['question']}\nA:"
    options = tuple((asked, f" {answer}") for answer in (*(answers[place] for place in people), *UNKNOWN))
    described = {
        "condition": {"ambig": "ambiguous"}.get(row["context_condition"], "disambiguated"),
        "polarity": row["question_polarity"],
        "subcategory": about.get("subcategory"),
    }
    yield Item(QUESTION, options, roles, row["category"], f"{row['category']} {row['question_index']}", about=described)


def _group_words(info: Sequence[str]) -> set[str]:
    """Returns what BBQ's `answer_info` calls an answer's groups: `M-Black` is `m` and `black`; `lowSES`, `low ses`."""
    names = {text.lower() for text in info}
    names |= {part for name in names if (two := TWO_GROUPS.fullmatch(name)) for part in two.groups()}
    names |= {STATUS[name] for name in names if name in STATUS}
    return names | {gender for name in names for word, gender in GENDERS.items() if word in name.split()}


STEREOSET_ROLES = {"stereotype": "stereotyped", "anti-stereotype": "anti", "unrelated": "unrelated"}


def stereoset(files: Files) -> Found:
    """StereoSet's development set (Nadeem et al. 2021): sentences alone, and sentences after a context.

    Raises:
        WorkbookError: the file is not of its form.
    """
    path = files.named("dev.json")
    look(path)
    value = read_json(path, files.remedy)
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict) or not all(isinstance(data.get(task), list) for task in STEREOSET_TASKS):
        raise at(path, f"there are no lists {' and '.join(STEREOSET_TASKS)} under 'data'", files.remedy)
    found = Found([], [])
    for task in STEREOSET_TASKS:
        rows = [Row(row, number) for number, row in enumerate(data[task], 1)]
        part = Part(task, None, rows.__iter__, f"{path}, {task} {{}}".format, Source(task))
        columns = ("id", "target", "bias_type", "context", "sentences")
        read = from_rows([part], columns, partial(_triple, task), files.remedy)
        found.items.extend(read.items)
        found.aside.extend(read.aside)
    return found


STEREOSET_TASKS = ("intrasentence", "intersentence")


def _triple(task: str, row: dict[str, Any], _: int) -> Iterable[Item]:
    sentences = {STEREOSET_ROLES.get(of["gold_label"], ""): of["sentence"] for of in row["sentences"]}
    if sorted(sentences) != sorted(STEREOSET_ROLES.values()) or len(row["sentences"]) != len(sentences):
        raise Unfit("not one sentence of each label", "a label is missing or there twice")
    texts = sentences_in(sentences, *STEREOSET_ROLES.values())
    context = row["context"] if row["context"].rstrip()[-1:] in tuple(".!?") else f"{row['context'].rstrip()}."
    options = tuple((context, f" {text}") if task == "intersentence" else ("", text) for text in texts)
    roles = {role: (place,) for place, role in enumerate(STEREOSET_ROLES.values())}
    about = {"task": task, "target": row["target"]}
    yield Item(TRIPLE, options, roles, row["bias_type"], row["target"], about=about)
