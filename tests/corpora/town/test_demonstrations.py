"""What is shipped is what is written; what a test asks for is in no training row; and every good answer is right."""

import json
import re
import shutil
from collections import Counter, defaultdict
from itertools import product

import pytest
from datasets import load_dataset
from transformers import AutoConfig, AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

from helpers import files
from helpers.corpora import load
from helpers.corpora.corpus import SET_ASIDE
from helpers.corpora.kinds.rules import RULES, right
from helpers.corpora.town import make_contract, make_world
from helpers.corpora.town.contract import HELD_OUT_COMBINATIONS
from helpers.corpora.town.demonstrations import (
    conversations,
    eskan,
    instructions,
    questions,
    support,
    translation,
    write,
    writing,
)
from helpers.corpora.town.demonstrations.draft import WORDINGS
from helpers.corpora.town.demonstrations.eskan import Scene, Thing, in_english, in_eskan
from helpers.corpora.town.lexicon import KIN, OCCUPATIONS, PERSONAL, THINGS
from helpers.files import WorkbookError
from helpers.tokenization import train_tokenizer

PEOPLE, SEED = 60, 0
"""Of the published run."""

SHIPPED = files.ROOT / "data" / "custom"
ROWS = list(conversations(PEOPLE, SEED))
WORLD = make_world(PEOPLE, SEED)
TASKS = ("questions", "reading", "translation", "glossary", "writing", "expressions", "support", "instructions", "echo")
SPLITS = ("train", "test")


def rows_of(split, *tasks, rows=ROWS):
    return [row for row in rows if row.split == split and (not tasks or row.task.partition(",")[0] in tasks)]


def said(row, *roles):
    """Returns all that is said in a row, or all that some roles say."""
    return "\n".join(content for role, content in row.messages if not roles or role in roles)


def answer(row):
    return row.messages[-1].content


def asked(row):
    return row.messages[-2].content


FULL_NAME = re.compile(
    r"\b(?:{}) (?:{})\b".format(
        "|".join(name for names in WORLD.lexicon.first_names.values() for name in names),
        "|".join(WORLD.lexicon.last_names + WORLD.lexicon.visitors),
    )
)


def names(text):
    return set(FULL_NAME.findall(text))


WOMEN = {*WORLD.lexicon.first_names["she"]}


def given(name):
    """Returns a first name."""
    return name.partition(" ")[0]


def subject(row):
    """Returns who is asked about: the last whom a question names."""
    return "".join(FULL_NAME.findall(asked(row))[-1:])


def words(text):
    return set(re.findall(r"[a-z']+", re.sub(r"\{\w+\}", "", text).lower()))


# What is shipped


@pytest.mark.parametrize("split", SPLITS)
def test_the_shipped_files_are_what_is_written(split, tmp_path):
    counts = write(tmp_path, PEOPLE, SEED)
    path = tmp_path / f"{split}.jsonl"
    assert (SHIPPED / path.name).read_bytes() == path.read_bytes()
    assert counts[path] == len(path.read_bytes().splitlines()) == len(rows_of(split))


def test_the_shipped_files_have_at_most_a_megabyte_and_a_half():
    assert sum((SHIPPED / f"{split}.jsonl").stat().st_size for split in SPLITS) <= 1.5 * 2**20


@pytest.fixture
def opened(tmp_path):
    """The shipped folder as the library `datasets` opens it."""
    return load_dataset(str(SHIPPED), cache_dir=str(tmp_path / "datasets"))


def test_datasets_opens_the_shipped_folder(opened):
    assert opened["train"].features == opened["test"].features
    for split in SPLITS:
        shown = [[(turn["role"], turn["content"]) for turn in turns] for turns in opened[split]["messages"]]
        assert shown == [[*row.messages] for row in rows_of(split)]
        assert opened[split]["check"][:] == [row.check for row in rows_of(split)]


def test_trl_takes_all_that_is_shipped(opened, tmp_path):
    tokenizer = train_tokenizer(["Where is the mill? By the river."], 300)
    config = AutoConfig.for_model(
        "gpt2", n_embd=4, n_layer=1, n_head=1, vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1
    )
    arguments = SFTConfig(str(tmp_path / "run"), max_length=4096, bf16=False, report_to=[])
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_config(config), arguments, train_dataset=opened["train"], processing_class=tokenizer
    )
    assert len(trainer.train_dataset) == len(opened["train"])
    for prepared, row in zip(trainer.train_dataset, opened["train"], strict=True):
        text = tokenizer.decode(prepared["input_ids"])
        assert text == tokenizer.apply_chat_template(row["messages"], tokenize=False)


def test_the_folder_gives_the_same_conversations_as_the_name(tmp_path):
    for name in ("README.md", "train.jsonl", "test.jsonl"):  # and not what a reader has put beside them
        shutil.copy(SHIPPED / name, tmp_path)
    shipped, named = load(str(tmp_path), "prompts"), load("town", "prompts", people=PEOPLE, seed=SEED)
    for corpus in (shipped, named):
        assert corpus.report.removed == {}
        assert not (corpus.folder / SET_ASIDE).exists()
        assert set(corpus.splits) == set(SPLITS)
    for split, columns in (("train", ["messages", "task"]), ("test", ["messages", "task", "check", "group"])):
        for column in columns:
            assert shipped.splits[split][column] == named.splits[split][column]
    assert {*shipped.splits["train"]["check"]} == {""}


def test_the_readme_counts_what_is_shipped_and_shows_one_of_each():
    readme = (SHIPPED / "README.md").read_text("utf-8")
    shipped = {split: list(map(json.loads, (SHIPPED / f"{split}.jsonl").open(encoding="utf-8"))) for split in SPLITS}
    for task in {row["task"] for rows in shipped.values() for row in rows}:
        counts = [sum(row["task"].startswith(task) for row in shipped[split]) for split in SPLITS]
        row = next(row for row in shipped["test"] if row["task"].startswith(task))
        shown = " / ".join(message["content"] for message in row["messages"])
        assert f"\n| `{task}` | {counts[0]} | {counts[1]} | {shown} |\n" in readme
    totals = [len(rows) for rows in shipped.values()]
    assert "{:,} rows for training and {:,} for the test".format(*totals) in readme


def test_the_checks_of_the_readme_are_rules_and_its_examples_can_be_read(tmp_path):
    text = (SHIPPED / "README.md").read_text("utf-8").partition("## Checks")[2]
    (block,) = re.findall(r"^```json\n(\{.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "a.jsonl").write_text(block)
    rows = [row for split in load(str(tmp_path / "a.jsonl"), "prompts").splits.values() for row in split]
    assert len(rows) == len(block.splitlines())
    assert all(right(row["messages"][-1]["content"], "", row["check"]) for row in rows)
    table = re.findall(r"^\| `(\{.*?\})` \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert {rule for row in table for rule in json.loads(row[0])} == {*RULES}
    for rule, good, bad in table:
        assert right(good.strip("`"), "", rule)
        assert not right(bad.strip("`"), "", rule)


# All of them


def test_every_task_is_there_in_both_splits_and_no_prompt_is_in_both():
    for split in SPLITS:
        assert {row.task.partition(",")[0] for row in rows_of(split)} == set(TASKS)
    prompts = {split: {row.messages[:-1] for row in rows_of(split)} for split in SPLITS}
    assert not prompts["train"] & prompts["test"]


def test_no_row_is_there_twice():
    repeated = [row for row, times in Counter(row.messages for row in ROWS).items() if times > 1]
    assert repeated == []


def test_the_same_prompt_has_the_same_answer_everywhere():
    answers = {}
    for row in ROWS:
        assert answers.setdefault(row.messages[:-1], answer(row)) == answer(row)


def test_nothing_is_left_to_be_filled_in():
    for row in ROWS:
        assert not re.search(r"[{}]|  |\.\.|\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", said(row)), said(row)
        assert all(content == content.strip() for _, content in row.messages)


@pytest.mark.parametrize("task", TASKS)
def test_every_demonstrated_answer_passes_its_check(task):
    for row in rows_of("test", task):
        assert right(answer(row), answer(row), row.check), said(row)
    assert all(row.check == "" for row in rows_of("train", task))


@pytest.mark.parametrize("task", TASKS)
def test_wrong_answers_fail(task):
    rows = rows_of("test", task)
    for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
        alike = task == "instructions" or (row.check and row.check == other.check) or answer(row) == answer(other)
        for wrong in [*wrongs(row), *([] if alike else [answer(other)])]:
            assert not right(wrong, answer(row), row.check), (said(row), wrong)


def wrongs(row):
    """Returns some wrong answers, according to the task."""
    good, task = answer(row), row.task.partition(",")[0]
    name = subject(row)
    others = [good.replace(value, other) for value in names(good) - {name} for other in names(asked(row)) - names(good)]
    offers = row.messages[0].content.partition("Who helps: ")[2][:-1].split(", ")  # if it is support
    return {
        "questions": [good.replace(name, "Nobody"), f"{name} is not known here.", f"{good} " + "And so on. " * 6],
        "reading": [good.replace(name, "Nobody"), f"{name} is not known here.", asked(row) + " " + asked(row), *others],
        "translation": [good[:-1], good.lower() if good[0].isupper() else good.capitalize(), asked(row)],
        "glossary": [good[:-1], asked(row)],
        "writing": [good.replace(name, "Somebody"), good + " Hurry.", good.partition(" ")[2], asked(row)],
        "expressions": [f"{good} + 1", f"-({good}) - 1", f"the answer is {good}", asked(row)],
        "support": [
            *(f"I am sorry that it is {fault}. Who helps: {', '.join(offers)}." for fault in support.FAULTS),
            *(good.replace(f"is {fault}", f"is not {fault}") for fault in support.FAULTS if fault in good),
            "I am sorry.",
            asked(row),
        ],
        "instructions": [f"{name} lives on the moon.", f"{name} is called {name}.", asked(row)],
        "echo": [good.partition(" ")[2], asked(row)],
    }[task]


def test_to_say_nothing_is_never_right():
    assert {row.task for row in rows_of("test") if right("", answer(row), row.check)} == set()


def test_the_same_seed_gives_the_same_rows_and_another_gives_another_town():
    again, other = list(conversations(PEOPLE, SEED)), list(conversations(PEOPLE, SEED + 1))
    assert again == ROWS
    for task in TASKS:
        texts = [{said(row) for row in rows_of("train", task, rows=rows)} for rows in (ROWS, other)]
        assert len(texts[0] & texts[1]) < 0.1 * len(texts[0])


@pytest.mark.parametrize(("people", "seed"), [(12, 1), (12, 2), (240, 1), (240, 2), (2000, 1)])
def test_towns_of_any_size_give_rows_and_none_of_the_test_is_in_train(people, seed):
    rows = list(conversations(people, seed))
    prompts = {row.messages[:-1] for row in rows_of("train", rows=rows)}
    assert [said(row) for row in rows_of("test", rows=rows) if row.messages[:-1] in prompts] == []
    assert len(rows_of("test", "questions", rows=rows)) > 3 * people / 2
    assert len(rows_of("train", "translation", rows=rows)) == len(rows_of("train", "translation"))


def test_a_town_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(WorkbookError, match="multiple of four"):
        write(tmp_path, 7, 0)


# What is held out


TEMPLATES = {
    "questions": [way for relation in (*PERSONAL, *KIN) for way in questions.wordings(relation, "test")],
    "reading": [way for relation in (*PERSONAL, *KIN) for way in questions.wordings(relation, "test")],
    "translation": WORDINGS["translation"]["test"],
    "glossary": WORDINGS["translation"]["test"],
    "writing": WORDINGS["writing"]["test"],
    "expressions": WORDINGS["expressions"]["test"],
    "support": WORDINGS["support"]["test"],
}
WORD = ("thing", "fault", "role", "kin", "language", "day")
"""Slots that one word fills."""


def pattern(templates):
    """Returns what finds a wording at the end of a text, after other sentences or none."""
    ways = []
    for template in templates:
        parts = re.split(r"\{(\w+)\}", template)
        slots = [r"\w+" if slot in WORD else ".+" for slot in parts[1::2]]
        ways.append("".join(re.escape(part) + slot for part, slot in zip(parts[::2], [*slots, ""], strict=True)))
    return re.compile(rf"(^|[.:?] )({'|'.join(ways)})( ({'|'.join(map(str.strip, writing.THANKS))}))?$")


@pytest.mark.parametrize("task", TEMPLATES)
def test_wordings_held_out_are_all_that_the_test_has_and_nothing_that_training_has(task):
    held_out = pattern(TEMPLATES[task])
    for row in rows_of("test", task):
        assert held_out.search(asked(row)), asked(row)
    for row in rows_of("train", task):
        for role, content in row.messages:
            assert role != "user" or not held_out.search(content), content


def test_wordings_held_out_are_made_of_words_that_training_has():
    known = words("\n".join(said(row) for row in rows_of("train")))
    wordings = [*TEMPLATES.values(), *WORDINGS["instructions"]["test"].values()]
    assert {word for templates in wordings for template in templates for word in words(template)} - known == set()


def test_people_of_the_test_are_never_asked_about_in_training():
    never = {person.name for person in WORLD.people} - make_contract(WORLD).asked
    assert {row.group for row in rows_of("test", "questions")} == never
    for row in rows_of("train", "questions", "instructions"):
        assert not names(said(row, "user")) & never, said(row)


def test_no_tie_that_the_test_asks_for_is_told_in_training_from_its_other_end():
    ties = {frozenset(names(answer(row))) for row in rows_of("train", "questions")}
    asked_for = [frozenset(names(answer(row))) for row in rows_of("test", "questions")]
    assert [tie for tie in asked_for if len(tie) == 2 and tie in ties] == []


def test_what_is_said_about_the_town_is_true():
    truth = {person.name: person.facts for person in WORLD.people}
    for row in [*rows_of("train", "questions", "instructions"), *rows_of("test", "questions", "instructions")]:
        (name,) = names(asked(row))
        assert any(value.lower() in answer(row).lower() for value in truth[name].values())


def test_strangers_are_not_of_the_town():
    town = {person.name for person in WORLD.people}
    for row in [*rows_of("train", "reading", "writing"), *rows_of("test", "reading", "writing")]:
        assert names(said(row))
        assert not names(said(row)) & town


@pytest.mark.parametrize("task", ["reading", "writing"])
def test_strangers_of_the_test_are_not_those_of_training(task):
    of = {split: set().union(*(names(said(row)) for row in rows_of(split, task))) for split in SPLITS}
    assert of["train"] & of["test"] == set()


def test_what_is_asked_about_a_stranger_stands_in_the_prompt():
    for row in rows_of("test", "reading"):
        first, *_, value = json.loads(row.check)["contains"]
        assert first == subject(row)
        assert value in asked(row).rpartition(first)[0]
    for row in rows_of("train", "reading"):
        told = row.messages[0].content
        for prompt, text in zip(row.messages[::2], row.messages[1::2], strict=True):
            assert names(text.content) <= names(told)
            assert not names(prompt.content) - names(told)


@pytest.mark.parametrize("split", SPLITS)
def test_kin_of_strangers_are_told_and_asked_for(split):
    asked_for = Counter()
    for row in rows_of(split, "reading"):
        for text in (message.content for message in row.messages if message.role == "assistant"):
            found = re.fullmatch(r"(.+)'s? (\w+) is (.+)\.", text)
            if found and found[2] in KIN:
                person, relation, relative = found.groups()
                (told,) = (part for part in row.messages[0].content.split(". ") if relative in part)
                assert relation in words(told)
                assert person != relative
                assert (relation in ("wife", "mother", "daughter", "sister")) == (given(relative) in WOMEN)
                assert relation != ("wife" if given(person) in WOMEN else "husband")
                asked_for[relation] += 1
    assert set().union(*(words(row.messages[0].content) for row in rows_of(split, "reading"))) >= {*KIN}
    assert len(asked_for) == len(KIN) - (split == "test")  # so few rows ask for no husband
    assert asked_for.total() > len(rows_of(split, "reading")) / 4


def test_to_name_somebody_is_no_answer_about_kin():
    rows = [row for row in rows_of("test", "questions", "reading") if len(json.loads(row.check)["contains"]) > 2]
    assert {row.task for row in rows} == {"questions", "reading"}
    for row in rows:
        person, relation, relative = json.loads(row.check)["contains"]
        assert right(f"The {relation} {relative}, {person} says.", "", row.check)
        for other in KIN:
            wrong = f"{person}'s {other} is {relative}."
            assert right(wrong, "", row.check) == (f"{other} is" == relation), wrong
        assert not right(f"{person} is a friend of {relative}.", "", row.check)


def met(text):
    """Returns the combinations of noun and verb that a text has in one sentence."""
    found = words(text)
    nouns, verbs = ({word for word in known if {word, word + "s"} & found} for known in (eskan.NOUNS, eskan.VERBS))
    return set(product(nouns, verbs))


@pytest.mark.parametrize("task", ["translation", "glossary"])
def test_noun_and_verb_held_out_never_meet_in_training(task):
    for row in rows_of("train", task):
        for prompt, text in zip(row.messages[::2], row.messages[1::2], strict=True):
            assert not met(f"{prompt.content} {text.content}") & HELD_OUT_COMBINATIONS, said(row)


def test_noun_and_verb_held_out_meet_in_each_test_of_translation():
    for row in rows_of("test", "translation"):
        assert met(said(row)) & HELD_OUT_COMBINATIONS, said(row)


def test_words_of_the_glossary_for_the_test_are_not_in_training():
    held_out = {form for noun in translation.GLOSSARY_HELD_OUT for form in (noun, noun + "s")}
    assert [row.task for row in rows_of("train") if words(said(row)) & held_out] == []
    assert all(words(said(row)) & held_out for row in rows_of("test", "glossary"))


def rules_of(row):
    """Returns who helps with what, by a shop's policy."""
    rules = re.fullmatch(r"You answer for a shop\. Who helps: (.+)\.", row.messages[0].content)[1]
    return dict(rule.split(" ") for rule in rules.split(", "))


def test_policies_of_the_test_are_not_in_training():
    known = [rules_of(row) for row in rows_of("train", "support")]
    assert {len(rules) for rules in known} == {support.POLICY_RULES}
    assert [rules_of(row) for row in rows_of("test", "support") if rules_of(row) in known] == []


def test_a_policy_names_some_things_each_with_another_helper():
    for row in [*rows_of("train", "support"), *rows_of("test", "support")]:
        rules = rules_of(row)
        assert {*rules} < {*THINGS}
        assert {*rules.values()} <= {*OCCUPATIONS}
        assert len({*rules.values()}) == support.POLICY_RULES


def test_no_rule_can_be_learned_by_heart():
    helpers = defaultdict(Counter)
    for row in rows_of("train", "support"):
        for thing, helper in rules_of(row).items():
            helpers[thing][helper] += 1
    assert {*helpers} == {*THINGS}
    assert all(max(counts.values()) < 0.15 * counts.total() for counts in helpers.values())


@pytest.mark.parametrize("split", SPLITS)
def test_a_shop_names_the_helper_of_its_policy_and_the_owner_where_it_names_none(split):
    named = Counter()
    for row in rows_of(split, "support"):
        rules = rules_of(row)
        for prompt, text in zip(row.messages[1::2], row.messages[2::2], strict=True):
            (fault,) = set(support.FAULTS) & words(prompt.content)
            (thing,) = {*THINGS} & words(prompt.content)
            assert text.content == f"I am sorry that it is {fault}. Who helps: {thing} {rules.get(thing, 'owner')}."
            named[thing in rules] += 1
    assert 0.15 * named.total() < named[False] < 0.35 * named.total()


def demanded(text):
    """Returns which instructions a text has, of those that training words."""
    ways = ((kind, wording) for kind, wordings in WORDINGS["instructions"]["train"].items() for wording in wordings)
    return {kind for kind, wording in ways if any(wording.format(role=role) in text for role in OCCUPATIONS)}


def test_pairs_of_instructions_and_contradictions_held_out_are_not_in_training():
    pairs, contradicted = set(), set()
    for row in rows_of("train", "instructions"):
        demands = demanded(said(row, "system", "user"))
        if len(demands) > 1:
            pairs.add(frozenset(demands))
        for kind, wording in instructions.CONTRADICTIONS.items():
            if re.search(wording.replace("{role}", r"\w+"), said(row, "user")):
                contradicted.add(kind)
    assert pairs == set(map(frozenset, instructions.TAUGHT_PAIRS))
    assert contradicted == {instructions.LANGUAGE}
    unseen = {frozenset(demanded(said(row, "system"))) for row in rows_of("test") if row.task.endswith("unseen pair")}
    assert unseen == set(map(frozenset, instructions.HELD_OUT_PAIRS))


def test_english_is_spoken_if_the_user_alone_says_so_and_eskan_if_the_system_does():
    """The same words are there with both outcomes: they do not tell whether to obey them, the system does."""
    spoken = Counter()
    for row in rows_of("train", "instructions"):
        if "Answer in English." in said(row, "user"):
            system = demanded(said(row, "system"))
            eskan = any(answer(row).startswith(f"{verb} ") for verb in instructions.ESKAN.values())
            assert row.messages[0].role == "system" or not system
            assert eskan == (system == {instructions.LANGUAGE})
            spoken[eskan] += 1
    assert min(spoken[True], spoken[False]) > 0.1 * len(rows_of("train", "instructions"))
    assert not [row for row in rows_of("test", "instructions") if row.messages[0].role != "system"]


def test_a_brief_answer_has_few_words():
    brief = [row for row in rows_of("test", "instructions") if "most_words" in row.check]
    assert brief
    for row in rows_of("test", "instructions"):
        assert (row in brief) == (instructions.LENGTH in row.group.partition(":")[0])
    for row in brief:
        check = json.loads(row.check)
        assert len(answer(row).split()) <= check["most_words"]
        head, _, tail = answer(row).partition(".")
        longer = f"{head} is what people who ought to know it say.{tail}"
        assert not right(longer, "", row.check)
        assert right(longer, "", json.dumps({rule: check[rule] for rule in check if rule != "most_words"}))


def test_wordings_of_instructions_held_out_are_in_the_test_of_wordings_alone():
    held_out = [wording for wordings in WORDINGS["instructions"]["test"].values() for wording in wordings]
    found = re.compile("|".join(re.escape(wording).replace(r"\{role\}", r"\w+") for wording in held_out))
    assert not [said(row) for row in rows_of("train") if found.search(said(row, "system", "user"))]
    for row in rows_of("test", "instructions"):
        assert bool(found.search(said(row, "system"))) == row.task.endswith("unseen wording")


def test_lists_of_the_test_are_not_in_training():
    assert not {answer(row) for row in rows_of("train", "echo")} & {answer(row) for row in rows_of("test", "echo")}


# Eskan and expressions


def read_eskan(text):
    """Reads a sentence, word by word, and says it in English."""
    stems = {stem: noun for noun, stem in eskan.NOUNS.items()}
    verbs = {stem: verb for verb, stem in eskan.VERBS.items()}
    adjectives = {stem: adjective for adjective, stem in eskan.ADJECTIVES.items()}
    times = {stem: time for time, stem in eskan.TIMES.items()}
    prepositions = {stem: preposition for preposition, stem in eskan.PREPOSITIONS.items()}
    left = text.removesuffix(".").split()

    def thing():
        plural = left[0] not in stems
        english = stems[left.pop(0).removesuffix("in") if plural else left.pop(0)] + "s" * plural
        if left and left[0].removesuffix("in") in adjectives:
            english = f"{adjectives[left.pop(0).removesuffix('in')]} {english}"
        return f"the {english}"

    when = times[left.pop(0)] + " " if left[0] in times else ""
    word = left.pop(0)
    verb = verbs[word[:-1]] + "s" if word.endswith("e") else verbs[word.removesuffix("un")]
    sentence = f"{when}{thing()} {verb}"
    if left:
        place = thing()
        sentence += f" {prepositions[left.pop(0)]} {place}"
    assert left == []
    return f"{sentence[0].upper()}{sentence[1:]}."


def scenes():
    """Yields all scenes that a sentence to be translated can tell."""
    subjects = [Thing(*parts) for parts in product(eskan.NOUNS, (False, True), ("", *eskan.ADJECTIVES))]
    places = [
        (near, Thing(noun, plural)) for near, noun, plural in product(eskan.PREPOSITIONS, eskan.NOUNS, (False, True))
    ]
    for subject, action, when in product(subjects, eskan.VERBS, ("", *eskan.TIMES)):
        yield Scene(subject, action, when)
        for near, place in places:
            yield Scene(subject, action, when, near, place)


def test_every_sentence_of_eskan_can_be_read_back():
    pairs = [(in_english(scene), in_eskan(scene)) for scene in scenes()]
    assert all(read_eskan(eskan) == english for english, eskan in pairs)
    assert len({english for english, _ in pairs}) == len({eskan for _, eskan in pairs}) == len(pairs)


def test_the_sentence_that_explains_eskan_is_right():
    scene = Scene(Thing("lamp", True, "old"), "gleam", "At night", "near", Thing("gate", False))
    assert in_english(scene) in eskan.__doc__
    assert in_eskan(scene) in eskan.__doc__


def test_translations_say_the_same_in_both_languages():
    for row in [*rows_of("train", "translation"), *rows_of("test", "translation")]:
        eskan, english = sorted((asked(row), answer(row)), key=lambda text: "the" in words(text))
        sentence = re.search(r"(?:^|: )([a-z. ]+?\.)(?: |$)", eskan)[1]
        assert read_eskan(sentence) in english


def test_stems_made_up_are_no_words_of_eskan():
    own = {*eskan.NOUNS.values(), *eskan.VERBS.values(), *eskan.ADJECTIVES.values(), *eskan.TIMES.values()}
    assert not own & {onset + end for onset, end in product(translation.ONSETS, translation.ENDS)}


def test_numbers_of_the_test_are_not_together_in_training():
    def numbers(split):
        return {tuple(re.findall(r"\d+", asked(row))[:2]) for row in rows_of(split, "expressions")}

    assert numbers("train") & numbers("test") == set()


@pytest.mark.parametrize("split", SPLITS)
def test_expressions_have_the_value_that_their_words_ask_for(split):
    for row in rows_of(split, "expressions"):
        value = eval(answer(row), {"__builtins__": {}}, {"max": max, "min": min})
        assert value == asked_value(asked(row))
        assert split == "train" or json.loads(row.check) == {"value": value}


def asked_value(text):
    """Computes what the words ask for, from the numbers and what stands around them."""
    a, b, *more = map(int, re.findall(r"\d+", text))
    first = {"sum": a + b, "together": a + b, "product": a * b, "larger": max(a, b), "smaller": min(a, b)}
    words, _, then = text.partition(", then ")
    value = next((value for word, value in first.items() if word in words), a - b)
    further = {"plus": lambda: value + more[0], "less": lambda: value - more[0], "times": lambda: value * more[0]}
    return (further | {"squared": lambda: value**2})[re.match(r"\w+", then)[0]]() if then else value
