"""Answers: the same alone, in a batch, piece by piece and without a cache; none longer than the model can read."""

import copy

import pytest
import torch
from backbones import save_kind

from helpers import generation, pretrained, tokenization
from helpers.files import WorkbookError
from helpers.generation import reply, sample, stream_reply
from helpers.models import causal_model
from helpers.profiles import load_profile

SYSTEM = {"role": "system", "content": "Be brief."}
LENGTHS = ["Who?", "", "A mill by the river, or where else?", "A mill?", "naïve 東京 🐈"]


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)


@pytest.fixture(scope="module")
def model(tokenizer):
    return causal_model(load_profile("smoke", vocab_size=320, context=128), tokenizer, seed=0).eval()


def greedy(model, ids, count):
    """Writes without a cache and without transformers' `generate`."""
    written = []
    for _ in range(count):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([[*ids, *written]]), use_cache=False).logits
        written.append(int(logits[0, -1].argmax()))
    return written


def test_an_answer_is_what_the_full_pass_gives(model, tokenizer):
    messages = [SYSTEM, user("Who?"), assistant("The miller."), user("Where?")]
    ids = greedy(model, tokenization.encode_conversation(tokenizer, messages, answer=True)[0], 12)
    assert tokenizer.eos_token_id not in ids
    expected = tokenizer.decode(ids, skip_special_tokens=True)
    assert reply(model, tokenizer, [messages], 12) == [expected]
    assert "".join(stream_reply(model, tokenizer, messages, 12)) == expected


def test_answers_keep_their_order_and_do_not_depend_on_what_is_asked_beside(model, tokenizer, monkeypatch):
    conversations = [[user(text)] for text in LENGTHS] + [[SYSTEM, user("Who?"), assistant("I."), user("Where?")]]
    alone = [reply(model, tokenizer, [messages], 12)[0] for messages in conversations]
    assert len(set(alone)) > 1
    assert reply(model, tokenizer, conversations, 12) == alone
    assert reply(model, tokenizer, conversations[::-1], 12) == alone[::-1]
    monkeypatch.setattr(generation, "in_batches", lambda rows: [[0, 5], [3, 1, 2, 4]])
    assert reply(model, tokenizer, conversations, 12) == alone
    assert ["".join(stream_reply(model, tokenizer, messages, 12)) for messages in conversations] == alone


def read_tokens(model, function):
    """Returns what a function gives, and the shapes, (rows, tokens), of what the model's backbone reads meanwhile."""
    shapes = []
    hook = model.base_model.register_forward_pre_hook(
        lambda _, given, named: shapes.append(tuple((named.get("input_ids") if not given else given[0]).shape)),
        with_kwargs=True,
    )
    found = function()
    hook.remove()
    return found, shapes


def test_what_all_begin_with_is_read_once(model, tokenizer):
    conversations = [[{"role": "system", "content": "Be brief, and say it once."}, user(text)] for text in LENGTHS]
    lengths = [len(tokenization.encode_conversation(tokenizer, turns, answer=True)[0]) for turns in conversations]
    _, shapes = read_tokens(model, lambda: reply(model, tokenizer, conversations, 4))
    shared = shapes[0][1]
    assert shared > len("Be brief, and say it once.") / 2
    assert shapes == [(1, shared), (len(LENGTHS), max(lengths) - shared), *[(len(LENGTHS), 1)] * 3]


def test_who_has_ended_is_written_no_further(model, tokenizer, monkeypatch):
    rows = [tokenizer(text)["input_ids"] + [5] for text in LENGTHS]
    alone = [greedy(model, row, 12) for row in rows]
    end = alone[0][2]
    expected = [written[: written.index(end)] if end in written else written for written in alone]
    monkeypatch.setattr(generation, "TOGETHER", 4)
    with torch.inference_mode():
        written, shapes = read_tokens(model, lambda: generation._continued(model, rows, 12, 0.0, [end], 0))
    assert [ids[: ids.index(end)] if end in ids else ids for ids in written] == expected
    going = [sum(len(ids) >= 4 * chunk for ids in expected) for chunk in range(3)]
    assert going[0] > going[-1] > 0
    assert [count for count, _ in shapes] == [count for count in going for _ in range(4)]


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "gpt_neo", "opt", "bloom", "falcon", "mamba"])
def test_any_kind_of_model_writes_together_what_it_writes_alone(kind, tmp_path, monkeypatch):
    save_kind(kind, tmp_path / kind)
    model, tokenizer = pretrained.load_model(tmp_path / kind)
    monkeypatch.setattr(generation, "TOGETHER", 4)
    prompts = ["the old mill stands by the river " + text for text in ("A", "A wheel turns", "at night alpha beta", "")]
    alone = [sample(model, tokenizer, [prompt], 14, seed=0, temperature=0.0)[0] for prompt in prompts]
    assert sample(model, tokenizer, prompts, 14, seed=0, temperature=0.0) == alone
    assert len(set(alone)) > 1


def test_each_token_is_read_once_even_by_a_model_that_was_made_to_be_trained(model, tokenizer):
    trained = copy.deepcopy(model)
    trained.config.use_cache = trained.generation_config.use_cache = False
    lengths = []
    trained.register_forward_pre_hook(
        lambda _, __, given: lengths.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    assert reply(trained, tokenizer, [[user("Who?")]], 12) == reply(model, tokenizer, [[user("Who?")]], 12)
    assert lengths[0] > 1
    assert lengths[1:] == [1] * 11


def test_nothing_asked_is_nothing_answered(model, tokenizer):
    assert reply(model, tokenizer, [], 12) == []


def test_draws_repeat_by_seed_and_leave_the_callers_random_state(model, tokenizer):
    before = torch.random.get_rng_state()
    conversations = [[user(text)] for text in LENGTHS]
    first = reply(model, tokenizer, conversations, 12, seed=3, temperature=1.0)
    assert first == reply(model, tokenizer, conversations, 12, seed=3, temperature=1.0)
    assert first != reply(model, tokenizer, conversations, 12, seed=4, temperature=1.0)
    pieces = stream_reply(model, tokenizer, conversations[0], 12, seed=3, temperature=1.0)
    start = next(pieces)
    assert torch.equal(before, torch.random.get_rng_state())
    drawn = start + "".join(pieces)
    assert drawn == "".join(stream_reply(model, tokenizer, conversations[0], 12, seed=3, temperature=1.0))
    assert drawn != "".join(stream_reply(model, tokenizer, conversations[0], 12, seed=4, temperature=1.0))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("how", ["the tokenizer", "the template"])
def test_an_answer_ends_where_the_tokenizer_or_the_template_ends_it(model, tokenizer, how):
    written = greedy(model, tokenization.encode_conversation(tokenizer, [user("Who?")], answer=True)[0], 12)
    place = next(i for i in range(1, 12) if written[i] not in written[:i])
    end = tokenizer.convert_ids_to_tokens(written[place])
    ending = copy.deepcopy(tokenizer)
    if how == "the tokenizer":
        ending.eos_token = end
    else:
        ending.add_special_tokens({"extra_special_tokens": [end]}, replace_extra_special_tokens=False)
        ending.chat_template = tokenizer.chat_template.replace("eos_token", f"'{end}'")
        assert ending.eos_token_id == tokenizer.eos_token_id
    expected = tokenizer.decode(written[:place], skip_special_tokens=True)
    assert reply(model, ending, [[user("Who?")]], 12) == [expected]
    assert "".join(stream_reply(model, ending, [user("Who?")], 12)) == expected


@pytest.mark.parametrize("text", ["naïve 東京 🐈!", "🐈", "", "fine."])
def test_a_piece_is_never_half_a_character(model, tokenizer, monkeypatch, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(generation, "_tokens", lambda *arguments: iter(ids))
    pieces = list(stream_reply(model, tokenizer, [user("Who?")], 12))
    assert "".join(pieces) == text
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(pieces)
    assert all(pieces)


def test_what_stays_half_a_character_is_shown_as_such_at_the_end(model, tokenizer, monkeypatch):
    ids = tokenizer("a🐈", add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(generation, "_tokens", lambda *arguments: iter(ids[:-1]))
    assert "".join(stream_reply(model, tokenizer, [user("Who?")], 12)) == tokenizer.decode(ids[:-1])


def test_a_long_conversation_loses_its_oldest_turns(model, tokenizer):
    told = [turn for i in range(20) for turn in (user(f"Who is number {i}?"), assistant("The miller."))]
    last = user("And who asks?")
    answer = reply(model, tokenizer, [[SYSTEM, *told, last]], 12)
    prompts = [[SYSTEM, *told[start:], last] for start in range(0, len(told) + 1, 2)]
    fitting = [
        messages
        for messages in prompts
        if len(tokenization.encode_conversation(tokenizer, messages, answer=True)[0]) <= 128 - 12
    ]
    assert 1 < len(fitting) < len(prompts)
    assert (
        generation._prompt(model, tokenizer, [SYSTEM, *told, last], 12)
        == (tokenization.encode_conversation(tokenizer, fitting[0], answer=True)[0])
    )
    assert answer == reply(model, tokenizer, fitting[:1], 12)
    assert answer == ["".join(stream_reply(model, tokenizer, [SYSTEM, *told, last], 12))]


@pytest.mark.parametrize("before", [[], [SYSTEM], [user("Who?"), assistant("I.")]])
def test_a_last_turn_that_is_too_long_alone_is_told(model, tokenizer, before):
    messages = [*before, user("1 " * 70)]
    for answered in (
        lambda: reply(model, tokenizer, [messages], 12),
        lambda: list(stream_reply(model, tokenizer, messages, 12)),
    ):
        with pytest.raises(WorkbookError, match=r"last message is too long.* 128, of which 12 are kept"):
            answered()
