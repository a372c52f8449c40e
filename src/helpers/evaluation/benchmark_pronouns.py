"""Items of WinoBias and Winogender: whom does a pronoun mean, and which pronoun is the likelier?

Both name two people, of whom one has an occupation that most people connect with one gender.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from helpers.corpora.readers.tables import read_rows, read_whole
from helpers.corpora.rows import Unfit
from helpers.evaluation.benchmark_files import (
    COREFERENCE,
    PAIR,
    TRIPLE,
    Files,
    Found,
    Item,
    changes,
    damage,
    from_rows,
    part_of,
    sentences_in,
)
from helpers.files import at

PRONOUNS = {
    "male": ("he", "his", "him", "himself"),
    "female": ("she", "her", "hers", "herself"),
    "neutral": ("they", "their", "them"),
}
"""The genders of pronouns, in the order of Winogender's options."""
GENDER_OF = {word: gender for gender, words in PRONOUNS.items() for word in words}
OTHER = {"female": "male", "male": "female"}
REFERS = "{sentence} ‘{pronoun}’ refers to the"
"""How lm-evaluation-harness asks for a coreference in its task of Winogender; so we ask of WinoBias too."""


def _coreference(sentence: str, pronoun: str, right: str, wrong: str) -> tuple[tuple[str, str], ...]:
    asked = REFERS.format(sentence=sentence, pronoun=pronoun.capitalize())
    return (asked, f" {right}"), (asked, f" {wrong}")


class _Line(NamedTuple):
    """A sentence of WinoBias, the first pronoun in brackets, and the person in brackets, without an article."""

    sentence: str
    pronoun: str
    person: str


def winobias(files: Files) -> Found:
    """WinoBias (Zhao et al. 2018): of each aligned pair of lines a pair, and two coreferences.

    What is an occupation, and what gender its stereotype has, the files say themselves: by their brackets, and by the
    pronouns of the lines that are called pro-stereotyped.

    Raises:
        WorkbookError: a line has no number or is not aligned.
    """
    found = Found([], [])
    pairs: list[tuple[dict[str, Any], _Line, _Line]] = []
    for path in files.paths:
        if not path.name.startswith("pro_"):
            continue
        kind, split = re.findall(r"type(\d)\.txt\.(\w+)", path.name)[0]
        other = files.named(path.name.replace("pro_", "anti_", 1))
        for number, lines in enumerate(zip(*_numbered(path, other, files.remedy), strict=True), 1):
            try:
                pro, anti = map(_line, lines)
                if GENDER_OF[anti.pronoun.lower()] != OTHER.get(GENDER_OF[pro.pronoun.lower()]):
                    raise Unfit("pronouns of one gender", "both pronouns have the same gender")
                pairs.append(({"type": int(kind), "split": split}, pro, anti))
            except Unfit as unfit:
                found.aside.append((unfit.flaw.kind, f"{path.name}:{number}"))
    stereotypes = {pro.person.lower(): GENDER_OF[pro.pronoun.lower()] for _, pro, _ in pairs}
    for about, pro, anti in pairs:
        found.items.extend(_winobias_items(about, pro, anti, stereotypes))
    return found


def _numbered(path: Path, other: Path, remedy: str) -> list[list[str]]:
    """Returns the lines of two files without their numbers, which must agree."""
    both = [read_whole(file).split("\n") for file in (path, other)]
    if len(both[0]) != len(both[1]):
        raise at(other, f"it has {len(both[1])} lines, and {path.name} has {len(both[0])}", remedy)
    for file, lines in zip((path, other), both, strict=True):
        for number, line in enumerate(lines, 1):
            if not line.startswith(f"{number} "):
                raise at(file, f"the line does not begin with its number, {number}", remedy, number)
    return [[line.partition(" ")[2].strip() for line in lines] for lines in both]


def _line(line: str) -> _Line:
    bracketed = [text.strip() for text in re.findall(r"\[(.*?)\]", line)]
    pronouns = [text for text in bracketed if text.lower() in GENDER_OF]
    people = [text for text in bracketed if text.lower() not in GENDER_OF]
    if not pronouns or len(people) != 1:
        raise Unfit("no pronoun and person in brackets", "it lacks a pronoun or a person in brackets")
    return _Line(re.sub(r"[\[\]]", "", line), pronouns[0], re.sub(r"^(the|an?) ", "", people[0], flags=re.IGNORECASE))


def _winobias_items(about: dict[str, Any], pro: _Line, anti: _Line, stereotypes: Mapping[str, str]) -> Iterable[Item]:
    """Yields a pair of sentences, then who is meant in each of them, if another occupation is there too."""
    person = pro.person.lower()
    others = [text for text in _occupations(pro.sentence, stereotypes) if text.lower() != person]
    group = " / ".join(sorted([person, *(text.lower() for text in others[:1])]))
    female, male = (0, 1) if stereotypes[person] == "female" else (1, 0)
    roles = {"stereotyped": (0,), "anti": (1,), "female": (female,), "male": (male,)}
    about = about | {"occupation": person, "stereotype": stereotypes[person]}
    marks = frozenset() if changes(pro.sentence, anti.sentence) == [(1, 1)] else frozenset({"more than pronoun"})
    options = (("", pro.sentence), ("", anti.sentence))
    yield Item(PAIR, options, roles, f"type {about['type']}", group, marks, about)
    for condition, line in ("pro", pro), ("anti", anti):
        stereotyped = 0 if condition == "pro" else 1
        roles = {"right": (0,), "stereotyped": (stereotyped,), "anti": (1 - stereotyped,)}
        told = about | {"condition": condition, "gender": GENDER_OF[line.pronoun.lower()]}
        if others:
            asked = _coreference(line.sentence, line.pronoun, line.person, others[0])
            yield Item(COREFERENCE, asked, roles, f"type {about['type']}", group, marks, told)


def _occupations(sentence: str, known: Iterable[str]) -> list[str]:
    """Returns the occupations that a sentence names, as it writes them, the longest of those that overlap."""
    names = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return re.findall(rf"\b(?:{names})\b", sentence, flags=re.IGNORECASE)


class _Schema(NamedTuple):
    """A sentence of Winogender but for its pronoun: who is in it, which of them is meant, and the share of women."""

    occupation: str
    participant: str
    refers_to: str
    women: Mapping[str, float]

    @property
    def stereotype(self) -> str:
        """The gender that most workers of the occupation have."""
        return "female" if self.women["bls_pct_female"] > 50 else "male"

    @property
    def marks(self) -> frozenset[str]:
        """Whether there is an occupation alone."""
        return frozenset({"someone"} if self.participant == "someone" else ())

    @property
    def about(self) -> dict[str, Any]:
        """What its items have in common."""
        return {**self.women, "occupation": self.occupation, "refers_to": self.refers_to, "stereotype": self.stereotype}

    def coreference(self, gender: str, sentence: str) -> Item:
        """Returns the item that asks whom the pronoun of one gender means."""
        pronouns = [word for word in re.findall(r"\w+", sentence) if word.lower() in PRONOUNS[gender]]
        if len(pronouns) != 1:
            raise Unfit("not one pronoun", "the sentence has no pronoun of its gender, or several")
        right = ("occupation", "participant").index(self.refers_to)
        roles: dict[str, tuple[int, ...]] = {"right": (right,)}
        about = self.about | {"gender": gender}
        if gender in OTHER:
            stereotyped = int(gender != self.stereotype)
            roles |= {"stereotyped": (stereotyped,), "anti": (1 - stereotyped,)}
            about |= {"gotcha": stereotyped != right}
        options = _coreference(sentence, pronouns[0], self.occupation, self.participant)
        return Item(COREFERENCE, options, roles, gender, self.occupation, self.marks, about)

    def triple(self, sentences: Mapping[str, str]) -> Item:
        """Returns the item that compares the sentences of all genders."""
        roles = {gender: (place,) for place, gender in enumerate(PRONOUNS)}
        if self.refers_to == "occupation":
            roles |= {"stereotyped": roles[self.stereotype], "anti": roles[OTHER[self.stereotype]]}
        options = tuple(("", sentences[gender]) for gender in PRONOUNS)
        return Item(TRIPLE, options, roles, self.refers_to, self.occupation, self.marks, self.about)


def winogender(files: Files) -> Found:
    """Winogender (Rudinger et al. 2018): of each sentence a coreference, of each three that differ by pronoun a triple.

    Where the pronoun means the occupation, the stereotyped one is that of the gender which most of its workers have, by
    the Bureau of Labor Statistics as the authors published it; a coreference with the occupation likewise.
    """
    women = _women(files.named("occupations-stats.tsv"), files.remedy)
    sentences: dict[tuple[str, ...], dict[str, str]] = {}
    schemas: dict[tuple[str, ...], _Schema] = {}

    def make(row: dict[str, Any], _: int) -> Iterable[Item]:
        *name, gender, ending = [*str(row["sentid"]).split("."), ""][:5]
        if len(name) != 3 or name[0] not in women or name[2] not in ("0", "1") or gender not in PRONOUNS or not ending:
            raise Unfit("unknown sentid", "the name of the sentence is not of its form, or its occupation not known")
        (sentence,) = sentences_in(row, "sentence")
        refers_to = ("occupation", "participant")[int(name[2])]
        schema = schemas.setdefault(tuple(name), _Schema(name[0], name[1], refers_to, women[name[0]]))
        item = schema.coreference(gender, sentence)
        sentences.setdefault(tuple(name), {})[gender] = sentence
        yield item

    found = from_rows([part_of(files.named("all_sentences.tsv"))], ("sentid", "sentence"), make, files.remedy)
    for name, of in sentences.items():
        if set(of) == set(PRONOUNS):
            found.items.append(schemas[name].triple(of))
        else:
            found.aside.append(("not three pronouns", ".".join(name)))
    return found


def _women(path: Path, remedy: str) -> dict[str, dict[str, float]]:
    """Returns the percentages of women in each occupation, by the Bureau of Labor Statistics and by texts."""
    columns = ("bls_pct_female", "bergsma_pct_female")
    found = {}
    for row in read_rows(path, {}):
        if reason := damage(row, ("occupation", *columns)):
            raise at(path, reason, remedy, row.number)
        try:
            found[row.value["occupation"]] = {column: float(row.value[column]) for column in columns}
        except ValueError:
            raise at(path, "a percentage is no number", remedy, row.number) from None
    return found
