"""What would spoil training is found, with its place; and what is in order is not complained of."""

from copy import deepcopy

import pytest
from written import write

from helpers.corpora import load
from helpers.corpora.kinds import checkup
from helpers.corpora.kinds.checkup import IN_WORDS, check, in_tokens
from helpers.corpora.kinds.marks import masked, personal
from helpers.tokenization import train_tokenizer

WORDS = ["mill", "river", "house", "field", "road", "bridge", "garden", "tower", "market", "church", "well", "baker",
         "smith", "farmer", "teacher"]  # fmt: skip


def some(count, start=0):
    """Returns rows of which no two are alike."""
    rows = []
    for i in range(start, start + count):
        picked = [WORDS[(i // 15**k) % 15] for k in range(3)]
        rows.append({"prompt": f"What is {i} of {' '.join(picked)}?", "completion": f"It is the {picked[i % 3]} {i}."})
    return rows


def checked(path, rows, context=None, measure=IN_WORDS):
    return check(load(write(path, rows), kind="prompts"), measure, context)


def found(checkup, what):
    """Returns the one finding that says this, or None."""
    (*findings,) = (finding for finding in checkup.findings if what in finding.what)
    assert len(findings) < 2
    return findings[0] if findings else None


def test_good_rows_give_no_findings_and_a_table_of_sizes(tmp_path):
    rows = [
        row | {"task": ("one", "two")[i % 3 == 0], "split": ("train", "test")[i % 5 == 0]}
        for i, row in enumerate(some(300))
    ]
    result = checked(tmp_path / "a.jsonl", rows, context=100)
    assert result.findings == ()
    assert result.ok
    assert result.verdict == "Fine-tuning on these rows makes sense: 240 in train, 60 in test."
    header, *sizes = result.sizes
    assert header[:3] == ("rows of", "rows", "words, median")
    assert [row[:2] for row in sizes] == [("train", "240"), ("test", "60"), ("task one", "200"), ("task two", "100")]
    assert {row[2:] for row in sizes} == {("12", "12", "12", "5", "5", "5")}


@pytest.mark.parametrize(
    ("count", "severity", "ok"), [(1, "stop", False), (19, "stop", False), (60, "warning", True), (300, None, True)]
)
def test_too_few_rows_are_told(tmp_path, count, severity, ok):
    result = checked(tmp_path / "a.jsonl", some(count))
    finding = found(result, "rows to learn from")
    assert (finding and finding.severity) == severity
    assert result.ok is ok
    assert ("pointless: fewer than 20 rows to learn from" in result.verdict) is not ok
    if count == 1:
        assert found(result, "no rows to test on").severity == "stop"
        assert "learnt by heart" in str(result)


def test_what_the_loader_set_aside_is_told_with_its_places(tmp_path):
    rows = [*some(300), {"prompt": "", "completion": "b"}, {"prompt": "A?", "completion": " "}, some(1)[0]]
    result = checked(tmp_path / "a.jsonl", rows)
    assert [(f.severity, f.what, f.count, f.places) for f in result.findings] == [
        ("warning", "set aside: empty prompt", 1, ("a.jsonl:301",)),
        ("warning", "set aside: empty answer", 1, ("a.jsonl:302",)),
        ("note", "set aside: repeated word for word", 1, ("a.jsonl:303",)),
    ]
    assert all(finding.remedy for finding in result.findings)
    assert result.verdict.endswith("Look at the warnings first.")


def test_rows_longer_than_the_context_are_told_and_stop_if_most_lose_their_answer(tmp_path):
    long_answer = {"prompt": "Say much.", "completion": "word " * 100}
    long_prompt = {"prompt": "word " * 100 + "?", "completion": "Short."}
    result = checked(tmp_path / "a.jsonl", [*some(300), long_answer, long_prompt], context=50)
    cut, lost = found(result, "left out of training"), found(result, "nothing of the answer is left")
    assert (cut.severity, cut.places) == ("warning", ("a.jsonl:301",))
    assert (lost.severity, lost.places) == ("warning", ("a.jsonl:302",))
    rows = [
        {"prompt": f"{i} {row['prompt']}{' word' * 60}", "completion": "Yes, " + str(i)}
        for i, row in enumerate(some(300))
    ]
    result = checked(tmp_path / "b.jsonl", rows, context=50)
    assert found(result, "nothing of the answer is left").severity == "stop"
    assert not result.ok
    assert not found(checked(tmp_path / "b.jsonl", rows), "answer")  # where the context is not known


def test_near_duplicates_are_told_and_those_across_the_splits_apart(tmp_path):
    text = " ".join(f"{word} and {word}s by {i}" for i, word in enumerate(WORDS))
    twins = [
        {"prompt": "Tell me of the town.", "completion": text, "split": "train"},
        {"prompt": "Tell me of the town!!", "completion": text + " Indeed.", "split": "train"},
        {"prompt": "Tell me of that town.", "completion": text, "split": "test"},
    ]
    rows = [row | {"split": ("train", "test")[i % 9 == 0]} for i, row in enumerate(some(300))]
    result = checked(tmp_path / "a.jsonl", rows + twins)
    assert found(result, "nearly repeat an earlier row").places == ("a.jsonl:302 like a.jsonl:301",)
    assert found(result, "rows of the test nearly repeat one of train").places == ("a.jsonl:303 like a.jsonl:301",)


def test_rows_that_share_half_of_their_words_are_no_near_duplicates(tmp_path):
    def tell(i, change=""):
        words = [f"{word}{change if k in (10, 20) else ''}" for k, word in enumerate(WORDS * 3)]
        return {"prompt": f"Tell {i}.", "completion": " ".join(f"{word}{i}" for word in words)}

    rows = [row for i in range(150) for row in (tell(i), tell(i, "s"))]
    assert not found(checked(tmp_path / "a.jsonl", rows), "nearly repeat")


def test_beyond_the_first_rows_near_duplicates_are_not_looked_for_and_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(checkup, "COMPARED", 100)
    finding = found(checked(tmp_path / "a.jsonl", some(300)), "not looked at for near duplicates")
    assert (finding.severity, finding.count) == ("note", 200)


def test_prompts_in_both_splits_but_for_case_and_punctuation_are_told(tmp_path):
    rows = [row | {"split": ("train", "test")[i % 9 == 0]} for i, row in enumerate(some(300))]
    rows += [
        {"prompt": "2 + 2?", "completion": "4", "split": "train"},
        {"prompt": "2 - 2?", "completion": "0", "split": "test"},
    ]
    assert not found(checked(tmp_path / "a.jsonl", rows), "but for case")
    rows.append({"prompt": "WHAT is 1 of river  mill mill", "completion": "Another thing.", "split": "test"})
    assert found(checked(tmp_path / "b.jsonl", rows), "but for case").places == ("b.jsonl:303",)


def test_other_answers_to_the_same_prompt_are_told(tmp_path):
    rows = [*some(300), {"prompt": some(1)[0]["prompt"], "completion": "I do not know."}]
    finding = found(checked(tmp_path / "a.jsonl", rows), "another answer")
    assert (finding.severity, finding.count, finding.places) == ("warning", 1, ("a.jsonl:301",))


def test_answers_that_are_all_alike_make_training_pointless(tmp_path):
    result = checked(tmp_path / "a.jsonl", [row | {"completion": "Yes."} for row in some(300)])
    assert found(result, "all answers are the same").severity == "stop"
    assert not result.ok


@pytest.mark.parametrize("damaged", ["cafÃ©", "itâ€™s", "a \ufffd", "Â£5"])
def test_text_that_was_decoded_wrongly_is_told(tmp_path, damaged):
    rows = [*some(300), {"prompt": "Which?", "completion": damaged}]
    assert found(checked(tmp_path / "a.jsonl", rows), "decoded wrongly").places[0].startswith("a.jsonl:301: ")


def test_text_of_other_languages_is_not_called_damaged(tmp_path):
    rows = [*some(300), {"prompt": "São Tomé? SÃO JOÃO, Â", "completion": "“Größe” — naïve, это, 中文, £5 °C"}]
    assert not found(checked(tmp_path / "a.jsonl", rows), "decoded wrongly")


PERSONAL = {
    "Write to anna.smith@mills.co.uk today.": ("an e-mail address", "a•••.•••••@•••••.••.•k"),
    "Call +44 20 7946 0958.": ("a telephone number", "+•• •• •••• •••8"),
    "Call 020 7946 0958, now": ("a telephone number", "0•• •••• •••8"),
    "Call (555) 123-4567": ("a telephone number", "(•••) •••-•••7"),
    "Pay with 4111 1111 1111 1111 until 12/27": ("a card number", "4••• •••• •••• •••1"),
    "Pay with 378282246310005.": ("a card number", "3•••••••••••••5"),
}


@pytest.mark.parametrize("text", PERSONAL)
def test_personal_data_are_told_by_line_and_masked(tmp_path, text):
    kind, shown = PERSONAL[text]
    assert personal(text) == {kind: shown}
    result = checked(tmp_path / "a.jsonl", [*some(300), {"prompt": "How?", "completion": text}])
    assert found(result, f"perhaps {kind}").places == (f"a.jsonl:301: {shown}",)
    secret = next(part for part in text.split() if len(part) > 4 and any(c in part for c in "@0123456789"))
    assert secret not in str(result)
    assert secret not in result._repr_html_()


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # fails the check digit
        "1234567890123452",  # passes it, but no issuer gives it
        "In 2024-01-15 10:20:30 there were 1,000,000 and 3.14159265358979.",
        "Version 10.20.30.40, pages 100-200, ISBN 978-3-16-148410-0.",
        "a@b, x @ y, user@example.com, me@mail.example.org",
        "160000000000 160000000000000000000000",
        "2 + 12345678 - 123456789",
        "+1 - (2) - (3) - 4",
    ],
)
def test_ordinary_numbers_and_made_up_addresses_are_not_personal(text):
    assert personal(text) == {}


def test_nothing_is_left_unmasked_but_the_ends():
    assert masked("a@b.org") == "a@•.••g"


def test_the_pages_escape_what_comes_from_the_data(tmp_path):
    rows = [row | {"task": "<script>alert(1)</script>"} for row in some(20)] + [some(1, 30)[0] | {"task": "b"}]
    result = checked(tmp_path / "<b>.jsonl", rows)
    page = result._repr_html_()
    assert "<script>" in str(result)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert all(finding.remedy in page for finding in result.findings)


def test_the_terminal_names_findings_places_and_remedies(tmp_path):
    result = checked(tmp_path / "a.jsonl", [*some(10), {"prompt": "", "completion": "b"}])
    shown = str(result)
    assert "stop: fewer than 20 rows to learn from: 8" in shown
    assert "warning: set aside: empty prompt: 1 (a.jsonl:11)\n    Mend the row" in shown
    assert shown.index("stop:") < shown.index("warning:")
    assert shown.endswith(f"Verdict: {result.verdict}")


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([" ".join(row.values()) for row in some(50)], 400)


CONVERSATIONS = [
    [{"role": "user", "content": "What is the mill?"}, {"role": "assistant", "content": "The river, <|end|>."}],
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What?"},
        {"role": "assistant", "content": "It."},
        {"role": "user", "content": "And the road?"},
        {"role": "assistant", "content": "The tower."},
    ],
]


def test_tokens_are_those_of_the_chat_template(tokenizer):
    def whole(turns, answer_follows):
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=answer_follows)
        return len(tokenizer(text, add_special_tokens=False, split_special_tokens=False)["input_ids"])

    expected = [(whole(turns, False), whole(turns[:-1], True)) for turns in CONVERSATIONS]
    assert [length[:2] for length in in_tokens(tokenizer).lengths(CONVERSATIONS)] == expected


def test_a_template_that_writes_the_prompt_otherwise_is_counted_as_it_writes(tokenizer):
    other = deepcopy(tokenizer)
    other.chat_template = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    texts = [
        [f"{len(turns)}{''.join(turn['content'] for turn in turns)}" for turns in (c, c[:-1])] for c in CONVERSATIONS
    ]
    ids = [[len(other(text, split_special_tokens=False)["input_ids"]) for text in pair] for pair in texts]
    assert [length[:2] for length in in_tokens(other).lengths(CONVERSATIONS)] == [tuple(pair) for pair in ids]


def test_without_a_template_the_contents_are_counted(tokenizer):
    plain = deepcopy(tokenizer)
    plain.chat_template = None
    whole, prompt, _ = in_tokens(plain).lengths(CONVERSATIONS[:1])[0]
    assert prompt == len(plain("What is the mill?")["input_ids"])
    assert whole > prompt


def test_a_row_that_the_template_refuses_is_named_and_the_others_are_measured(tmp_path, tokenizer):
    strict = deepcopy(tokenizer)
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    strict.chat_template = refusal + tokenizer.chat_template
    odd = {"system": "Be brief.", "prompt": "Who is it?", "completion": "It is the odd one."}
    result = checked(tmp_path / "a.jsonl", [*some(300), odd], 500, in_tokens(strict))
    finding = found(result, "the model's chat template refuses the conversation")
    assert (finding.severity, finding.count, finding.places) == ("warning", 1, ("a.jsonl:301",))
    assert "no system here" in finding.remedy
    assert result.ok
    assert [length[2] for length in in_tokens(strict).lengths(CONVERSATIONS)] == ["", "no system here"]
    all_odd = [row | {"system": f"Be brief, {i}."} for i, row in enumerate(some(300))]
    result = checked(tmp_path / "b.jsonl", all_odd, 500, in_tokens(strict))
    assert found(result, "template refuses").severity == "stop"
    assert found(result, "rows to learn from").count == 0
    assert not result.ok


def test_words_are_counted_without_a_tokenizer():
    assert [length[:2] for length in IN_WORDS.lengths(CONVERSATIONS)] == [(7, 4), (9, 7)]


@pytest.mark.parametrize("change", [{"group": "book"}, {"prompt": "What is it?"}], ids=["one group", "one prompt"])
def test_without_rows_to_test_on_training_is_pointless(tmp_path, change):
    result = checked(tmp_path / "a.jsonl", [row | change for row in some(300)])
    assert found(result, "no rows to test on").severity == "stop"
    assert not result.ok


def test_a_test_of_one_group_is_none(tmp_path):
    rows = [row | {"group": ("one", "two")[i % 2]} for i, row in enumerate(some(300))]
    result = checked(tmp_path / "a.jsonl", rows)
    assert found(result, "all rows to test on are of one group").severity == "stop"
    assert not result.ok
    rows = [row | {"group": "abcd"[i % 4], "split": ("train", "test")[i % 4 > 1]} for i, row in enumerate(some(300))]
    assert checked(tmp_path / "b.jsonl", rows).ok


def test_rows_that_do_not_fit_do_not_count_as_rows_to_test_on(tmp_path):
    rows = [row | {"split": "train"} for row in some(300)]
    rows += [{"prompt": f"{i} " + "word " * 100, "completion": "b", "split": "test"} for i in range(9)]
    result = checked(tmp_path / "a.jsonl", rows, context=50)
    assert found(result, "no rows to test on").severity == "stop"
    assert checked(tmp_path / "a.jsonl", rows, context=200).ok


def test_what_was_altered_or_not_used_is_a_finding(tmp_path):
    rows = [row | {"id": i} for i, row in enumerate(some(300))] + [{"prompt": "2?", "completion": 2, "context": "Two."}]
    result = checked(tmp_path / "a.jsonl", rows)
    assert [(f.severity, f.what, f.count, f.places[0]) for f in result.findings] == [
        ("warning", "not used: column 'context'", 1, "a.jsonl:301"),
        ("note", "not used: column 'id'", 300, "a.jsonl:1"),
        ("note", "numbers, true or false taken as text", 1, "a.jsonl:301"),
    ]


def test_splits_that_cannot_be_kept_are_a_finding(tmp_path):
    result = checked(tmp_path / "a.jsonl", [row | {"split": "test"} for row in some(300)])
    assert found(result, "rows are named for test alone: divided by a hash instead").severity == "warning"


def test_the_models_special_tokens_are_told_where_texts_have_them(tmp_path, tokenizer):
    rows = [*some(300), {"prompt": "Which?", "completion": "That.<|end|>"}, {"prompt": "[What]?", "completion": "<b>"}]
    finding = found(checked(tmp_path / "a.jsonl", rows, 500, in_tokens(tokenizer)), "special tokens")
    assert (finding.severity, finding.places) == ("warning", ("a.jsonl:301: <|end|>",))
