"""The town's grammar as a reader: the search for every way to have made the choices that a text shows.

The reader knows nothing of what the writer chose.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from helpers.corpora.town.grammar import Grammar, Sampler, separator

T = TypeVar("T")
PLANTED = ("ladder", "direction", "canary")
"""The kinds of documents that the contract adds to the training split."""

Script = Callable[[Sampler], Iterable[str]]


class DeadEnd(Exception):
    """None of the options can be in the text that is being read."""


class Trail(Sampler):
    """Repeats the choices of a path, then takes first options, and notes the paths that it did not take.

    Args:
        path: the indices of the options to take first.
        text: what is being read; a mention that it does not hold is not tried. None where anything may be written.
    """

    def __init__(self, path: tuple[int, ...], text: str | None) -> None:
        super().__init__("nothing is drawn")
        self._path, self._text, self._depth = path, text, 0
        self.untried: list[tuple[int, ...]] = []

    def choose(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        index = self._follow(len(options), lambda i: weights is None or weights[i] > 0)
        self.log2_probability += math.log2(weights[index] if weights else 1 / len(options))
        return options[index]

    def mention(self, options: Sequence[T], shown: Callable[[T], str] = str) -> T:
        text = self._text
        index = self._follow(len(options), lambda i: text is None or shown(options[i]) in text)
        self.log2_probability -= math.log2(len(options))
        return options[index]

    def _follow(self, count: int, possible: Callable[[int], bool]) -> int:
        if self._depth == len(self._path):
            candidates = [index for index in range(count) if possible(index)]
            if not candidates:
                raise DeadEnd
            self.untried += [(*self._path, index) for index in candidates[1:]]
            self._path += (candidates[0],)
        self._depth += 1
        return self._path[self._depth - 1]


def explore(script: Script, text: str | None = None) -> Iterator[tuple[str, float]]:
    """Yields every derivation of a text, or, without one, of every text that the script can write.

    Yields:
        A text and the log2 probability of one way to write it.
    """
    todo: list[tuple[int, ...]] = [()]
    while todo:
        trail = Trail(todo.pop(), text)
        written = ""
        try:
            for piece in script(trail):
                written += piece
                if text is not None and not text.startswith(written):
                    break
            else:
                if text is None or written == text:
                    yield written, trail.log2_probability
        except DeadEnd:
            pass
        todo += trail.untried


def derivations(text: str, grammar: Grammar) -> list[float]:
    """Reads a document: returns the log2 probability of each way in which the grammar writes it; there should be one.

    The grammar has the same world, noise, doses and contract as the one that wrote it.
    """

    def script(choose: Sampler) -> Iterator[str]:
        kind, pieces = grammar.document(choose)
        for i, piece in enumerate(pieces):
            yield separator(kind) + piece.text if i else piece.text

    return [log2_probability for _, log2_probability in explore(script, text)]
