"""Files are whole or absent, whatever happens while they are written."""

import pytest

from helpers import files


def write(folder, *names, error=None):
    """Writes a folder of empty files, unless the error comes before the last."""
    with files.replacing(folder) as partial:
        partial.mkdir()
        for name in names:
            (partial / name).touch()
        if error:
            raise error


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("disk full")])
def test_a_folder_is_replaced_only_when_complete(tmp_path, error):
    write(tmp_path / "model", "old", "gone")
    write(tmp_path / "model", "new")
    with pytest.raises(type(error)):
        write(tmp_path / "model", "half", error=error)
    assert names(tmp_path / "model") == ["new"]
    assert names(tmp_path) == ["model"]


def test_a_file_is_replaced_only_when_complete(tmp_path):
    goal = tmp_path / "made" / "a.txt"
    files.write_text(goal, "first\n")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(goal, "second\n" + chr(0xD800))
    assert goal.read_text() == "first\n"
    assert names(goal.parent) == ["a.txt"]


def test_json_without_a_number_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "results.json", {"loss": float("nan")})
    assert names(tmp_path) == []


def test_text_is_written_alike_on_every_platform(tmp_path):
    files.write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_fingerprints_tell_apart_what_differs_only_in_where_parts_end():
    assert files.fingerprint(["ab", "c"]) != files.fingerprint(["a", "bc"])
    assert files.fingerprint(["a", "b"]) == files.fingerprint([b"a", b"b"])
    assert files.fingerprint(["\ud800"])  # a lone surrogate, as damaged text may hold


def test_an_error_says_where_what_and_what_to_do():
    assert str(files.at("a.csv", "no column", "Name one.", 3)) == "a.csv, line 3: no column. Name one."
    assert str(files.at("a.csv", "no column", "Name one.")) == "a.csv: no column. Name one."


SHOWN = {
    "/home/ada/mine.csv": "mine.csv",
    "~/data/mine/": "mine",
    "./mine.csv": "mine.csv",
    "hub:/home/ada/mine:plain:train": "hub:mine:plain:train",
    "hub:owner/name": "hub:owner/name",
    "owner/name": "owner/name",
    "pydocs:numpy,scipy": "pydocs:numpy,scipy",
    "": "",
}


@pytest.mark.parametrize("source", SHOWN)
def test_what_is_shared_names_a_file_and_not_whose_home_it_lies_in(source):
    assert files.shown(source) == SHOWN[source]
