"""What a chapter is said to take follows from what was noted, by arithmetic; no clock is asked here."""

import json

import pytest

from helpers import files
from helpers.publishing import timing
from helpers.publishing.run import Run


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "results" / "reference")
    monkeypatch.setattr(timing, "calibrate", lambda: 50.0)


def run_of(tokens=None, **settings):
    return Run("smoke", settings=settings | ({"tokens": tokens} if tokens else {}))


def said(run, at_pace=100.0, reading=0.0):
    return timing.expected("01_first", run, at_pace, reading)


def note(run, seconds, at_pace=100.0):
    timing.note("01_first", run, seconds, at_pace)


def test_without_a_note_only_the_training_is_counted():
    assert said(run_of()).startswith("at least ")


def test_a_chapter_of_the_same_sizes_takes_as_long_by_the_pace_of_the_machine():
    note(run_of(), 60.0)
    assert said(run_of()) == "about 1:00"
    assert said(run_of(), at_pace=50.0) == "about 2:00"
    assert said(run_of(SEED=3)) == "about 1:00"
    assert said(run_of(MODEL="owner/name")) == timing.UNKNOWN
    assert timing.expected("02_second", run_of(), 100.0, 0.0).startswith("at least ")
    note(run_of(), 90.0)
    assert said(run_of()) == "about 1:30"  # the newest counts


def test_from_two_sizes_comes_a_fixed_part_and_one_in_proportion():
    note(run_of(tokens=100_000), 60.0)
    assert said(run_of(tokens=200_000)).startswith("at least ")
    note(run_of(tokens=300_000), 100.0)
    assert said(run_of(tokens=200_000)) == "about 1:20"
    assert said(run_of(tokens=600_000)) == "about 2:40"
    assert said(run_of(tokens=40_000)) == "about 1:00"  # never less than the smaller took
    assert said(run_of(tokens=2_000_000)).startswith("at least ")  # too far to tell


def test_another_text_costs_the_same_and_other_labels_are_not_known():
    note(run_of(), 60.0)
    assert said(run_of(CORPUS="~/my.txt", SEED=3)) == "about 1:00"
    assert said(run_of(LABELS="my.csv")).startswith("at least ")


def test_docstrings_that_nobody_has_read_are_said_beside_it():
    note(run_of(), 60.0)
    assert said(run_of(), reading=61.0) == "about 1:00, and 1:01 more to read the docstrings, this once"
    assert said(run_of(), reading=0.4) == "about 1:00"


def test_a_chapter_that_reads_no_docstrings_waits_for_none(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    assert timing.reading_seconds("01_pretraining", run_of()) > 0
    assert timing.reading_seconds("01_pretraining", run_of(CORPUS="my.txt")) == 0
    notebook = {"nbformat": 4, "cells": [{"cell_type": "code", "source": "import math"}]}
    files.write_json(tmp_path / "01_first.ipynb", notebook)
    monkeypatch.setattr(files, "NOTEBOOKS", tmp_path)
    assert timing.reading_seconds("01_first", run_of()) == 0


def test_the_published_run_keeps_the_notes_of_every_profile_and_of_nothing_else():
    note(run_of(), 60.0)
    note(run_of(tokens=50_000), 50.0)
    note(Run("laptop", "mine"), 300.0)
    timing.publish(files.RESULTS / "mine", files.REFERENCE, files.REFERENCE)
    costs = json.loads((files.REFERENCE / "costs.json").read_text())["costs"]
    assert {cost["sizes"]["name"]: cost["seconds"] for cost in costs} == {"laptop": 300.0, "smoke": 60.0}
    assert said(Run("smoke", "another")) == "about 1:00"


def test_notes_that_cannot_be_read_tell_nothing():
    files.write_text(run_of().folder / "costs.json", '{"costs": [{"chapter": 1}]')
    assert said(run_of()).startswith("at least ")
