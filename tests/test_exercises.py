"""A reader must be told right from wrong, and the answer only when it is right."""

import pytest

from helpers.exercises import check


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "No answer yet"), (20.05, "Right: 20"), (25, "too high"), (3, "too low")],
)
def test_each_answer_gets_its_word(capsys, answer, said):
    check(answer, 20.0)
    out = capsys.readouterr().out
    assert said in out
    assert ("20." in out) == (said.startswith("Right"))
