"""The line of progress must say what was done, and must not flood a log."""

import pytest

from helpers.progress import Progress, aside, clock, each


def test_a_log_gets_one_line_that_says_what_was_done(capsys):
    with Progress("reading", 3, "files") as line:
        for _ in range(3):
            line.advance(note="loss 2.1")
    out = capsys.readouterr().out
    assert out.startswith("reading: 3 of 3 files")
    assert "loss 2.1, took 0:00" in out
    assert out.count("\n") == 1
    assert "\r" not in out


def test_the_line_is_ended_also_when_the_work_fails(capsys):
    with pytest.raises(KeyError), Progress("reading", 3, "files"):
        raise KeyError
    assert capsys.readouterr().out.endswith("\n")


def test_items_pass_by_and_are_counted(capsys):
    assert list(each(["a", "b", "c"], "asking", "tests")) == ["a", "b", "c"]
    assert capsys.readouterr().out.startswith("asking: 3 of 3 tests")
    assert list(each(["a"], "asking", "tests")) == ["a"]
    assert capsys.readouterr().out == ""


def test_an_aside_is_for_notebooks_alone(capsys):
    aside("Save this notebook.")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3725, "1:02:05")])
def test_durations_are_written_as_clocks_are(seconds, text):
    assert clock(seconds) == text
