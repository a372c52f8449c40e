"""Is my answer right? Self-checks for the exercises at the end of a chapter."""


def check(answer: float | None, correct: float, tolerance: float = 0.01) -> None:
    """Says whether a reader's answer is right, to a relative tolerance, without giving it away."""
    if answer is None:
        print("No answer yet: put yours in place of None and run this cell again.")
    elif abs(answer - correct) <= tolerance * abs(correct):
        print(f"Right: {correct:.4g}.")
    else:
        print(f"Not yet: {answer:.4g} is too {'high' if answer > correct else 'low'}.")
