"""The record: what was measured comes back as it was, beside what made it."""

import dataclasses
import json

import numpy as np
import pytest

from helpers import files, machine
from helpers.profiles import load_profile
from helpers.records import Record, Verdict, _Sentence, load_results, withdraw
from helpers.statistics import Interval


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RESULTS", tmp_path)
    return Record("01_first", load_profile("laptop"), "mine", {"seed": 0})


def measure_loss(record):
    interval = Interval(1.1, 1.4, "percentile bootstrap over modules")
    return record.measure("loss", 1.25, "bits per byte", interval=interval, n=40, seeds=(0,), null=8.0)


def test_a_saved_record_holds_what_was_measured_and_what_made_it(record, tmp_path):
    loss = measure_loss(record)
    record.conclude("C1", "A claim.", "supported", "Loss fell.", "So it does.")
    assert record.save() == tmp_path / "mine" / "results.json"
    saved = load_results(tmp_path / "mine")["chapters"]["01_first"]
    assert saved["measurements"]["loss"] == json.loads(json.dumps(dataclasses.asdict(loss)))
    assert saved["verdicts"]["C1"]["here"] == "supported"
    assert saved["sizes"]["tokens"] == record.profile.tokens
    assert {"python", "processor", "threads", "libraries", "commit"} <= saved["environment"].keys()
    assert all(value > 0 for name, value in saved["cost"].items() if name != "seconds")


def test_a_record_names_files_without_their_paths(record):
    asked = {"seed": 0, "corpus": "/home/ada/mine.csv", "labels": "hub:owner/name"}
    saved = dataclasses.replace(record, parameters=asked).as_dict()
    assert saved["parameters"] == {"seed": 0, "corpus": "mine.csv", "labels": "hub:owner/name"}


def test_chapters_of_a_run_share_a_file_and_replace_only_themselves(record, tmp_path):
    measure_loss(record)
    record.save()
    Record("02_second", record.profile, "mine").save()
    record.measure("loss", 1.2, "bits per byte")
    record.save()
    chapters = load_results(tmp_path / "mine")["chapters"]
    assert list(chapters) == ["01_first", "02_second"]
    assert chapters["01_first"]["measurements"]["loss"]["value"] == 1.2
    withdraw(tmp_path / "mine", "01_first")
    assert list(load_results(tmp_path / "mine")["chapters"]) == ["02_second"]


def test_a_run_without_a_name_is_called_like_its_profile(record):
    assert Record("01_first", record.profile).folder == files.RESULTS / "laptop"


def test_a_measurement_is_written_with_its_interval(record):
    assert f"{measure_loss(record):.1f}" == "1.2 [1.1, 1.4]"
    assert f"{record.measure('n', 3, 'texts'):.0f}" == "3"


def test_what_a_measurement_is_about_stands_beside_it_in_columns(record):
    credits = np.array([1.0, 1.0, 0.0, 1.0])
    share = record.share("questions.tuned", credits, ["a", "b", "c", "d"], seeds=(0,), task="questions", who="tuned")
    gap = record.gap("questions.gap", credits, 1 - credits, ["a", "b", "c", "d"], task="questions")
    alone = record.share("one", credits[:1], ["a"], task="one")
    mean = record.over_seeds("loss", [1.0, 2.0, 3.0], "nats", seeds=(0, 1, 2))
    assert (share.value, share.unit, share.n, share.interval.low < 0.75) == (0.75, "accuracy", 4, True)
    assert (gap.value, gap.null, gap.interval.high) == (0.5, 0.0, 1.0)
    assert alone.interval is None
    assert (mean.value, mean.n) == (2.0, 3)
    table = record.frame()
    assert table.loc[table.who == "tuned", "value"].item() == 0.75
    assert np.isnan(table.loc[table.name == "one", "low"].item())
    assert record.find(task="questions", who="tuned") == share
    with pytest.raises(KeyError, match="0 measurements"):
        record.find(who="tuned")


@pytest.mark.parametrize(
    ("bound", "ends", "outcome"),
    [
        ({"above": 0.5}, [(0.6, 0.8), (0.51, 0.9)], "held"),
        ({"above": 0.5}, [(0.6, 0.8), (0.4, 0.9)], "undecided"),
        ({"above": 0.5}, [(0.6, 0.8), (0.1, 0.4)], "missed"),
        ({"below": 0.5}, [(0.1, 0.2), (0.2, 0.49)], "held"),
        ({"below": 0.5}, [(0.1, 0.2), (0.2, 0.51)], "undecided"),
        ({"below": 0.5}, [(0.1, 0.2), (0.6, 0.7)], "missed"),
    ],
)
def test_a_prediction_is_judged_by_the_bound_it_was_made_with(record, bound, ends, outcome):
    record.predict("key", "So it will be.", **bound)
    found = [record.measure(str(end), 0.5, "accuracy", interval=Interval(*end, "t")) for end in ends]
    judged = record.judge("key", *found)
    assert judged.outcome == outcome
    assert judged.why == ("not known." if outcome == "missed" else "")
    assert record.predicted()["outcome"].tolist() == [outcome]


def test_a_prediction_without_a_bound_says_how_it_is_judged(record):
    with pytest.raises(ValueError, match="give one of above"):
        record.predict("key", "So it will be.")
    record.predict("key", "The <second> is longer.", rule="by the means")
    assert "<strong>Prediction.</strong>" in record.predictions["key"]._repr_html_()
    judged = record.judge("key", held=False, why="The first grew.")
    assert (judged.outcome, judged.why) == ("missed", "The first grew.")
    assert "<second>" not in judged._repr_html_()
    assert record.judge("key").outcome == "undecided"


def test_a_verdict_says_what_a_real_model_says_where_one_was_measured(record):
    ours = record.conclude("C1", "A claim.", "supported", "It fell.", "It is said to be so.")
    real = record.conclude("C2", "A claim.", "supported", "It fell.", "It is said to be so.", "It <fell> there, too.")
    assert "A real model" not in ours._repr_html_()
    assert "<dt>A real model</dt><dd>It &lt;fell&gt; there, too.</dd>" in real._repr_html_()
    assert Verdict(**record.as_dict()["verdicts"]["C2"]) == real


def test_at_smoke_nothing_is_judged_whatever_was_found(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RESULTS", tmp_path)
    record = Record("01_first", load_profile("smoke", tokens=1000))
    record.predict("longer", "It is longer.", rule="by the means")
    judged = record.judge("longer", held=False, why="It was missed.")
    verdict = record.conclude("C1", "A claim.", "refuted", "It is absent.", "It is said to be so.", "Absent, too.")
    assert "<strong>Prediction not judged at smoke.</strong>" in judged._repr_html_()
    assert "not judged at smoke" in verdict._repr_html_()
    shown = judged._repr_html_() + verdict._repr_html_() + record.predicted().to_html()
    assert not any(word in shown for word in ("missed", "refuted", "absent", "Absent"))
    assert _Sentence(record.outcomes).format("{longer}") == "not judged at smoke"
    saved = load_results(record.save())["chapters"]["01_first"]
    assert saved["verdicts"]["C1"]["here"] == saved["predictions"]["longer"]["outcome"] == "not judged at smoke"
    with pytest.raises(ValueError, match="'proven' is not one of"):  # a mistake shows at once, not first at laptop
        record.conclude("C1", "A claim.", "proven", "", "")


def test_a_sentence_takes_its_numbers_from_the_record(record, capsys):
    measure_loss(record)
    record.predict("falls", "It falls.", rule="by eye")
    record.judge("falls", held=True)
    sentence = _Sentence(record.measurements | {"n": 3, "outcome": record.outcomes["falls"]})
    assert sentence.format("{loss:.1f}, {loss!v:.2f}, {n} seeds, {outcome}") == "1.2 [1.1, 1.4], 1.25, 3 seeds, held"


def test_what_is_no_number_or_no_verdict_is_refused(record):
    with pytest.raises(ValueError, match="'loss' is nan"):
        record.measure("loss", float("nan"), "bits per byte")
    with pytest.raises(ValueError, match="'proven' is not one of"):
        record.conclude("C1", "A claim.", "proven", "", "")


def test_what_a_page_shows_of_a_record_is_escaped(record):
    record.measure("<script>", 1, "<b>")
    record.parameters["corpus"] = "<img src=x>"
    shown = (
        record._repr_mimebundle_()["text/html"] + record.conclude("C1", "<i>", "refuted", "<b>", "<u>")._repr_html_()
    )
    assert not any(tag in shown for tag in ("<script", "<img", "<b>", "<i>", "<u>"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such record"),
        (b"{", "line 1: not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "not a record of this workbook's format 1"),
        (b'{"format": 2, "chapters": {}}', "not a record of this workbook's format 1"),
    ],
)
def test_a_file_that_is_no_record_is_told(tmp_path, content, message):
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(files.WorkbookError, match=message):
        load_results(tmp_path)


def test_the_environment_needs_no_git(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.environment()["commit"] == ""
