"""How likely is this text? Choices that add up their cost, and the search for every way to have made them.

A grammar is a plain function that makes choices through the `Choices` it is given and yields pieces of text. Run
with a `Sampler`, it writes; run by `explore`, it reads: every choice is tried, and a try is given up as soon as what it
wrote is not the beginning of the text. The reader knows nothing of what the writer chose.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
Script = Callable[["Choices"], Iterable[str]]


class Choices:
    """Makes choices and adds up their log2 probability."""

    log2_probability: float = 0.0

    def choose(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Returns one of the options, by weights that sum to one; without, all are equally likely."""
        raise NotImplementedError

    def mention(self, options: Sequence[T], shown: Callable[[T], str] = str) -> T:
        """Returns one of the options, all equally likely, under a promise that spares the reader hopeless tries.

        Args:
            options: at least one.
            shown: gives for an option what the text will hold, letter by letter, if it is taken.
        """
        return self.choose(options)

    def chance(self, probability: float) -> bool:
        """Returns True with the probability."""
        return self.choose((True, False), (probability, 1.0 - probability))


class Sampler(Choices):
    """Chooses at random; the same seed, a text, gives the same choices on every machine."""

    def __init__(self, seed: str) -> None:
        self.draw = random.Random(seed).random

    def choose(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """See `Choices.choose`."""
        point = self.draw()
        if weights is None:
            self.log2_probability -= math.log2(len(options))
            return options[int(point * len(options))]
        index = 0
        while point >= weights[index] and index < len(options) - 1:
            point -= weights[index]
            index += 1
        self.log2_probability += math.log2(weights[index])
        return options[index]


class DeadEnd(Exception):
    """None of the options can be in the text that is being read."""


class Trail(Choices):
    """Repeats the choices of a path, then takes first options, and notes the paths that it did not take.

    Args:
        path: the indices of the options to take first.
        text: what is being read; a mention that it does not hold is not tried. None where anything may be written.
    """

    def __init__(self, path: tuple[int, ...], text: str | None) -> None:
        self._path, self._text, self._depth = path, text, 0
        self.untried: list[tuple[int, ...]] = []

    def choose(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """See `Choices.choose`."""
        index = self._follow(len(options), lambda i: weights is None or weights[i] > 0)
        self.log2_probability += math.log2(weights[index] if weights else 1 / len(options))
        return options[index]

    def mention(self, options: Sequence[T], shown: Callable[[T], str] = str) -> T:
        """See `Choices.mention`."""
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
