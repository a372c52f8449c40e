"""Rules say what a reader would say; and no answer, however hostile, is executed or takes long."""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.corpora.kinds import rules
from helpers.corpora.kinds.rules import right, value_of
from helpers.files import WorkbookError


def keeps(answer, **rules):
    return right(answer, "something else", json.dumps(rules))


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"contains": ["mill", "river"]}, "By the river, near the mill.", "By the river."),
        ({"contains": ["Mill Row"]}, "In Mill Row.", "In mill row."),
        ({"lacks": ["refund", "voucher"]}, "A repair.", "A repair and a voucher."),
        ({"begins": "With pleasure."}, " With pleasure. By the river.", "By the river. With pleasure."),
        ({"ends": "Thank you."}, "By the river. Thank you.\n", "Thank you. By the river."),
        ({"sentences": 2}, "By the river. Near the mill.", "By the river, near the mill."),
        ({"most_words": 3}, "By the river.", "By the old river."),
        ({"value": 12}, "3 * 4", "3 + 4"),
        ({"value": 12}, "12.0", "12 miles"),
        ({"value": 0.5}, "1 / 2", "1 // 2"),
        ({"contains": [], "lacks": []}, "Whatever.", None),
    ],
)
def test_each_rule_tells_good_from_bad(rule, good, bad):
    assert keeps(good, **rule)
    assert bad is None or not keeps(bad, **rule)


def test_all_rules_must_be_kept():
    rules = {"contains": ["river"], "lacks": ["mill"], "begins": "By", "ends": ".", "sentences": 1, "most_words": 3}
    assert keeps("By the river.", **rules)
    for wrong in ("By the sea.", "By river mill.", "At the river.", "By the river", "By. river.", "By the old river."):
        assert not keeps(wrong, **rules)


@pytest.mark.parametrize("check", ["", "{}"])
def test_without_rules_the_demonstrated_answer_alone_is_right(check):
    assert right(" By the river.\n", "By the river.", check)
    assert not right("by the river.", "By the river.", check)
    assert not right("By the river. Near the mill.", "By the river.", check)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"holds": ["a"]},
            r"check 'holds' is unknown\. Known: contains, lacks, begins, ends, sentences, most_words,",
        ),
        ({"contains": ["a"], "Lacks": []}, r"check 'Lacks' is unknown"),
        ({"contains": "river"}, r'check \'contains\' is "river"\. Write a list of texts'),
        ({"lacks": ["a", 1]}, r"check 'lacks' is \[\"a\", 1\]\. Write a list of texts"),
        ({"begins": ["a"]}, r"check 'begins' is \[\"a\"\]\. Write a text"),
        ({"most_words": "ten"}, r"check 'most_words' is \"ten\"\. Write a number"),
        ({"value": True}, r"check 'value' is true\. Write a number"),
    ],
)
def test_a_rule_that_is_wrong_is_told_whatever_the_answer(rules, message):
    for answer in ("", "a"):
        with pytest.raises(WorkbookError, match=f"^{message}"):
            keeps(answer, **rules)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        (" (45 + 35) * 7\n", 560),
        ("45 - 77", -32),
        ("-3 ** 2", -9),
        ("7 / 2", 3.5),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("2 ** 8", 256),
        ("max(98, 18) + min(2, 3, 1)", 99),
        ("abs(3 - 10)", 7),
        ("max(min(9, 8), abs(-7))", 8),
        ("1_000 + .5", 1000.5),
    ],
)
def test_the_value_of_an_expression(text, value):
    assert value_of(text) == value


HOSTILE = {
    "import": "__import__('os').system('true')",
    "attribute": "(1).__class__",
    "method": "(1).bit_length()",
    "builtin": "open('/etc/passwd')",
    "evaluation": "eval('1')",
    "name": "x",
    "keyword argument": "max(1, 2, key=abs)",
    "spread arguments": "max(*[1, 2])",
    "called result": "max(1, 2)(3)",
    "lambda": "(lambda: 1)()",
    "comprehension": "[x for x in (1, 2)]",
    "text": "'1'",
    "repeated text": "'a' * 10",
    "bytes": "b'1'",
    "truth": "True",
    "nothing": "None",
    "comparison": "1 < 2",
    "choice": "1 if 1 else 2",
    "logic": "1 and 2",
    "assignment": "x = 1",
    "walrus": "(x := 1)",
    "complex": "1j",
    "a root that is complex": "(-8) ** 0.5 ** 1",
    "bits": "1 << 90",
    "tuple": "1, 2",
    "two lines": "1\n2",
    "tower of powers": "9**9**9",
    "powers one by one": "((9 ** 8) ** 8) ** 8",
    "large number": "9" * 190,
    "infinity": "1e999",
    "no number": "1e999 - 1e999",
    "negative power": "2 ** -1",
    "division by zero": "1 / 0",
    "floor division by zero": "1 // 0",
    "remainder by zero": "1 % 0.0",
    "zero to a negative power": "0 ** -1",
    "no arguments": "max()",
    "one argument": "max(1)",
    "two arguments": "abs(1, 2)",
    "nested parentheses": "(" * 10**6 + "1" + ")" * 10**6,
    "fewer nested parentheses": "(" * 99 + "1" + ")" * 99,
    "signs": "-" * 199 + "x",
    "long sum": "1" + " + 1" * 10**6,
    "long blanks": " " * 10**7,
    "empty": "",
    "words": "the sum of 3 and 4",
    "malformed": "3 + * 4",
    "unclosed": "max(3, 4",
    "NUL": "1\0",
    "half a surrogate pair": "1 + \ud800",
    "invalid escape": r"'\d'",
    "number and word": "1if 2else 3",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_expression_has_no_value_and_if_long_is_not_even_parsed(name, recwarn, monkeypatch):
    parsed, parse = [], ast.parse
    monkeypatch.setattr(ast, "parse", lambda text, **how: parsed.append(text) or parse(text, **how))
    value = value_of(HOSTILE[name])
    assert value == (1 if name == "fewer nested parentheses" else None)
    assert all(len(text) <= rules.LONGEST for text in parsed)
    assert not keeps(HOSTILE[name], value=10**9)
    assert list(recwarn) == []


@given(st.text(alphabet="0123456789+-*/%().,_ eEjxabsminmax'\"[]{}<>=:!\\\n\0", max_size=rules.LONGEST))
def test_no_text_makes_it_fail(text):
    value = value_of(text)
    assert value is None or abs(value) <= rules.LARGEST


NUMBERS = st.integers(0, 999).map(str) | st.floats(0, 99, allow_nan=False).map(lambda x: f"{x:.2f}")
OPERATORS = st.sampled_from(["+", "-", "*", "/", "//", "%"])


def larger(inner):
    """Returns expressions made of smaller ones."""
    return st.one_of(
        st.tuples(inner, OPERATORS, inner).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(inner, OPERATORS, NUMBERS).map(lambda x: f"{x[0]} {x[1]} {x[2]}"),
        st.tuples(st.sampled_from(["max", "min"]), inner, inner).map(lambda x: f"{x[0]}({x[1]}, {x[2]})"),
        st.tuples(inner, st.integers(0, rules.HIGHEST)).map(lambda x: f"({x[0]}) ** {x[1]}"),
        inner.map(lambda x: f"abs({x})"),
        inner.map(lambda x: f"-{x}"),
    )


@given(st.recursive(NUMBERS, larger, max_leaves=8))
def test_expressions_have_the_value_that_python_gives_them(text):
    try:
        expected = eval(text, {"__builtins__": {}}, {"max": max, "min": min, "abs": abs})
    except (ZeroDivisionError, OverflowError):
        assert value_of(text) is None
    else:
        value = value_of(text)
        if value is None:  # given up for its size alone
            assert len(text) > rules.LONGEST or grows(text)
        else:
            assert (value, type(value)) == (expected, type(expected))


def grows(text):
    """Says whether Python meets a number beyond the largest on its way: each opening parenthesis begins a part."""
    parts = (node for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.expr))
    names = {"max": max, "min": min, "abs": abs}
    values = (eval(ast.unparse(part), {"__builtins__": {}}, names) for part in parts if not isinstance(part, ast.Name))
    return any(abs(value) > rules.LARGEST for value in values)
