"""What is there to read? Plain texts, one a row: no labels, no turns, only text to pretrain on.

Removed are empty texts and those that repeat an earlier one word for word. Splits that files, or the Hub, are named for
are kept. Otherwise documents are divided by a hash: those of one text file together if there are several files, each
for itself if not.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from helpers.corpora.corpus import ENOUGH, SPLITS, Corpus
from helpers.corpora.kinds.loading import Document, Kind, is_visible, named_split
from helpers.corpora.readers.tables import PIECE, text_in
from helpers.corpora.rows import Flaw, Part

FEWEST = 2
"""Documents that must be held out for validation and for test: of one there is no interval."""


def too_little(corpus: Corpus) -> str:
    """Returns why chapter 01 cannot read a corpus, and how much it needs; empty if it can."""
    held = {split: len(corpus.splits[split].unique("group")) for split in SPLITS[1:] if split in corpus.splits}
    if min(held.get(split, 0) for split in SPLITS[1:]) >= FEWEST:
        return ""
    counts = " and ".join(f"{held.get(split, 0)} for {split}" for split in SPLITS[1:])
    return (
        f"too little for chapter 01, which holds out {FEWEST} documents each for validation and test (here {counts}): "
        f"{ENOUGH} documents will do, or {2 * PIECE * ENOUGH:,} characters of plain text"
    )


class Texts(Kind):
    """Texts, from one column of a table or bare; columns `text` and `group`, which is the file or the row."""

    name = "text"
    settles: ClassVar[bool] = False

    def __init__(self, column: str = "text") -> None:
        self.columns = {"column": column}
        self._seen: set[bytes] = set()
        self._place, self._pieces = "", 0

    def parse(self, value: Any, place: str, part: Part) -> Document:
        """See `Kind`."""
        text = text_in(value, self.columns["column"])
        split = named_split(value, self.columns) or part.split
        self._pieces = self._pieces + 1 if place == self._place else 0
        self._place = place  # of a long line there are several pieces, each a group
        group = f"{place}+{self._pieces}" if self._pieces else place
        return {"text": text, "group": part.name if part.together else group, "split": split}

    def add(self, document: Document) -> Flaw | None:
        """See `Kind`."""
        text = document["text"]
        seen = hashlib.sha256(text.encode()).digest()[:16]
        if not is_visible(text):
            return Flaw("empty", "there is no text", "Nothing: there is nothing to read")
        if seen in self._seen:
            return Flaw("repeated word for word", "an earlier text is the same", "Nothing: one is kept")
        self._seen.add(seen)
        return None
