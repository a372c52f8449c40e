"""What has been written? Regular documents, whose probability is known, and what is planted among them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from helpers import files
from helpers.corpora.corpus import SPLITS, Corpus, cached
from helpers.corpora.report import Report, Source
from helpers.corpora.town.contract import DOSES, Contract, make_contract
from helpers.corpora.town.grammar import Grammar, Sampler, separator
from helpers.corpora.town.lexicon import OCCUPATIONS
from helpers.corpora.town.world import Fact, World, make_world, shuffled
from helpers.files import WorkbookError
from helpers.imports import code_version

SMALLER = 10
"""Validation and test have each a tenth of the bytes of the training split."""


@dataclass(frozen=True)
class Document:
    """One text of the chronicle.

    Attributes:
        people: names of the people it is about; nobody, where the person has no name.
        facts: what it states, true or false; a `visitor` and the facts about one belong to no world.
        log2_probability: of being drawn as a regular document; None for planted ones.
    """

    text: str
    kind: str
    people: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    log2_probability: float | None = None


@dataclass(frozen=True)
class Chronicle:
    """A corpus about a town: documents in reading order."""

    documents: tuple[Document, ...]

    @property
    def fingerprint(self) -> str:
        """Of all texts, in order."""
        return files.fingerprint(document.text for document in self.documents)

    def exposures(self) -> Counter[tuple[str, str]]:
        """Counts how often something is stated, by person and relation."""
        return Counter((fact.person, fact.relation) for document in self.documents for fact in document.facts)


def write_chronicle(
    world: World,
    bytes_wanted: int,
    seed: int,
    *,
    split: str = "train",
    noise: float = 0.0,
    duplication: int = 1,
    doses: Mapping[str, float] = DOSES,
    contract: bool = True,
) -> Chronicle:
    """Writes a chronicle of the town, its documents in random order.

    Args:
        bytes_wanted: its size in UTF-8 bytes, planted documents and repetitions included; the last document is whole.
        split: `train`, `validation` or `test`. What the contract plants goes into `train`.
        noise: probability that a fact is stated wrongly: with another value of its relation, all equally likely.
        duplication: how often each regular document occurs.
        doses: by occupation, the probability that an unnamed worker is `she`; one half where absent.
        contract: whether to keep what `contract` promises; without, every fact is stated and everybody asked about.

    Raises:
        WorkbookError: an argument is out of its range, or what is planted leaves no room.
    """
    _check(split, noise, duplication, doses)
    promised = make_contract(world) if contract else None
    grammar = Grammar(world, noise, doses, promised)
    planted = _planted(grammar, promised, seed) if promised and split == "train" else []
    size = sum(len(document.text.encode()) for document in planted)
    if size >= bytes_wanted:
        raise WorkbookError(f"bytes_wanted={bytes_wanted}: the contract alone plants {size}; ask for more than that.")
    sampler = Sampler(f"chronicle {split} {seed}")
    documents = planted
    while size < bytes_wanted:
        document = _regular(grammar, sampler)
        documents += [document] * duplication
        size += len(document.text.encode()) * duplication
    return Chronicle(tuple(shuffled(documents, random.Random(f"order {split} {seed}").random)))


def _check(split: str, noise: float, duplication: int, doses: Mapping[str, float]) -> None:
    if split not in SPLITS:
        raise WorkbookError(f"split {split!r} is unknown. Known: {', '.join(SPLITS)}.")
    if not 0 <= noise <= 1:
        raise WorkbookError(f"noise={noise} must be a probability, from 0 to 1.")
    if duplication < 1:
        raise WorkbookError(f"duplication={duplication} must be 1 or more.")
    for occupation, dose in doses.items():
        if occupation not in OCCUPATIONS or not 0 <= dose <= 1:
            known = ", ".join(OCCUPATIONS)
            raise WorkbookError(f"doses: {occupation!r}: {dose} must be a probability, by one of: {known}.")


def _regular(grammar: Grammar, sampler: Sampler) -> Document:
    sampler.log2_probability = 0.0
    kind, pieces = grammar.document(sampler)
    texts, people, facts = zip(*pieces, strict=True)
    names = dict.fromkeys(chain(*people))
    return Document(separator(kind).join(texts), kind, tuple(names), tuple(chain(*facts)), sampler.log2_probability)


def _planted(grammar: Grammar, contract: Contract, seed: int) -> list[Document]:
    """Writes each planted sentence and each canary as a document of its own; planted facts are always true."""
    sampler = Sampler(f"planted {seed}")
    documents = []
    for (name, relation), times in contract.exposures().items():
        fact = Fact(name, relation, grammar.people[name].facts[relation])
        kind = "ladder" if (name, relation) in contract.ladder else "direction"
        for _ in range(times):
            piece = grammar.sentence(sampler, grammar.voices[name][0], fact)
            documents.append(Document(piece.text, kind, piece.people, piece.facts))
    for canary in contract.canaries:
        documents += [Document(canary.text, "canary")] * canary.count
    return documents


def load_town(people: int, town_bytes: int, seed: int) -> Corpus:
    """Loads the chronicle of a town, whose training split has so many bytes; written first if it is not in the cache.

    Returns:
        The corpus; columns `text`, `group` (the person whom the document is about first; the document itself where it
        is about nobody with a name), `kind` and `log2_probability` (None where the base-run contract planted it).

    Raises:
        WorkbookError: the size is out of the town's range.
    """
    import pyarrow as pa

    columns = [*((name, pa.string()) for name in ("text", "group", "kind")), ("log2_probability", pa.float64())]

    def make(report: Report) -> Iterator[dict[str, Any]]:
        world = make_world(people, seed)
        for split in SPLITS:
            size = town_bytes if split == "train" else town_bytes // SMALLER
            chronicle = write_chronicle(world, size, seed, split=split)
            report.sources.append(Source(f"town, {split}", "", "own work", len(chronicle.documents)))
            for number, document in enumerate(chronicle.documents):
                group = document.people[0] if document.people else f"{document.kind} {split} {number}"
                known = {"kind": document.kind, "log2_probability": document.log2_probability}
                yield {"text": document.text, "group": group, "split": split, **known}

    key = [str(people), str(town_bytes), str(seed), code_version(__name__)]
    return cached("town", key, pa.schema(columns), make)
