"""Work side by side gives what work one after the other gives, in order."""

import os

import pytest

from helpers.experiments import side_by_side as beside
from helpers.experiments.side_by_side import side_by_side


def squared(number):
    """Returns the square, the process, its threads and whether libraries may show bars; prints what nobody sees."""
    import torch

    print("from within")
    return number**2, os.getpid(), torch.get_num_threads(), os.environ.get("TQDM_DISABLE")


def refused(number):
    raise ValueError(f"no {number}")


def test_with_one_core_all_is_done_here_in_order(monkeypatch, capsys):
    monkeypatch.setattr(beside, "cores", lambda: 1)
    notes = []
    assert side_by_side(lambda item: notes.append(item) or item + 1, [3, 1, 2], "numbers", "numbers") == [4, 2, 3]
    assert notes == [3, 1, 2]
    assert "numbers: 3 of 3 numbers" in capsys.readouterr().out


@pytest.mark.parametrize("items", [[], [5]])
def test_where_there_is_not_more_than_one_thing_to_do_no_process_is_begun(monkeypatch, items):
    monkeypatch.setattr(beside, "cores", lambda: 2)
    monkeypatch.setattr(beside, "ProcessPoolExecutor", None)
    assert side_by_side(squared, items, "numbers", "numbers") == [squared(item) for item in items]


def test_with_two_cores_processes_do_it_with_one_thread_each_and_results_are_in_order(monkeypatch, capsys):
    monkeypatch.setattr(beside, "cores", lambda: 2)
    found = side_by_side(squared, [3, 1, 2, 5], "numbers", "numbers")
    assert [value for value, *_ in found] == [9, 1, 4, 25]
    assert os.getpid() not in {process for _, process, *_ in found}
    assert {(threads, silent) for *_, threads, silent in found} == {(1, "1")}
    shown = capsys.readouterr().out
    assert "numbers: 4 of 4 numbers" in shown
    assert "from within" not in shown


def test_what_goes_wrong_in_a_process_is_told_here(monkeypatch):
    monkeypatch.setattr(beside, "cores", lambda: 2)
    with pytest.raises(ValueError, match="no 7"):
        side_by_side(refused, [7, 8], "numbers", "numbers")
