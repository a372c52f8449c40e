"""The chronicle of the simulated town (`helpers.corpora.town`) as a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helpers.corpora import town
from helpers.corpora.corpus import SPLITS, Corpus, cached
from helpers.corpora.report import Report, Source
from helpers.imports import code_version

SMALLER = 10
"""Validation and test have each a tenth of the bytes of the training split."""


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
        world = town.make_world(people, seed)
        for split in SPLITS:
            size = town_bytes if split == "train" else town_bytes // SMALLER
            chronicle = town.write_chronicle(world, size, seed, split=split)
            report.sources.append(Source(f"town, {split}", "", "own work", len(chronicle.documents)))
            for number, document in enumerate(chronicle.documents):
                group = document.people[0] if document.people else f"{document.kind} {split} {number}"
                known = {"kind": document.kind, "log2_probability": document.log2_probability}
                yield {"text": document.text, "group": group, "split": split, **known}

    key = [str(people), str(town_bytes), str(seed), code_version(__name__)]
    return cached("town", key, pa.schema(columns), make)
