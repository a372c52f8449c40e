"""Files become items, with counts of what was set aside; what is missing or damaged is an error that quotes no text."""

import csv
import json
import os
from pathlib import Path

import backbones
import numpy as np
import pytest

from helpers.evaluation import benchmarks
from helpers.evaluation.benchmark_files import COREFERENCE, PAIR, QUESTION, TRIPLE, UNKNOWN
from helpers.evaluation.benchmarks import BENCHMARKS, available, fits, length_matched, load, token_lengths
from helpers.files import WorkbookError

PUBLISHED = os.environ.get("WORKBOOK_BENCHMARKS")
real = pytest.mark.skipif(not PUBLISHED, reason="WORKBOOK_BENCHMARKS names no folder with the published files")

CROWS = ("", "sent_more", "sent_less", "stereo_antistereo", "bias_type", "annotations", "anon_writer")
GOOD = ("0", "Bakers rise late, often.", "Millers rise late, often.", "stereo", "age", "[]", "a1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_BENCHMARKS", str(tmp_path))
    return tmp_path


def write_table(path, *rows, delimiter=","):
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def write_json_lines(path, *rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def write_crows(folder, *rows):
    write_table(folder / "crows_pairs/crows_pairs_anonymized.csv", CROWS, *rows)


def write_winobias(folder, pro, anti):
    (folder / "winobias").mkdir(exist_ok=True)
    for name in BENCHMARKS["winobias"].files:
        lines = pro if name.startswith("pro") else anti
        (folder / "winobias" / name).write_text("\n".join(lines) + "\n", "utf-8")


def write_winogender(folder, *sentences):
    stats = ("occupation", "bergsma_pct_female", "bls_pct_female", "bls_year"), ("miller", "9.4", "40.3", "2015")
    write_table(folder / "winogender/occupations-stats.tsv", *stats, delimiter="\t")
    write_table(folder / "winogender/all_sentences.tsv", ("sentid", "sentence"), *sentences, delimiter="\t")


def bbq_row(**changed):
    row = {
        "context": "I saw an old and a young miller.",
        "question": "Who was late?",
        "ans0": "The old miller",
        "ans1": "Not known",
        "ans2": "The young miller",
        "label": 1,
        "answer_info": {"ans0": ["old", "old"], "ans1": ["Not known", "unknown"], "ans2": ["20-year-old", "nonOld"]},
        "additional_metadata": {"subcategory": "None", "stereotyped_groups": ["Old"]},
        "category": "Age",
        "question_index": "7",
        "question_polarity": "neg",
        "context_condition": "ambig",
    }
    return row | changed


def triple(sentences=("Bakers sing.", "Bakers hum.", "Bakers table."), **changed):
    labels = ("stereotype", "anti-stereotype", "unrelated")
    of = [{"id": text, "sentence": text, "gold_label": label} for text, label in zip(sentences, labels, strict=True)]
    row = {"id": "1", "target": "baker", "bias_type": "profession", "context": "Bakers BLANK", "sentences": of}
    return row | changed


def write_stereoset(folder, alone, after):
    (folder / "stereoset").mkdir(exist_ok=True)
    value = {"version": "1", "data": {"intrasentence": alone, "intersentence": after}}
    (folder / "stereoset/dev.json").write_text(json.dumps(value), "utf-8")


def test_crows_pairs_marks_what_is_hard_to_compare(folder):
    more_words = ("1", "Old bakers rise late.", "Millers rise late.", "antistereo", "age", "[]", "a2")
    spans = ("2", "Bakers rise late today.", "Millers rise early today.", "stereo", "age", "[]", "a2")
    write_crows(folder, GOOD, more_words, spans)
    items = load("crows_pairs").items
    assert [item.marks for item in items] == [set(), {"unequal words"}, {"several spans"}]
    assert items[0].options == (("", GOOD[1]), ("", GOOD[2]))
    assert (items[0].roles, items[0].group, items[0].category) == ({"stereotyped": (0,), "anti": (1,)}, "a1", "age")
    assert items[1].about == {"direction": "antistereo"}


def test_rows_that_cannot_be_items_are_set_aside_and_counted(folder):
    alike, empty, odd = [*GOOD], [*GOOD], [*GOOD]
    alike[2], empty[1], odd[3] = alike[1], " ", "neither"
    write_crows(folder, GOOD, alike, empty, empty, odd)
    found = load("crows_pairs")
    assert len(found.items) == 1
    assert found.set_aside == {"sentences alike": 1, "empty sentence": 2, "unknown direction": 1}
    assert "crows_pairs_anonymized.csv:3" in str(found)
    write_crows(folder, empty)
    with pytest.raises(WorkbookError, match=r"none of its 1 rows can be used\. Get the files of https://github"):
        load("crows_pairs")


def test_a_report_tells_source_licence_and_hash_and_no_text(folder):
    write_crows(folder, [*GOOD[:4], "<b>age", *GOOD[5:]])
    found = load("crows_pairs")
    for shown in (str(found), repr(found), found._repr_html_()):
        assert "github.com/nyu-mll/crows-pairs" in shown
        assert "CC-BY-SA-4.0" in shown
        assert found.sources[0].sha256 in shown
        assert "Bakers" not in shown
    assert "&lt;b&gt;age" in found._repr_html_()
    assert found.sources[0].bytes == (folder / "crows_pairs/crows_pairs_anonymized.csv").stat().st_size


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_missing_file_is_one_error_that_says_how_to_get_it(folder, name):
    with pytest.raises(WorkbookError, match="there is no such file") as error:
        load(name)
    assert f"https://github.com/{BENCHMARKS[name].repository}" in str(error.value)
    found, message = available(name)
    assert found is None
    assert message.startswith(f"data/benchmarks/{name}/")
    assert str(folder) not in message


def test_what_is_there_is_available(folder):
    write_crows(folder, GOOD)
    found, message = available("crows_pairs")
    assert len(found.items) == 1
    assert message == ""


def test_an_unknown_benchmark_is_a_programming_error():
    with pytest.raises(ValueError, match="Known: crows_pairs, winobias"):
        load("no such benchmark")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", r"csv, line 2: there is no column 'sent_more'\. Get"),
        (",".join(CROWS) + '\n0,"Bakers, rise\n', r"csv, line 2: broken table\. Get"),
        (",".join(CROWS) + "\n0,Bakers,rise\n", r"csv, line 2: ragged row\. Get"),
        ("<!doctype html><html>Bakers</html>", "it is an HTML page"),
        ("version https://git-lfs.github.com/spec/v1\n", "only a pointer of Git LFS"),
        ("", "the file is empty"),
    ],
)
def test_a_damaged_file_is_one_error_that_names_file_and_line_and_quotes_nothing(folder, text, said):
    write_crows(folder, GOOD)
    (folder / "crows_pairs/crows_pairs_anonymized.csv").write_text(text, "utf-8")
    with pytest.raises(WorkbookError, match=said) as error:
        load("crows_pairs")
    assert "crows_pairs_anonymized.csv" in str(error.value)
    assert "Bakers" not in str(error.value)


def test_winobias_has_pairs_and_coreferences(folder):
    pro = [
        "1 [The baker] thanked the miller because [she] was glad.",
        "2 The baker saw [the miller] and told [him] so.",
    ]
    anti = [
        "1 [The baker] thanked the miller because [he] was glad.",
        "2 The baker saw [the miller] and told [her] so.",
    ]
    write_winobias(folder, pro, anti)
    found = load("winobias")
    pairs, asked = found.of(PAIR), found.of(COREFERENCE)
    assert (len(pairs), len(asked)) == (4 * 2, 4 * 4)
    assert pairs[0].texts == [
        "The baker thanked the miller because she was glad.",
        "The baker thanked the miller because he was glad.",
    ]
    assert pairs[0].roles == {"stereotyped": (0,), "anti": (1,), "female": (0,), "male": (1,)}
    assert pairs[1].roles["female"] == (1,)
    assert {item.group for item in found.items} == {"baker / miller"}
    assert pairs[0].about == {"type": 1, "split": "dev", "occupation": "baker", "stereotype": "female"}
    assert asked[0].options == (
        ("The baker thanked the miller because she was glad. ‘She’ refers to the", " baker"),
        ("The baker thanked the miller because she was glad. ‘She’ refers to the", " miller"),
    )
    assert [(item.about["condition"], item.roles["stereotyped"]) for item in asked[:2]] == [
        ("pro", (0,)),
        ("anti", (1,)),
    ]


def test_winobias_marks_and_sets_aside(folder):
    pro = ["1 [The baker] saw the miller because [she] was here.", "2 [The miller] ate as [he] liked.", "3 Bakers."]
    anti = ["1 [The baker] saw the miller because [he] was late.", "2 [The miller] ate as [he] liked.", "3 Bakers."]
    write_winobias(folder, pro, anti)
    found = load("winobias")
    assert [item.marks for item in found.of(PAIR)] == [{"more than pronoun"}] * 4
    assert found.set_aside == {"pronouns of one gender": 4, "no pronoun and person in brackets": 4}
    assert not found.of(COREFERENCE)  # nothing says that a miller is an occupation


@pytest.mark.parametrize(
    ("anti", "said"),
    [
        (["1 [The baker] ate as [he] liked."], "anti_stereotyped_type1.txt.dev: it has 1 lines, and pro_.* has 2"),
        (
            ["1 [The baker] ate.", "[The baker] slept."],
            "anti_.*dev, line 2: the line does not begin with its number, 2",
        ),
    ],
)
def test_lines_of_winobias_that_are_not_aligned_are_an_error(folder, anti, said):
    write_winobias(folder, ["1 [The baker] ate as [she] liked.", "2 [The baker] slept as [she] liked."], anti)
    with pytest.raises(WorkbookError, match=said) as error:
        load("winobias")
    assert "slept" not in str(error.value)


SENTENCES = [(f"miller.guest.0.{gender}.txt", f"The miller told the guest that {word} could pay.")
             for gender, word in (("male", "he"), ("female", "she"), ("neutral", "they"))]  # fmt: skip


def test_winogender_has_coreferences_and_triples(folder):
    write_winogender(folder, *SENTENCES)
    found = load("winogender")
    asked, (compared,) = found.of(COREFERENCE), found.of(TRIPLE)
    assert [item.about.get("gotcha") for item in asked] == [False, True, None]
    assert [item.roles.get("stereotyped") for item in asked] == [(0,), (1,), None]
    assert asked[1].options[1] == ("The miller told the guest that she could pay. ‘She’ refers to the", " guest")
    assert compared.roles == {"male": (0,), "female": (1,), "neutral": (2,), "stereotyped": (0,), "anti": (1,)}
    assert compared.about["bls_pct_female"] == 40.3
    assert found.of(COREFERENCE, "stereotyped") == asked[:2]


def test_winogender_sets_aside_what_is_incomplete(folder):
    unnamed, silent = ("miller.guest.0.txt", "He sang."), ("miller.guest.1.male.txt", "The miller sang.")
    write_winogender(folder, *SENTENCES[:2], unnamed, ("king.guest.0.male.txt", "The king said he sang."), silent)
    found = load("winogender")
    assert found.set_aside == {"unknown sentid": 2, "not one pronoun": 1, "not three pronouns": 1}
    assert not found.of(TRIPLE)
    path = folder / "winogender/occupations-stats.tsv"
    path.write_text(path.read_text().replace("40.3", "many"))
    with pytest.raises(WorkbookError, match=r"stats\.tsv, line 2: a percentage is no number"):
        load("winogender")


def test_bbq_offers_two_people_and_ten_ways_not_to_know(folder):
    disambiguated = bbq_row(context_condition="disambig", question_polarity="nonneg", label=2)
    write_json_lines(folder / "bbq/Age.jsonl", bbq_row(), disambiguated)
    first, second = load("bbq").of(QUESTION)
    assert [text for _, text in first.options] == [" The old miller", " The young miller", *(f" {u}" for u in UNKNOWN)]
    assert first.options[0][0] == "I saw an old and a young miller.\n\nQ: Who was late?\nA:"
    unknown = tuple(range(2, 12))
    assert first.roles == {"right": unknown, "stereotyped": (0,), "anti": (1,), "unknown": unknown}
    assert second.roles == {"right": (1,), "stereotyped": (1,), "anti": (0,), "unknown": unknown}
    assert (first.group, first.about["condition"], second.about["condition"]) == ("Age 7", "ambiguous", "disambiguated")


@pytest.mark.parametrize(
    ("named", "other", "stereotyped", "biased"),
    [
        (["Ann Mill", "F-Black"], ["Tom Mill", "M-White"], ["Black"], 0),
        (["Ann Mill", "F_Black"], ["Ann Miles", "F_White"], ["Black"], 0),
        (["the guest", "lowSES"], ["the host", "highSES"], ["low SES"], 0),
        (["the host", "highSES-Dane"], ["the guest", "lowSES-Finn"], ["Finn"], 1),
        (["the old woman", "woman"], ["the old man", "man"], ["F"], 0),
        (["the girl", "girl"], ["the German", "German"], ["M"], None),
    ],
)
def test_whom_bbq_calls_stereotyped_its_metadata_say(folder, named, other, stereotyped, biased):
    info = {"ans0": named, "ans1": ["Not known", "unknown"], "ans2": other}
    row = bbq_row(answer_info=info, additional_metadata={"stereotyped_groups": stereotyped})
    write_json_lines(folder / "bbq/Age.jsonl", bbq_row(), row)
    found = load("bbq")
    if biased is None:
        assert found.set_aside == {"not exactly one biased answer": 1}
    else:
        assert found.items[1].roles["stereotyped"] == (biased,)


def test_bbq_needs_two_people(folder):
    write_json_lines(folder / "bbq/Age.jsonl", bbq_row(), bbq_row(ans0="Unknown"), bbq_row(label=3))
    assert load("bbq").set_aside == {"not two people and one unknown": 2}


def test_blimp_is_read_as_the_harness_does(folder):
    row = {"sentence_good": "Bakers sing.", "sentence_bad": "Bakers sings.", "UID": "agreement", "field": "syntax"}
    write_json_lines(folder / "blimp/agreement.jsonl", row | {"linguistics_term": "agreement"})
    (item,) = load("blimp").items
    assert item.options == (("", " Bakers sing."), ("", " Bakers sings."))
    assert item.texts == ["Bakers sing.", "Bakers sings."]
    assert (item.roles, item.group) == ({"right": (0,)}, "agreement 1")


def test_stereoset_has_sentences_alone_and_after_a_context(folder):
    after = triple(context="She is a baker", target="bakery")
    twice = triple(sentences=("Bakers sing.", "Bakers sing.", "Bakers table."))
    lacking = triple()
    lacking["sentences"] = lacking["sentences"][:2]
    write_stereoset(folder, [triple(), twice, lacking], [after])
    found = load("stereoset")
    alone, other = found.of(TRIPLE)
    assert alone.options == (("", "Bakers sing."), ("", "Bakers hum."), ("", "Bakers table."))
    assert other.options[0] == ("She is a baker.", " Bakers sing.")
    assert alone.roles == {"stereotyped": (0,), "anti": (1,), "unrelated": (2,)}
    assert other.about == {"task": "intersentence", "target": "bakery"}
    assert found.set_aside == {"sentences alike": 1, "not one sentence of each label": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "dev.json: there are no lists intrasentence and intersentence under 'data'"),
        ('{"data":\n[', "dev.json, line 2: not valid JSON"),
        (
            '{"data": {"intersentence": [], "intrasentence": [{"id": 1}]}}',
            "intrasentence 1: there is no column 'target'",
        ),
    ],
)
def test_a_damaged_stereoset_is_an_error(folder, text, said):
    (folder / "stereoset").mkdir()
    (folder / "stereoset/dev.json").write_text(text)
    with pytest.raises(WorkbookError, match=said):
        load("stereoset")


@pytest.mark.parametrize("changed", [{"answer_info": {"ans0": None}}, {"additional_metadata": None}, {"ans0": 1}])
def test_a_row_of_another_form_is_an_error_or_set_aside(folder, changed):
    write_json_lines(folder / "bbq/Age.jsonl", bbq_row(), bbq_row(**changed))
    if "ans0" in changed:
        assert load("bbq").set_aside == {"not text": 1}
    else:
        with pytest.raises(WorkbookError, match=r"jsonl, line 2: the row is not of its form\. Get"):
            load("bbq")


@pytest.mark.usefixtures("own_cache")
def test_a_data_set_of_the_hub_is_read_if_it_has_the_columns(tmp_path):
    place = tmp_path / "pairs"
    write_table(place / "test.csv", CROWS[1:], GOOD[1:])
    (place / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: test.csv\n---\n")
    found = load("crows_pairs", f"hub:{place}::train")
    assert found.items[0].texts == list(GOOD[1:3])
    assert found.sources[0].bytes is None
    with pytest.raises(WorkbookError, match="there is no column 'sentence_good'"):
        load("blimp", f"hub:{place}::train")
    with pytest.raises(WorkbookError, match="winobias cannot be read from here"):
        load("winobias", f"hub:{place}")


def test_lengths_are_those_of_what_is_scored(folder, tmp_path):
    write_crows(
        folder, GOOD, ("1", "ab", "abc", "stereo", "age", "[]", "a2"), ("2", "ab", "cd", "stereo", "age", "", "b")
    )
    tokenizer = backbones.bpe("end")
    items = load("crows_pairs").items
    for item, lengths in zip(items, token_lengths(items, tokenizer), strict=True):
        assert lengths.tolist() == [len(tokenizer(text)["input_ids"]) for text in item.texts]
    assert length_matched(items, tokenizer)[2]
    write_json_lines(folder / "bbq/Age.jsonl", bbq_row(), bbq_row(context="I."))
    asked = load("bbq").items
    longest = max(len(tokenizer(text)["input_ids"]) for text in asked[1].texts)
    assert fits(asked, tokenizer, longest).tolist() == [False, True]


@real
def test_the_published_crows_pairs_have_the_known_faults():
    found = load("crows_pairs")
    marks = [item.marks for item in found.items]
    assert len(found.items) == 1508
    assert sum("several spans" in of for of in marks) == 236
    assert sum("unequal words" in of for of in marks) == 213
    assert not found.aside


@real
def test_the_published_winobias_has_the_known_faults():
    found = load("winobias")
    pairs = found.of(PAIR)
    assert len(pairs) + sum(found.set_aside.values()) == 1584
    assert sum("more than pronoun" in item.marks for item in pairs) + sum(found.set_aside.values()) == 62
    occupations = {item.about["occupation"]: item.about["stereotype"] for item in pairs}
    assert np.unique(list(occupations.values()), return_counts=True)[1].tolist() == [20, 20]
    assert all(len(item.group.split(" / ")) == 2 for item in pairs)


@real
@pytest.mark.skipif(not PUBLISHED or not (Path(PUBLISHED) / "winogender").is_dir(), reason="Winogender is not there")
def test_the_published_winogender_is_whole():
    found = load("winogender")
    assert (len(found.of(COREFERENCE)), len(found.of(TRIPLE)), len(found.aside)) == (720, 240, 0)
    assert sum(item.about.get("gotcha", False) for item in found.of(COREFERENCE)) == 240


@real
@pytest.mark.skipif(not PUBLISHED or not list(Path(PUBLISHED).glob("bbq/*.jsonl")), reason="BBQ is not there")
def test_the_published_bbq_has_a_biased_answer_in_each_question():
    found = load("bbq")
    assert not found.aside
    assert {item.category for item in found.items} == {path.stem for path in Path(PUBLISHED).glob("bbq/*.jsonl")}


@real
def test_the_published_blimp_has_1000_pairs_of_each_paradigm():
    found = load("blimp")
    assert not found.aside
    assert len({item.group for item in found.items}) == len(found.items) == 1000 * len(found.sources)


def test_by_default_nothing_but_the_folder_is_asked(monkeypatch):
    monkeypatch.delenv("WORKBOOK_BENCHMARKS", raising=False)
    assert benchmarks.folder() == benchmarks.files.ROOT / "data/benchmarks"
