"""`load` alone knows the sources, and hands on to each what it needs."""

import pytest

from helpers import corpora
from helpers.corpora import load
from helpers.corpora.pydocs import corpus, functions, tasks
from helpers.corpora.rows import Conversation, Labelled, Message
from helpers.files import WorkbookError


@pytest.mark.parametrize("name", ["pydocs-packages", "pydocs-order", "pydocs-functions"])
@pytest.mark.parametrize("how", ["argument", "name"])
def test_packages_reach_what_is_made_from_docstrings(monkeypatch, name, how):
    asked = []

    def labelled(packages):
        asked.append(tuple(packages))
        yield from (Labelled(f"Text {i}.", "ab"[i % 2], f"m{i}", ("train", "test")[i > 40], "m") for i in range(60))

    def conversations(packages):
        asked.append(tuple(packages))
        for i in range(9):
            yield Conversation((Message("user", f"{i}?"), Message("assistant", "Yes.")), f"m{i}", None, f"m:{i}")

    for function in (labelled, conversations):
        function.__module__ = tasks.__name__
    monkeypatch.setattr(corpus, "key_of", lambda packages: [*packages])
    monkeypatch.setattr(functions, "read_functions", conversations)
    for task in tasks.TASKS:
        monkeypatch.setitem(tasks.TASKS, task, labelled)
    kind = "prompts" if name == "pydocs-functions" else "labels"
    source, packages = (f"{name}:numpy,scipy", ()) if how == "name" else (name, ["numpy", "scipy"])
    for _ in range(2):
        assert load(source, kind, packages=packages).kind == kind
    load(name, kind)
    assert asked == [("numpy", "scipy"), ()]  # once, then from the cache; and others for other packages


@pytest.mark.parametrize("kind", corpora.KINDS)
def test_what_is_not_there_lists_the_sources_of_its_kind(kind):
    with pytest.raises(
        WorkbookError, match=rf"^nowhere: .*kind {kind}\. Known are {', '.join(corpora.OWN[kind])}, hub:"
    ):
        load("nowhere", kind)
