"""Which documents say again what another has said? Exact repeats by hash, near ones by MinHash and a check.

Two documents are near duplicates if the sets of their shingles, runs of five words, have a Jaccard similarity
(common shingles over all shingles; Broder 1997, 'On the resemblance and containment of documents') of at least
`THRESHOLD`. Comparing all pairs is out of the question, so MinHash signatures, cut into bands, propose the pairs
(Leskovec, Rajaraman and Ullman, 'Mining of Massive Datasets', section 3.4), and the exact similarity decides. With 32
bands of 4 rows, a pair at the threshold is missed with probability (1 - 0.7⁴)³² = 0.0002; the more alike, the less.

The signatures are seeded and depend neither on the platform nor on the order of the shingles (tested on known values).
"""

from __future__ import annotations

import re

from helpers.corpora.report import Report, shorten

THRESHOLD = 0.7
SHINGLE = 5
BANDS = 32
ROWS = 4
SEED = 1

MIN_WORDS = 6

_WORD = re.compile(r"\w+")


def shingles(text: str) -> set[str]:
    """Returns the runs of five words, lower-cased, without punctuation; a shorter text is one shingle."""
    words = _WORD.findall(text.lower())
    runs = zip(*(words[i:] for i in range(SHINGLE)), strict=False)
    return set(map(" ".join, runs)) or {" ".join(words)}


def similarity(a: set[str], b: set[str]) -> float:
    """Returns the Jaccard similarity of two sets of shingles."""
    return len(a & b) / len(a | b)


class Unique:
    """Takes documents one by one and keeps what is new in them: the first to say a thing keeps it."""

    def __init__(self) -> None:
        from rensa import RMinHashLSH

        self._index = RMinHashLSH(threshold=THRESHOLD, num_perm=BANDS * ROWS, num_bands=BANDS)
        self._kept: list[tuple[str, str]] = []  # label and text
        self._units: set[str] = set()

    def add(self, label: str, units: list[str], report: Report) -> str | None:
        """Keeps a document, without the units that a document kept before has, unless what is left nearly repeats one.

        Args:
            units: its paragraphs, which are compared word for word.

        Returns:
            Its new units, separated by blank lines; None if nothing is kept.
        """
        new = []
        for unit in dict.fromkeys(units):
            if unit in self._units:
                report.remove("repeated word for word", unit, f"{label}: {shorten(unit)}")
            else:
                new.append(unit)
        text = "\n\n".join(new)
        if len(text.split()) < MIN_WORDS:
            if text:
                report.remove(f"less than {MIN_WORDS} words", text, f"{label}: {shorten(text)}")
            return None
        if twin := self._twin(text):
            report.remove("nearly repeated", text, f"{label} repeats {twin}: {shorten(text)}")
            return None
        self._units.update(new)
        self._kept.append((label, text))
        return text

    def _twin(self, text: str) -> str | None:
        """Returns the label of the most similar document kept so far; indexes the text if none is similar enough."""
        from rensa import RMinHash

        mine = shingles(text)
        sketch = RMinHash(num_perm=BANDS * ROWS, seed=SEED)
        sketch.update(list(mine))
        alike = [(similarity(mine, shingles(self._kept[key][1])), -key) for key in self._index.query(sketch)]
        best, key = max(alike, default=(0.0, 0))
        if best >= THRESHOLD:
            return self._kept[-key][0]
        self._index.insert(len(self._kept), sketch)
        return None
