"""Is an answer right? Word by word, or by rules that stand beside a question, as data and never as code.

| rule | an answer keeps it if |
|---|---|
| `contains`: a list of texts | it holds each of them |
| `lacks`: a list of texts | it holds none of them |
| `begins`, `ends`: a text | it begins, or ends, with it |
| `sentences`: a number | it has so many full stops |
| `most_words`: a number | it has no more words |
| `value`: a number | it is an expression of that value (`value_of`) |

All rules must be kept, case and all. Without any, an answer is right if it is the demonstrated one. Blanks at its ends
do not count, and an empty answer is never right under rules.
"""

from __future__ import annotations

import ast
import json
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from helpers.corpora.rows import Flaw
from helpers.files import WorkbookError

LONGEST, LARGEST, HIGHEST = 200, 10**12, 8
"""Of an expression: characters that are looked at, and the largest number and power that are computed."""

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv},
    **{ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow},
}
_CALLS: Mapping[str, Callable[..., Any]] = {"max": max, "min": min, "abs": abs}


def right(answer: str, demonstrated: str, check: str = "") -> bool:
    """Says whether an answer is right: by rules, the JSON of an object, or as the demonstrated one.

    Raises:
        WorkbookError: a rule is unknown, or what it asks for is of the wrong kind.
    """
    rules = json.loads(check) if check else {}
    if not rules:
        return answer.strip() == demonstrated.strip()
    if flaw := _flaw_of_rules(rules):
        raise WorkbookError(f"{flaw.reason}. {flaw.remedy}.")
    return bool(answer.strip()) and not _broken(rules, answer)


def flaw_of(check: Any, demonstrated: str) -> Flaw | None:
    """Returns what is wrong with a check, if anything: it cannot be used, or the demonstrated answer breaks it."""
    if not isinstance(check, dict):
        return Flaw("broken check", f"'check' is {type(check).__name__}, not an object")
    if flaw := _flaw_of_rules(check):
        return flaw
    if broken := _broken(check, demonstrated):
        reason = f"the answer breaks its own check {json.dumps(broken)}"
        return Flaw("answer breaks its check", reason, "Mend whichever of the two is wrong")
    return None


def _flaw_of_rules(rules: dict[str, Any]) -> Flaw | None:
    """Returns which rule cannot be used; a text where a list belongs would be taken letter by letter."""
    for rule, wanted in rules.items():
        if rule not in RULES:
            return Flaw("unknown rule", f"check {rule!r} is unknown", f"Known: {', '.join(RULES)}")
        if not _FITS[RULES[rule].wanted](wanted):
            return Flaw("broken check", f"check {rule!r} is {json.dumps(wanted)}", f"Write {RULES[rule].wanted}")
    return None


def _broken(rules: dict[str, Any], answer: str) -> dict[str, Any]:
    """Returns the rules that an answer breaks."""
    return {rule: wanted for rule, wanted in rules.items() if not RULES[rule].keeps(answer.strip(), wanted)}


def value_of(text: str) -> float | None:
    """Returns the value of an expression of numbers, `+ - * / // % **`, parentheses, `max`, `min` and `abs`.

    It is read and never executed. None if it is no such expression, has no value, is longer than `LONGEST`, or comes on
    its way to more than `LARGEST` or to a power other than one from 0 to `HIGHEST`.
    """
    if len(text) > LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has its opinion of answers such as `3and`
            tree = ast.parse(text.strip(), mode="eval")
        value = _evaluated(tree.body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, int | float) else None


def _evaluated(node: ast.expr) -> Any:
    """Computes a node of an expression, or raises ValueError."""
    value: Any
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = -_evaluated(node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _evaluated(node.left), _evaluated(node.right)
        if isinstance(node.op, ast.Pow) and not 0 <= right <= HIGHEST:
            raise ValueError("a power too high")
        value = _BINARY[type(node.op)](left, right)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in _CALLS:
            raise ValueError(f"{node.func.id} is no function here")
        value = _CALLS[node.func.id](*map(_evaluated, node.args))
    else:
        raise ValueError(f"{type(node).__name__} is no part of an expression")
    if not abs(value) <= LARGEST:  # also of what is no number
        raise ValueError("too large")
    return value


class _Rule(NamedTuple):
    """What is wanted, a key of `_FITS`, and whether an answer keeps to it."""

    wanted: str
    keeps: Callable[[str, Any], bool]


_TEXTS, _TEXT, _NUMBER = "a list of texts", "a text", "a number"
_FITS: Mapping[str, Callable[[Any], bool]] = {
    _TEXTS: lambda wanted: isinstance(wanted, list) and all(isinstance(text, str) for text in wanted),
    _TEXT: lambda wanted: isinstance(wanted, str),
    _NUMBER: lambda wanted: type(wanted) in (int, float),
}
RULES: Mapping[str, _Rule] = {
    "contains": _Rule(_TEXTS, lambda answer, texts: all(text in answer for text in texts)),
    "lacks": _Rule(_TEXTS, lambda answer, texts: not any(text in answer for text in texts)),
    "begins": _Rule(_TEXT, str.startswith),
    "ends": _Rule(_TEXT, str.endswith),
    "sentences": _Rule(_NUMBER, lambda answer, count: answer.count(".") == count),
    "most_words": _Rule(_NUMBER, lambda answer, count: len(answer.split()) <= count),
    "value": _Rule(_NUMBER, lambda answer, number: value_of(answer) == number),
}
