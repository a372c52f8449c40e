"""How likely is this text? Choices that add up their cost.

A grammar is a plain function that makes choices through the `Sampler` it is given and yields pieces of text. The tests
read by the same grammar: they try every choice, and give up as soon as what it wrote is not the beginning of the text.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Sampler:
    """Makes choices at random and adds up their log2 probability.

    The same seed, a text, gives the same choices on every machine.
    """

    def __init__(self, seed: str) -> None:
        self.draw = random.Random(seed).random
        self.log2_probability = 0.0

    def choose(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Returns one of the options, by weights that sum to one; without, all are equally likely."""
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

    def mention(self, options: Sequence[T], shown: Callable[[T], str] = str) -> T:
        """Returns one of the options, all equally likely.

        If one is taken, the text holds, letter by letter, what `shown` gives for it. That spares whoever reads the text
        hopeless tries.
        """
        return self.choose(options)

    def chance(self, probability: float) -> bool:
        """Returns True with the probability."""
        return self.choose((True, False), (probability, 1.0 - probability))
