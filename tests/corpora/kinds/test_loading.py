"""A new kind costs a parser; all else it has from the one way in which rows become a corpus."""

import json
from pathlib import Path

import pytest
from written import parquet, write

from helpers.corpora.corpus import SET_ASIDE
from helpers.corpora.kinds.loading import FIRST, Kind, load_rows
from helpers.corpora.readers.folders import open_files
from helpers.corpora.readers.tables import as_text, missing
from helpers.corpora.rows import Flaw, Unfit
from helpers.files import WorkbookError


class Pairs(Kind):
    """Two texts, of which one is better."""

    __module__ = "helpers.corpora.kinds.loading"  # whose code it depends on
    name = "pairs"
    fields = ("text", "group", "worse")
    identity = ("text", "worse")
    example = '{"better": "a", "worse": "b"}'

    def __init__(self):
        self.columns = {"column": "better", "other": "worse"}
        self.seen = []

    def parse(self, value, place, part):
        if flaw := missing(self.columns, value):
            raise Unfit(*flaw)
        return {"text": as_text(value["better"], "better"), "worse": as_text(value["worse"], "worse"), "group": place}

    def add(self, document):
        self.seen.append((document["text"], document["worse"]))
        return Flaw("alike", "neither is better") if document["text"] == document["worse"] else None

    def settle(self, report):
        known = set()
        for pair in (pair for pair in self.seen if pair[0] != pair[1]):
            yield Flaw("repeated", "it is known") if pair in known else "train"
            known.add(pair)


ROWS = [{"better": f"good {i}", "worse": f"bad {i}"} for i in range(30)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.jsonl.gz"])
def test_a_new_kind_is_read_from_every_format_with_what_is_set_aside(tmp_path, name):
    rows = [*ROWS, {"better": "same", "worse": "same"}, ROWS[3], {"better": "a\0", "worse": "b"}]
    path = write(tmp_path / name, parquet(rows) if "parquet" in name else rows)
    kind = Pairs()
    corpus = load_rows(open_files(path, kind.columns, kind.example), kind)
    assert corpus.kind == "pairs"
    assert corpus.splits["train"]["worse"][:] == [row["worse"] for row in ROWS]
    aside = list(map(json.loads, (corpus.folder / SET_ASIDE).read_text().splitlines()))
    assert {row["kind"]: (row["place"], row["row"]) for row in aside} == {
        "alike": (f"{name}:31", rows[30]),
        "NUL character": (f"{name}:33", rows[32]),
        "repeated": (f"{name}:32", ROWS[3]),
    }


def test_too_many_faulty_rows_are_an_error_and_just_half_are_not(tmp_path):
    def loaded(rows):
        kind = Pairs()
        return load_rows(open_files(write(tmp_path / f"{len(rows)}.jsonl", rows), kind.columns, kind.example), kind)

    bad = [{"better": "a"}]
    assert loaded(ROWS + bad * 30).report.removed["no such column"].documents == 30
    assert loaded(bad * (FIRST - 1) + ROWS).splits["train"].num_rows == 30
    with pytest.raises(
        WorkbookError, match=r"line 31: there is no column 'worse'(?s:.*)Of 61 rows, 31 cannot be used:"
    ):
        loaded(ROWS + bad * 31)
    with pytest.raises(
        WorkbookError, match=rf"line 1: (?s:.*)None of the first {FIRST} rows (?s:.*)remedies\.$"
    ) as told:
        loaded(bad * FIRST + ROWS)
    kept = str(told.value).partition("set aside are in ")[2].partition(", with")[0]
    assert len(Path(kept).read_text().splitlines()) == FIRST
