import re
from pathlib import Path

import pytest

from helpers import files
from helpers.corpora import load
from helpers.corpora.corpus import split_of
from helpers.corpora.duplicates import THRESHOLD, shingles, similarity
from helpers.corpora.pydocs import corpus, docstrings
from helpers.corpora.pydocs.corpus import load_docstrings
from helpers.files import WorkbookError


def sentence(i):
    return f"The function number {i} of this module returns the value {i * i} to whoever asks it for that."


def modules(package, count):
    return {f"{package}/m{i}.py": f'def f():\n    """{sentence(i)}"""\n' for i in range(count)}


def rows(loaded):
    return [row | {"split": split} for split, part in loaded.splits.items() for row in part]


def test_documents_are_the_prose_of_docstrings_with_their_places(install):
    code = f'''"""{sentence(1)}"""
raise SystemExit("a source that is read is never run")
class A:
    """{sentence(2)}

    Parameters
    ----------
    x : int
    """
    if True:
        async def f(self):
            """{sentence(3)}"""
'''
    install("toy", {"toy/sub/__init__.py": code})
    found = [(row["text"], row["group"], row["package"], row["name"]) for row in rows(load("pydocs:toy"))]
    assert found == [(sentence(i), "toy.sub", "toy", name) for i, name in [(1, ""), (2, "A"), (3, "A.f")]]


def test_every_module_is_in_the_split_of_its_name(install):
    install("toy", modules("toy", 80))
    found = rows(load("pydocs:toy"))
    assert {row["split"] for row in found} == {"train", "validation", "test"}
    assert all(row["split"] == split_of(row["group"]) for row in found)


def test_files_that_cannot_be_parsed_are_listed_and_do_no_harm(install):
    bad = {
        "toy/broken.py": 'def f(:\n    """Doc."""',
        "toy/latin.py": b'"""\xe9"""',
        "toy/nul.py": b'"""Doc."""\0',
        "toy/deep.py": '"""Doc."""\nx = ' + "(" * 10_000,
        "toy/surrogate.py": f'"""{sentence(1)} \\ud800\\0"""',
    }
    install("toy", modules("toy", 40) | bad)
    (Path(docstrings.list_files("toy")[0].path).parent / "m0.py").unlink()
    read = load("pydocs:toy")
    problems = "\n".join(read.report.problems)
    assert "toy: toy/broken.py, line 1: SyntaxError" in problems
    assert all(f"toy/{name}.py" in problems for name in ("latin", "nul", "deep", "m0"))
    assert len(read.report.problems) == 5
    assert len(rows(read)) == 39


def test_tests_are_not_read(install):
    install("toy", modules("toy", 5) | modules("toy/tests", 5))
    assert all("tests" not in source.label for source in docstrings.list_files("toy"))


def test_workers_read_the_same_as_one_process(install, monkeypatch, own_cache):
    install("toy", modules("toy", 30))
    alone = load("pydocs:toy")
    monkeypatch.setattr(docstrings, "POOL_ABOVE", 0)
    monkeypatch.setattr(files, "CACHE", own_cache / "other")
    assert load("pydocs:toy").fingerprint == alone.fingerprint


def test_what_is_cached_is_not_read_again_until_the_version_changes(install, monkeypatch):
    install("toy", modules("toy", 30))
    first = load("pydocs:toy")
    with monkeypatch.context() as patch:
        patch.setattr(docstrings, "read_file", None)
        again = load("pydocs:toy")
    assert (again.fingerprint, again.report) == (first.fingerprint, first.report)
    install("other", modules("other", 30))
    assert load("pydocs:toy,other").report.sources[0].fingerprint == first.report.sources[0].fingerprint


def test_an_upgrade_is_read_and_reported_though_it_says_nothing_new(install):
    install("toy", modules("toy", 30))
    first, key = load("pydocs:toy"), corpus.key_of(["toy"])
    install("toy", modules("toy", 30), version="2.0")
    assert load("pydocs:toy").report.sources[0].version == "2.0"
    assert load("pydocs:toy").fingerprint == first.fingerprint
    assert corpus.key_of(["toy"]) != key


def test_the_left_out_package_loses_what_the_others_say_and_they_lose_nothing(install, monkeypatch):
    monkeypatch.setattr(corpus, "LEFT_OUT", "aaa")
    install("toy", modules("toy", 40))
    install(
        "aaa",
        {"aaa/x.py": f'"""{sentence(3)}"""', "aaa/y.py": '"""Of graphs and their edges nobody else has a word."""'},
    )
    left_out = load_docstrings(["toy"], left_out=True)
    assert [row["group"] for row in rows(left_out)] == ["aaa.y"]
    assert [source.name for source in left_out.report.sources] == ["aaa"]
    assert len(rows(load_docstrings(["toy"]))) == 40


def test_the_report_tells_version_licence_kinds_and_removals(install):
    install("toy", modules("toy", 40) | modules("toy/again", 40))
    report = load("pydocs:toy").report
    source = report.sources[0]
    assert (source.name, source.version, source.licence, source.documents) == ("toy", "1.0", "MIT", 80)
    assert report.removed["repeated word for word"].documents == 40
    assert report.kinds["prose"] == sum(2 * len(sentence(i)) for i in range(40))


def test_unknown_packages_and_parts_are_named():
    with pytest.raises(WorkbookError, match="'nowhere' is not installed"):
        load("pydocs:nowhere")


def test_the_packages_are_those_that_requirements_pin_and_mark():
    lines = (files.ROOT / "requirements.txt").read_text().splitlines()
    marked = {line.partition("==")[0] for line in lines if re.match(r"[\w-]+==[\w.]+ +# \*", line)}
    assert marked == {*corpus.PACKAGES, corpus.LEFT_OUT} - {docstrings.PYTHON}
    assert corpus.LEFT_OUT not in corpus.PACKAGES


def test_the_standard_library_is_found_without_what_is_installed_beside_it():
    labels = [source.label for source in docstrings.list_files("python")]
    assert {"argparse.py", "asyncio/tasks.py"} <= set(labels)
    assert not [label for label in labels if re.search(r"(^|/)(site-packages|tests?|idlelib)/", label)]


def test_real_packages_have_no_near_duplicate_across_splits():
    real = load("pydocs:accelerate,evaluate,seaborn")
    held_out = [shingles(row["text"]) for row in rows(real) if row["split"] != "train"]
    train = [shingles(text) for text in real.splits["train"]["text"]]
    assert len(held_out) > 20
    assert len(train) > 400
    assert max(similarity(a, b) for a in held_out for b in train) < THRESHOLD
