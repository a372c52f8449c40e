"""'My numbers differ': every measurement gets one answer, and what differs around it is named."""

import pytest
from handmade import measurement, results, write_run

from helpers.files import WorkbookError
from helpers.publishing.comparison import compare, differences_around, report

A = {
    "same": measurement(1.5, (1.4, 1.6)),
    "overlapping": measurement(1.5, (1.4, 1.6)),
    "inside": measurement(1.5, (1.4, 1.6)),
    "apart": measurement(1.5, (1.4, 1.6)),
    "bare": measurement(1.5),
    "near but bare": measurement(1.5),
    "gone": measurement(1.5),
}
B = {
    "same": measurement(1.5, (1.4, 1.6)),
    "overlapping": measurement(1.7, (1.6, 1.8)),
    "inside": measurement(1.45),
    "apart": measurement(1.8, (1.7, 1.9)),
    "bare": measurement(1.5),
    "near but bare": measurement(1.5000001),
    "new": measurement(2.0),
}
OUTCOMES = {
    "same": "identical",
    "overlapping": "alike",
    "inside": "alike",
    "apart": "different",
    "bare": "identical",
    "near but bare": "different",
    "gone": "only in A",
    "new": "only in B",
}


@pytest.fixture
def runs(tmp_path):
    other = results(B, commit="def", processor="Another processor")
    other["chapters"]["01_first"]["fingerprints"] = {"pydocs": "fedcba9876543210", "town": "00"}
    return write_run(tmp_path / "mine", results(A)), write_run(tmp_path / "published", other)


def test_every_measurement_gets_its_outcome(runs):
    assert {row.name: row.outcome for row in compare(*runs)} == OUTCOMES
    turned = {"only in A": "only in B", "only in B": "only in A"}
    assert {row.name: turned.get(row.outcome, row.outcome) for row in compare(*reversed(runs))} == OUTCOMES


def test_what_differs_around_is_named(runs):
    around = "\n".join(differences_around(*runs))
    assert "environment commit: abc in A, def in B (01_first)" in around
    assert "fingerprint pydocs: 0123456789abcdef in A, fedcba9876543210 in B" in around
    assert "fingerprint town: none in A, 00 in B" in around
    assert "torch" not in around


def test_report_has_all_lines_and_a_summary(runs):
    text = report(*runs)
    assert "2 identical, 2 alike, 2 different, 1 only in A, 1 only in B." in text
    assert all(name in text for name in OUTCOMES)
    starts = {line.index(word) for line in text.splitlines() for word in ["identical"] if line.endswith(word)}
    assert len(starts) == 1  # aligned


def test_a_run_is_identical_to_itself(runs):
    assert {row.outcome for row in compare(runs[0], runs[0] / "results.json")} == {"identical"}
    assert "nothing: same profile" in report(runs[0], runs[0])


def test_a_missing_run_is_told_plainly(runs, tmp_path):
    with pytest.raises(WorkbookError, match="no such record"):
        report(runs[0], tmp_path / "absent" / "results.json")
