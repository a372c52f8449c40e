"""Is my answer right? Self-checks for the exercises at the end of a chapter."""

from __future__ import annotations


def check(answer: float | None, correct: float, tolerance: float = 0.01) -> None:
    """Says whether an answer is right, without giving it away.

    Args:
        answer: the reader's; None while there is none.
        correct: the right one, computed from the chapter's own results.
        tolerance: how far off an answer may be, relative to the right one.
    """
    if answer is None:
        print("No answer yet: put yours in place of None and run this cell again.")
    elif abs(answer - correct) <= tolerance * abs(correct):
        print(f"Right: {correct:.4g}.")
    else:
        print(f"Not yet: {answer:.4g} is too {'high' if answer > correct else 'low'}.")
