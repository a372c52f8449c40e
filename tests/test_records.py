"""The record: what was measured comes back as it was, beside what made it."""

import dataclasses
import json

import pytest

from helpers import files, records
from helpers.profiles import load_profile
from helpers.records import Interval, Record, load_results, withdraw


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RESULTS", tmp_path)
    return Record("01_first", load_profile("smoke"), "mine", {"seed": 0})


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
    assert Record("01_first", record.profile).folder == files.RESULTS / "smoke"


def test_a_measurement_is_written_with_its_interval(record):
    assert f"{measure_loss(record):.1f}" == "1.2 [1.1, 1.4]"
    assert f"{record.measure('n', 3, 'texts'):.0f}" == "3"


def test_what_is_no_number_or_no_verdict_is_refused(record):
    with pytest.raises(ValueError, match="'loss' is nan"):
        record.measure("loss", float("nan"), "bits per byte")
    with pytest.raises(ValueError, match="'proven' is not one of"):
        record.conclude("C1", "A claim.", "proven", "", "")


def test_what_a_page_shows_of_a_record_is_escaped(record):
    record.measure("<script>", 1, "<b>")
    record.parameters["corpus"] = "<img src=x>"
    shown = record._repr_html_() + record.conclude("C1", "<i>", "refuted", "<b>", "<u>")._repr_html_()
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
    assert records.environment()["commit"] == ""
