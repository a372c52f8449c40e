"""Is my answer right? Self-checks for the exercises at the end of a chapter."""

from helpers.imports import data_of


def check(exercise: str, answer: float | None) -> None:
    """Says whether a reader's answer is right, without giving it away.

    An exercise is called by its chapter and number, such as `01.2`. What is right, and to which relative tolerance,
    lies in `exercises.toml`, so that the call does not tell.
    """
    correct, tolerance = data_of(__name__)[exercise]
    if answer is None:
        print("No answer yet: put yours in place of None and run this cell again.")
    elif abs(answer - correct) <= tolerance * abs(correct):
        print(f"Right: {correct:.4g}.")
    else:
        print(f"Not yet: {answer:.4g} is too {'high' if answer > correct else 'low'}.")
