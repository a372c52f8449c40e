"""What is there to read? Plain texts, one a row: no labels, no turns, only text to pretrain on.

Removed are empty texts and those that repeat an earlier one word for word. Splits that files, or the Hub, are named for
are kept. Otherwise documents are divided by a hash: those of one text file together if there are several files, each
for itself if not.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from helpers.corpora.kinds.loading import Document, Kind
from helpers.corpora.readers.tables import text_in
from helpers.corpora.rows import Flaw, Part


class Texts(Kind):
    """Texts, from one column of a table or bare; columns `text` and `group`, which is the file or the row."""

    name = "text"
    settles: ClassVar[bool] = False

    def __init__(self, column: str = "text") -> None:
        self.columns = {"column": column}
        self._seen: set[bytes] = set()

    def parse(self, value: Any, place: str, part: Part) -> Document:
        """See `Kind`."""
        text = text_in(value, self.columns["column"])
        return {"text": text, "group": part.name if part.together else place, "split": part.split}

    def add(self, document: Document) -> Flaw | None:
        """See `Kind`."""
        text = document["text"]
        seen = hashlib.sha256(text.encode()).digest()[:16]
        if not text.strip():
            return Flaw("empty", "there is no text", "Nothing: there is nothing to read")
        if seen in self._seen:
            return Flaw("repeated word for word", "an earlier text is the same", "Nothing: one is kept")
        self._seen.add(seen)
        return None
