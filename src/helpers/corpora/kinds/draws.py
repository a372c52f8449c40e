"""How is a task drawn? Labelled texts, equally many of each class where there are so many."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from helpers.corpora.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np


class Sample(NamedTuple):
    """Some labelled texts.

    Attributes:
        classes: of each, the place of its label among the task's, (texts,).
        groups: of each, what it was sampled with.
    """

    texts: list[str]
    classes: np.ndarray
    groups: list[str]

    def first(self, count: int) -> Sample:
        """Returns the first so many."""
        return Sample(self.texts[:count], self.classes[:count], self.groups[:count])


@dataclass(frozen=True)
class LabelTask:
    """A corpus of kind `labels`, with splits `train` and `test`, under a name."""

    name: str
    corpus: Corpus

    @cached_property
    def labels(self) -> list[str]:
        """The classes, in alphabetical order."""
        return sorted(set(self.corpus.splits["train"]["label"][:]))

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / len(self.labels)

    def sizes(self, wanted: Sequence[int]) -> list[int]:
        """Returns those of the numbers of labels for which there are texts, each at least one of each class.

        If there are too few texts for any, it is the number of all that there are.
        """
        of_class = Counter(self.corpus.splits["train"]["label"][:])
        most = min(of_class.values()) * len(of_class)
        return sorted({max(size, len(of_class)) for size in wanted if size <= most}) or [most]

    def sample(self, split: str, count: int, seed: int) -> Sample:
        """Draws at most so many texts of a split, the classes in turn; a smaller draw is the beginning of a larger.

        Of a class that has fewer there are fewer: in a test, one rare class takes no texts from the others.
        """
        import numpy as np

        part, labels = self.corpus.splits[split], self.labels
        order = random.Random(f"{split} {seed}").sample(range(len(part)), len(part))
        named = part["label"][:]  # read at once: row by row, a column of datasets takes a second
        of_class = [[place for place in order if named[place] == label] for label in labels]
        each = max(1, count // len(labels))
        turns = range(min(each, *map(len, of_class)) if split == "train" else each)
        chosen = part.select([of[turn] for turn in turns for of in of_class if turn < len(of)])
        classes = np.array([labels.index(label) for label in chosen["label"]])
        return Sample(list(chosen["text"]), classes, list(chosen["group"]))
