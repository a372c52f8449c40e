"""My numbers differ: which, by how much, and why? Two runs' `results.json`, measurement by measurement.

The rule, in the order in which it is applied to a measurement that both runs have:

- *identical*: value and interval are equal to the last bit;
- *alike*: the intervals overlap, or the one interval that there is holds the other run's value;
- *different*: anything else. A number without an interval has no room: it is identical or different.

Overlap is lenient: it answers 'do the runs contradict each other?', not 'are they the same?'.
"""

from pathlib import Path
from typing import Any, NamedTuple

from helpers.records import Measurement, load_results

OUTCOMES = ("identical", "alike", "different", "only in A", "only in B")


class Compared(NamedTuple):
    """One measurement in two runs, or in one of them, and which of `OUTCOMES` that is."""

    chapter: str
    name: str
    outcome: str
    a: Measurement | None
    b: Measurement | None


def compare(a: Path, b: Path) -> list[Compared]:
    """Compares every measurement of two runs, each as `load_results` takes it, in order of chapter and name."""
    in_a, in_b = _measurements(a), _measurements(b)
    keys = sorted(in_a.keys() | in_b.keys())
    return [Compared(*key, _outcome(in_a.get(key), in_b.get(key)), in_a.get(key), in_b.get(key)) for key in keys]


def differences_around(a: Path, b: Path) -> list[str]:
    """Says what the numbers depend on and where the two runs differ in it, a line each.

    Compared are, chapter by chapter: profile and sizes, parameters, verdicts, fingerprints, and the environment.
    A difference that is the same in several chapters is said once.
    """
    chapters_a, chapters_b = load_results(a)["chapters"], load_results(b)["chapters"]
    where: dict[str, list[str]] = {}
    for chapter in sorted(chapters_a.keys() & chapters_b.keys()):
        before, after = _flat(chapters_a[chapter]), _flat(chapters_b[chapter])
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                line = f"{key}: {before.get(key, 'none')} in A, {after.get(key, 'none')} in B"
                where.setdefault(line, []).append(chapter)
    return [f"{line} ({', '.join(chapters)})" for line, chapters in where.items()]


def report(a: Path, b: Path) -> str:
    """Returns the comparison of two runs as text for the terminal: a table, what differs around it, a summary."""
    compared = compare(a, b)
    rows: list[tuple[str, ...]] = [("chapter", "measurement", "A", "B", "outcome")]
    for chapter, name, outcome, *both in compared:  # six digits, so that small differences show
        rows.append((chapter, name, *(f"{one:.6g}" if one else "–" for one in both), outcome))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    around = differences_around(a, b) or ["nothing: same profile, parameters, fingerprints, versions and machine"]
    counts = {outcome: sum(row.outcome == outcome for row in compared) for outcome in OUTCOMES}
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    lines = [f"A is {a}", f"B is {b}", "", *table, "", "What differs around it:"]
    return "\n".join([*lines, *(f"  {line}" for line in around), "", f"{len(compared)} measurements: {summary}."])


def _measurements(run: Path) -> dict[tuple[str, str], Measurement]:
    chapters = load_results(run)["chapters"].items()
    found = [(chapter, name, of) for chapter, record in chapters for name, of in record["measurements"].items()]
    return {(chapter, name): Measurement.from_dict(of) for chapter, name, of in found}


def _outcome(a: Measurement | None, b: Measurement | None) -> str:
    if a is None or b is None:
        return "only in A" if b is None else "only in B"
    if (a.value, a.interval) == (b.value, b.interval):
        return "identical"
    return "alike" if a.low <= b.high and b.low <= a.high else "different"


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Returns what a chapter's numbers depend on as one level of names; of verdicts, what was concluded."""
    environment = record["environment"]
    groups = {
        "profile": record["sizes"],
        "parameter": record["parameters"],
        "fingerprint": record["fingerprints"],
        "version": environment["libraries"],
        "environment": {name: value for name, value in environment.items() if name != "libraries"},
        "verdict": {claim: verdict["here"] for claim, verdict in record["verdicts"].items()},
    }
    return {f"{group} {name}": value for group, values in groups.items() for name, value in values.items()}
