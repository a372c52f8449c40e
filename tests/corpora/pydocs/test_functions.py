"""What is shown of a function, who may answer, and that what is tested has not been read in training."""

import ast

import pytest

from helpers.corpora import load
from helpers.corpora.corpus import split_of
from helpers.corpora.pydocs import corpus, functions
from helpers.corpora.pydocs.corpus import key_of, load_docstrings
from helpers.corpora.pydocs.docstrings import SourceFile
from helpers.corpora.pydocs.functions import (
    CUT,
    LONGEST_CODE,
    LONGEST_SIGNATURE,
    MOST,
    PER_MODULE,
    WORDINGS,
    read_functions,
)

PACKAGES = ("seaborn", "evaluate")


@pytest.fixture(scope="module")
def read():
    """Returns the conversations of two small packages that are really installed."""
    return list(read_functions(PACKAGES))


def shown(code):
    return functions.shown(ast.parse(code).body[0])


def test_docstring_comments_and_decorators_are_not_shown():
    code = '''
@cache  # often called
def mean(values: list, weight=1.0) -> float:
    """Return the mean."""
    # Sum first.
    total = sum(values)  # exact

    def inner():
        """Return one of them."""
    class Inner:
        """Hold it."""
        "and so on"
    return total / len(values)
'''
    assert shown(code).splitlines() == [
        "def mean(values: list, weight=1.0) -> float:",
        "    total = sum(values)",
        "    def inner():",
        "        pass",
        "    class Inner:",
        "        pass",
        "    return total / len(values)",
    ]


def test_a_function_without_a_body_shows_its_signature():
    assert shown('async def close(self, *args, **kwargs):\n    """Close it."""') == (
        f"async def close(self, *args, **kwargs):\n{CUT}"
    )


def test_a_long_body_is_cut_at_a_line():
    body = "\n".join(f"    value_{i} = {i}" for i in range(100))
    text = shown(f'def f():\n    """Make many."""\n{body}')
    assert text.endswith(f"\n{CUT}")
    assert LONGEST_CODE - 30 < len(text.removesuffix(f"\n{CUT}")) <= LONGEST_CODE
    assert text.splitlines()[1:-1] == body.splitlines()[: len(text.splitlines()) - 2]


def test_a_long_signature_loses_annotations_and_defaults_and_a_very_long_one_is_left_out():
    long = ", ".join(f"name{i}: dict[str, int] = None" for i in range(8))
    text = shown(f"def f(self, /, {long}, *args: int, key: str = 'a', **rest: str) -> dict:\n    pass")
    names = ", ".join(f"name{i}" for i in range(8))
    assert text.splitlines()[0] == f"def f(self, /, {names}, *args, key, **rest):"
    names = ", ".join(f"parameter_{i}" for i in range(LONGEST_SIGNATURE // 10))
    assert shown(f"def f({names}):\n    pass") is None


def test_the_answer_is_the_first_sentence_of_a_docstring_of_the_module(read):
    assert len(read) > 100
    texts = {}
    for split, part in load_docstrings(PACKAGES).splits.items():
        for text, module in zip(part["text"], part["group"], strict=True):
            texts.setdefault((module, split == "train"), []).append(text)
    for conversation in read:
        asked, answer = conversation.messages
        assert (asked.role, answer.role, conversation.task) == ("user", "assistant", "pydocs-functions")
        assert 4 <= len(answer.content.split()) <= 24
        assert answer.content.endswith(".")
        of_module = texts[conversation.group, conversation.split == "train"]
        assert any(text.startswith(answer.content) for text in of_module)
        assert answer.content not in asked.content
        assert "def " in asked.content


def test_no_answer_stands_twice_and_modules_keep_their_split(read):
    answers = [conversation.messages[-1].content for conversation in read]
    assert len(answers) == len(set(answers))
    assert {conversation.split for conversation in read} == {"train", "test"}
    for conversation in read:
        assert conversation.split == ("train" if split_of(conversation.group) == "train" else "test")


def test_no_module_and_no_package_has_more_than_its_share(read, monkeypatch):
    modules = [conversation.group for conversation in read]
    assert max(map(modules.count, modules)) <= PER_MODULE
    places = [conversation.place for conversation in read]
    assert len(places) == len(set(places))
    monkeypatch.setitem(MOST, "train", 5)
    few = [conversation.place for conversation in read_functions(["evaluate"]) if conversation.split == "train"]
    assert len(few) == 5


def test_some_ways_to_ask_are_kept_for_the_test(read):
    def way(conversation):
        return next(way for way in WORDINGS["train"] + WORDINGS["test"] if _fits(way, conversation.messages[0].content))

    assert {way(conversation) for conversation in read if conversation.split == "train"} == set(WORDINGS["train"])
    assert {way(conversation) for conversation in read if conversation.split == "test"} & set(WORDINGS["test"])


def _fits(way, text):
    before, after = way.split("{source}")
    return text.startswith((f"{before}def ", f"{before}async def ")) and text.endswith(after)


def test_a_second_reading_gives_the_same_and_the_key_follows_the_packages(read):
    assert list(read_functions(PACKAGES)) == read
    assert key_of(PACKAGES) == key_of(iter(PACKAGES))
    assert key_of(["evaluate"]) != key_of(PACKAGES) != key_of(PACKAGES[::-1])


def test_an_upgrade_that_changes_code_alone_is_read(install, monkeypatch):
    def toy(code):
        functions = "".join(
            f'def f{i}():\n    """Return the value number {i} of all that there are."""\n    {code}\n' for i in range(3)
        )
        return {f"toy/m{i}.py": functions.replace("number", f"number {i} and") for i in range(20)}

    monkeypatch.setattr(corpus, "PACKAGES", ("toy",))
    install("toy", toy("return 1"))
    before = load("pydocs-functions", "prompts").splits["train"]["text"]
    install("toy", toy("return 2"), version="2.0")
    after = load("pydocs-functions", "prompts").splits["train"]["text"]
    assert len(before) == len(after) > 0
    assert all("return 1" in text for text in before)
    assert all("return 2" in text for text in after)


def test_a_function_is_matched_by_its_own_docstring(tmp_path):
    path = tmp_path / "m.py"
    path.write_text(
        'class A:\n    """Hold the values of all the others."""\n'
        '    def f(self):\n        """Return the value of it. And more."""\n        return 1\n'
        '    if True:\n        def g(self):\n            """Return the value of it."""\n            return 2\n'
        'def h():\n    """Return what nobody has kept."""\n'
    )
    sentences = {"Hold the values of all the others.", "Return the value of it."}
    (found,) = functions._of_module(SourceFile(str(path), "m.py"), sentences)
    assert found == ("m:3", "Return the value of it.", "def f(self):\n    return 1")
