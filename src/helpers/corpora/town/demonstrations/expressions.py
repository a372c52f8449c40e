"""A line of Python for a request in words. An answer is right if it has the right value, however it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from helpers.corpora.town.demonstrations.draft import TEST, Draft, worded
from helpers.corpora.town.grammar import Grammar, Sampler

FIRST_STEPS: Mapping[str, tuple[str, Callable[[int, int], int]]] = {
    "the sum of {a} and {b}": ("{a} + {b}", lambda a, b: a + b),
    "{a} and {b} together": ("{a} + {b}", lambda a, b: a + b),
    "{a} less {b}": ("{a} - {b}", lambda a, b: a - b),
    "the product of {a} and {b}": ("{a} * {b}", lambda a, b: a * b),
    "the larger of {a} and {b}": ("max({a}, {b})", max),
    "the smaller of {a} and {b}": ("min({a}, {b})", min),
}
"""What is done to two numbers: by its words, the expression and its value."""

SECOND_STEPS: Mapping[str, tuple[str, Callable[[int, int], int]]] = {
    "{first}": ("{first}", lambda value, c: value),
    "{first}, then plus {c}": ("({first}) + {c}", lambda value, c: value + c),
    "{first}, then less {c}": ("({first}) - {c}", lambda value, c: value - c),
    "{first}, then times {c}": ("({first}) * {c}", lambda value, c: value * c),
    "{first}, then squared": ("({first}) ** 2", lambda value, c: value**2),
}
"""What is done to the result, perhaps with a third number."""


def lines(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields requests for an expression of two or three numbers."""
    while True:
        words, then = sampler.choose(tuple(FIRST_STEPS)), sampler.choose(tuple(SECOND_STEPS))
        a, b, c = sampler.choose(range(10, 100)), sampler.choose(range(10, 100)), sampler.choose(range(2, 10))
        if ((a + b) % 5 == 0) != (split == TEST):  # numbers that are together in the test are not in training
            continue
        (expression, value), (outer, further) = FIRST_STEPS[words], SECOND_STEPS[then]
        inner = expression.format(a=a, b=b)
        if "(" in inner:  # a call needs no parentheses around it
            outer = outer.replace("({first})", "{first}")
        text = outer.format(first=inner, c=c)
        prompt = worded(sampler, "expressions", split, words=then.format(first=words.format(a=a, b=b), c=c))
        yield Draft("expressions", [(prompt, text)], f"{words}, {then}", {"value": further(value(a, b), c)})
