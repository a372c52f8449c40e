"""Answers alone are learned, by heart if need be; conversations in one row do not see each other; none is cut."""

import copy
import dataclasses
from collections import Counter
from itertools import accumulate, chain

import pytest
import torch
from backbones import PROFILE as SHORT
from backbones import TEXTS, save_gpt2
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    set_seed,
)
from trl import SFTTrainer

from helpers import tokenization
from helpers.cards import Card, save_tuned
from helpers.files import WorkbookError
from helpers.generation import reply
from helpers.models import causal_model, weights_fingerprint, with_adapters
from helpers.pretrained import load_model
from helpers.training import demonstrations
from helpers.training.demonstrations import (
    ConversationTrainer,
    EncodedRow,
    Recipe,
    collate,
    encode_conversations,
    encode_replay,
    finetune,
    pack_rows,
)

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")

CONTEXT = 64
PROFILE = dataclasses.replace(SHORT, context=CONTEXT)
SIZES = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
HEADS = {"intermediate_size": 64, "max_position_embeddings": CONTEXT}
GPT2_SIZES = {"vocab_size": 320, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT}
OPT_SIZES = {"word_embed_proj_dim": 32, "ffn_dim": 64, "max_position_embeddings": CONTEXT}
MAKERS = {
    "Qwen3": lambda tokenizer: causal_model(PROFILE, tokenizer, seed=0),
    "Llama": lambda _: LlamaForCausalLM(LlamaConfig(**SIZES, **HEADS)),
    "GPT-2": lambda _: GPT2LMHeadModel(GPT2Config(**GPT2_SIZES, bos_token_id=0, eos_token_id=1)),
    "OPT": lambda _: OPTForCausalLM(OPTConfig(**SIZES, **OPT_SIZES)),
    "Bloom": lambda _: BloomForCausalLM(BloomConfig(vocab_size=320, hidden_size=32, n_layer=2, n_head=2)),
}
APART = ["Qwen3", "Llama", "GPT-2"]
LEAKING = ["OPT", "Bloom"]
CARD = Card("title", "about", "mit", "base", {}, {}, [], "limits")


def conversation(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


TALKS = [
    conversation("Where?", "By the river."),
    conversation("What turns?", "A wheel."),
    conversation("When does it turn?", "At night.", "And by day?", "No."),
    conversation("Say it.", "alpha omega beta gamma"),
    conversation("Is it old?", "Yes."),
]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(TEXTS, PROFILE.vocab_size)


@pytest.fixture
def make(tokenizer):
    """Makes a model by the name of its type, with weights so large that what leaks is seen."""

    def made(name):
        set_seed(0)
        model = MAKERS[name](tokenizer)
        for parameter in model.parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.2)
        return model.eval()

    return made


@pytest.fixture(scope="module")
def rows(tokenizer):
    return encode_conversations(tokenizer, TALKS, CONTEXT)


def batch_of(rows, context=CONTEXT):
    return collate(list(pack_rows(rows, context, epochs=1, seed=0)))


def prepared(rows, folder):
    """Returns arguments and data of a training."""
    return demonstrations._arguments(str(folder), 4, 1, Recipe(), seed=0), pack_rows(rows, CONTEXT, epochs=1, seed=0)


@pytest.fixture
def loss_of(tokenizer, rows, tmp_path):
    """Computes the loss of a model on a batch as `ConversationTrainer` does."""

    def computed(model, batch, **options):
        args, data = prepared(rows, tmp_path)
        trainer = ConversationTrainer(model, args, data, processing_class=tokenizer, rates=Recipe().rates)
        return trainer.compute_loss(model.eval(), dict(batch), **options)

    return computed


def gradients(model):
    return {name: parameter.grad for name, parameter in model.named_parameters()}


# What is learned


def test_no_gradient_comes_from_where_the_next_token_is_not_the_assistants(make, rows, loss_of):
    model, batch = make("Llama"), batch_of(rows)
    seen = []
    model.model.register_forward_hook(lambda _, __, output: seen.append(output.last_hidden_state))
    loss = loss_of(model, batch)
    seen[0].retain_grad()
    loss.backward()
    moved = seen[0].grad.abs().sum(-1) > 0  # (rows, tokens)
    wanted = batch["labels"] != tokenization.IGNORED
    assert torch.equal(moved[:, :-1], wanted[:, 1:])
    assert not moved[:, -1].any()


def test_what_is_asked_and_what_is_replayed_first_is_no_target_and_every_answer_is(tokenizer, rows):
    batch = batch_of(rows)
    targets = batch["labels"][batch["labels"] != tokenization.IGNORED]
    answers = [message["content"] for talk in TALKS for message in talk if message["role"] == "assistant"]
    said = [tokenizer(f" {answer}", add_special_tokens=False)["input_ids"] for answer in answers]
    assert Counter(targets.tolist()) == Counter(token for ids in said for token in [*ids, tokenizer.eos_token_id])


@pytest.mark.parametrize("name", APART)
def test_the_loss_is_the_one_of_transformers_and_of_trl(make, tokenizer, rows, loss_of, tmp_path, name):
    model, batch = make(name), batch_of(rows)
    args, data = prepared(rows, tmp_path)
    theirs = SFTTrainer(copy.deepcopy(model), args, collate, data, processing_class=tokenizer)
    theirs.model.eval()
    plain = model(**batch, use_cache=False).loss
    for items in (None, torch.tensor(7), 1000):
        ours = loss_of(model, batch, num_items_in_batch=items)
        expected = plain if items is None else plain * (batch["labels"] != tokenization.IGNORED).sum() / items
        assert ours.item() == pytest.approx(expected.item(), rel=1e-6)
        other = theirs.compute_loss(theirs.model, dict(batch), num_items_in_batch=items)
        assert ours.item() == pytest.approx(other.item(), rel=1e-5)
    loss_of(model, batch).backward()
    ours = gradients(model)
    theirs.compute_loss(theirs.model, dict(batch)).backward()
    for part, gradient in gradients(theirs.model).items():
        assert torch.allclose(ours[part], gradient, atol=1e-5), part


def test_a_batch_without_targets_has_no_loss_and_moves_nothing(make, rows, loss_of):
    model, batch = make("Qwen3"), batch_of(rows)
    batch["labels"] = torch.full_like(batch["labels"], tokenization.IGNORED)
    for items in (None, 0):
        loss = loss_of(model, batch, num_items_in_batch=items)
        loss.backward()
        assert loss.item() == 0
        assert all(gradient is None or not gradient.any() for gradient in gradients(model).values())


# Rows


@pytest.mark.parametrize("name", APART)
def test_a_conversation_between_others_is_read_as_if_it_were_alone(make, rows, name):
    model, data = make(name), pack_rows(rows, CONTEXT, epochs=1, seed=0)
    assert demonstrations.keeps_apart(model)
    assert max(map(len, data["seq_lengths"])) > 2
    batch = collate(list(data))
    with torch.inference_mode():
        packed = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        for logits, ids, lengths in zip(packed, data["input_ids"], data["seq_lengths"], strict=True):
            begin = 0
            for length in lengths:
                alone = model(input_ids=torch.tensor([ids[begin : begin + length]]), use_cache=False).logits[0]
                assert torch.allclose(logits[begin : begin + length], alone, atol=1e-5)
                begin += length


@pytest.mark.parametrize("name", LEAKING)
def test_a_model_that_would_mix_them_up_gets_each_alone(make, tokenizer, rows, name):
    model = make(name).train()
    assert not demonstrations.keeps_apart(model)
    assert model.training
    data = pack_rows(rows, CONTEXT, epochs=1, seed=0, together=False)
    batch = collate(list(data))
    with torch.inference_mode():
        model.eval()
        beside = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        for logits, ids in zip(beside, data["input_ids"], strict=True):
            alone = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
            assert torch.allclose(logits[: len(ids)], alone, atol=1e-5)
    longest = max(len(row.input_ids) for row in rows)
    course = finetune(model, tokenizer, rows, Recipe(epochs=2, batch_tokens=2 * longest), seed=0)
    assert course.steps == len(rows)  # two rows a step, each read twice
    assert course.tokens == 2 * sum(len(row.input_ids) for row in rows)


@pytest.mark.parametrize("together", [True, False])
def test_packing_keeps_every_row_whole_once_an_epoch_in_an_order_of_its_own(rows, together):
    def parts(data):
        found = []
        for ids, labels, lengths in zip(data["input_ids"], data["labels"], data["seq_lengths"], strict=True):
            assert sum(lengths) == len(ids) <= CONTEXT
            for length in lengths:
                found.append((tuple(ids[:length]), tuple(labels[:length])))
                ids, labels = ids[length:], labels[length:]
        return found

    many = [*rows, *(EncodedRow([token, token + 1, token + 2], [token] * 3) for token in range(20, 60))]
    once = [parts(pack_rows(many, CONTEXT, 1, seed, together=together)) for seed in (0, 0, 1)]
    assert once[0] == once[1] != once[2]
    expected = Counter((tuple(row.input_ids), tuple(row.labels)) for row in many)
    thrice = parts(pack_rows(many, CONTEXT, 3, 0, together=together))
    epochs = [thrice[epoch * len(many) : (epoch + 1) * len(many)] for epoch in range(3)]
    assert [Counter(epoch) for epoch in epochs] == [expected] * 3
    assert epochs[0] != epochs[1] != epochs[2]
    assert (max(map(len, pack_rows(many, CONTEXT, 1, 0, together=together)["seq_lengths"])) > 1) == together


def test_a_row_has_other_neighbours_in_each_epoch():
    many = [EncodedRow([token] * 20, [token] * 20) for token in range(60)]
    data = pack_rows(many, CONTEXT, epochs=2, seed=0)
    neighbours = [frozenset(ids) for ids in data["input_ids"]]
    first, second = set(neighbours[: len(data) // 2]), set(neighbours[len(data) // 2 :])
    assert {len(together) for together in first | second} == {3}
    assert len(first & second) < len(first) / 2


def test_positions_begin_anew_and_padding_is_no_target(rows):
    data = pack_rows(rows, CONTEXT, epochs=1, seed=0)
    batch = collate(list(data))
    for place, lengths in enumerate(data["seq_lengths"]):
        end = sum(lengths)
        assert batch["position_ids"][place, :end].tolist() == [at for length in lengths for at in range(length)]
        assert (batch["labels"][place, end:] == tokenization.IGNORED).all()
    assert (batch["labels"][batch["position_ids"] == 0] == tokenization.IGNORED).all()


def test_replayed_text_has_all_tokens_but_the_first_of_each_piece_as_targets(tokenizer):
    texts = ["The old mill stands by the river. " * 9, "A wheel turns at night.", "alpha omega"]
    documents = tokenization.encode_documents(tokenizer, texts)
    assert len(documents[0]) > 16
    replay = encode_replay(tokenizer, texts, 10**6, context=16, seed=0)
    assert Counter(token for row in replay for token in row.input_ids) == Counter(chain(*documents))
    assert max(len(row.input_ids) for row in replay) == 16
    labels = batch_of(replay, context=16)["labels"]
    assert Counter(labels[labels != tokenization.IGNORED].tolist()) == Counter(
        token for row in replay for token in row.input_ids[1:]
    )


def test_text_is_replayed_until_there_is_enough_of_it_and_the_seed_says_which(tokenizer):
    texts = [f"The mill has {i} wheels." for i in range(50)]
    drawn = [encode_replay(tokenizer, texts, 100, CONTEXT, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    longest = max(map(len, tokenization.encode_documents(tokenizer, texts)))
    assert 100 <= sum(len(row.input_ids) for row in drawn[0]) < 100 + longest
    assert encode_replay(tokenizer, texts, 0, CONTEXT, seed=0) == []


def test_each_epoch_has_all_demonstrations_and_another_part_of_what_is_replayed(tokenizer, rows):
    replay = encode_replay(tokenizer, [f"The mill has {i} wheels." for i in range(50)], 10**6, CONTEXT, seed=0)
    whole = pack_rows(rows, CONTEXT, 3, seed=0, replay=replay)
    read = Counter(tuple(ids) for ids in each_alone(whole))
    assert read == Counter({tuple(row.input_ids): 3 for row in rows} | {tuple(row.input_ids): 1 for row in replay})
    first = Counter(tuple(ids) for ids in each_alone(pack_rows(rows, CONTEXT, 1, seed=0, replay=replay[::3])))
    assert first <= read
    assert {tuple(row.input_ids) for row in rows} <= {*first}


def each_alone(data):
    """Returns the token ids of everything that stands together in packed rows."""
    for row in data:
        ends = list(accumulate(row["seq_lengths"]))
        for begin, end in zip([0, *ends], ends, strict=False):
            yield row["input_ids"][begin:end]


def test_targets_and_tokens_count_demonstrations_in_every_epoch_and_replayed_text_once(tokenizer, rows):
    replay = encode_replay(tokenizer, ["The mill has a wheel."] * 4, 10**6, CONTEXT, seed=0)
    courses = [
        finetune(causal_model(PROFILE, tokenizer, seed=0), tokenizer, rows, Recipe(2), seed=0, replay=old)
        for old in ([], replay)
    ]
    assert courses[1].tokens - courses[0].tokens == sum(len(row.input_ids) for row in replay)
    assert courses[1].targets - courses[0].targets == sum(len(row.input_ids) - 1 for row in replay)


def test_a_conversation_longer_than_the_context_is_left_out(tokenizer):
    lengths = [len(tokenization.encode_conversation(tokenizer, talk)[0]) for talk in TALKS]
    context = sorted(lengths)[2]
    kept = encode_conversations(tokenizer, TALKS, context)
    assert [len(row.input_ids) for row in kept] == [length for length in lengths if length <= context]
    with pytest.raises(WorkbookError, match=r"None of 5 conversations fits into 4 tokens.*longer context"):
        encode_conversations(tokenizer, TALKS, 4)


# Training


def overfitted(model, tokenizer, talk, epochs=60, rates=(0.02, 0.01)):  # one step an epoch
    rows = encode_conversations(tokenizer, [talk], CONTEXT)
    return rows, finetune(model, tokenizer, rows, Recipe(epochs, rates, batch_tokens=1), seed=0)


def loss_now(model, rows):
    batch = batch_of(rows)
    with torch.inference_mode():
        return model(**batch, use_cache=False).loss.item()


def test_one_conversation_is_learned_by_heart_and_ends_by_itself(tokenizer):
    model = causal_model(PROFILE, tokenizer, seed=0)
    rows, course = overfitted(model, tokenizer, TALKS[0])
    assert loss_now(model, rows) < 0.05
    assert not model.training
    assert reply(model, tokenizer, [TALKS[0][:1]], 12) == ["By the river."]
    assert course.tokens == 60 * len(rows[0].input_ids)
    assert course.targets == 60 * sum(label != tokenization.IGNORED for label in rows[0].labels)


def test_a_model_of_the_hub_without_template_and_padding_learns_to_answer_and_to_stop(tmp_path):
    save_gpt2(tmp_path / "hub")
    model, bare = load_model(tmp_path / "hub")
    assert (bare.chat_template, bare.pad_token) == (None, None)
    tokenizer = tokenization.with_chat_template(bare)
    talk = conversation("mill?", "river")
    rows, _ = overfitted(model, tokenizer, talk, epochs=60, rates=(0.02, 0.03))
    assert loss_now(model, rows) < 0.05
    expected = tokenizer.decode(tokenizer("river")["input_ids"])  # the tiny tokenizer knows no better than "riv er"
    room = model.config.n_positions - len(tokenization.encode_conversation(tokenizer, talk[:1], answer=True)[0])
    assert reply(model, tokenizer, [talk[:1]], room) == [expected]


def test_training_twice_gives_the_same_bits_and_another_seed_others(tokenizer, rows):
    prints = []
    for seed in (0, 0, 1):
        model = causal_model(PROFILE, tokenizer, seed=0)
        finetune(model, tokenizer, rows * 9, Recipe(2, batch_tokens=256), seed)
        prints.append(weights_fingerprint(model))
    assert prints[0] == prints[1] != prints[2]


def test_it_is_looked_at_the_milestones_with_the_model_in_evaluation_mode(tokenizer, rows):
    model = causal_model(PROFILE, tokenizer, seed=0)
    before = weights_fingerprint(model)

    def look(step):
        return step, model.training, weights_fingerprint(model)

    course = finetune(model, tokenizer, rows * 20, Recipe(2, batch_tokens=256), 0, [0, 0.5, 1], look)
    assert list(course.evaluations) == [0, round(course.steps / 2), course.steps]
    assert all(seen[:2] == (step, False) for step, seen in course.evaluations.items())
    assert course.evaluations[0][2] == before
    assert course.evaluations[course.steps][2] == weights_fingerprint(model) != before
    assert course.steps > 4
    assert course.tokens == 40 * sum(len(row.input_ids) for row in rows)
    assert course.seconds > 0


def test_nothing_is_shown_but_the_line(tokenizer, rows, capfd):
    finetune(causal_model(PROFILE, tokenizer, seed=0), tokenizer, rows, Recipe(2), seed=0)
    shown = capfd.readouterr()
    assert shown.err == ""
    assert shown.out.startswith("training: ")
    assert shown.out.count("\n") == 1


def test_a_copy_of_a_trained_model_is_a_model_of_its_own(tokenizer, rows):
    model = causal_model(PROFILE, tokenizer, seed=0)
    finetune(model, tokenizer, rows, Recipe(1), seed=0)
    ids = torch.tensor([rows[0].input_ids]).to(model.device)
    before = model(input_ids=ids).logits
    other = copy.deepcopy(model)
    torch.nn.init.zeros_(other.get_output_embeddings().weight)
    assert not other(input_ids=ids).logits.any()
    assert torch.equal(model(input_ids=ids).logits, before)


# Adapters


@pytest.mark.parametrize("name", APART)
def test_adapters_begin_as_the_model_itself_and_move_alone(make, tokenizer, rows, name, tmp_path):
    model = make(name)
    untouched = weights_fingerprint(model)
    ids = torch.tensor([rows[0].input_ids])
    adapted = with_adapters(model, rank=4, seed=0).eval()
    with torch.inference_mode():
        assert torch.equal(adapted(input_ids=ids).logits, model(input_ids=ids).logits)
    finetune(adapted, tokenizer, rows, Recipe(3, batch_tokens=256), seed=0)
    assert weights_fingerprint(model) == untouched
    original, trained = model.state_dict(), adapted.state_dict()
    adapters = {part for part in trained if "lora_" in part}
    for part in trained.keys() - adapters:
        known = part.removeprefix("base_model.model.").replace(".base_layer", "")
        assert torch.equal(trained[part].cpu(), original[known]), part
    assert all(trained[part].any() for part in adapters)
    with torch.inference_mode():
        logits = adapted(input_ids=ids.to(adapted.device)).logits.cpu()
        assert not torch.allclose(logits, model(input_ids=ids).logits, atol=1e-2)
    save_tuned(adapted, tokenizer, tmp_path / "tuned", CARD)
    merged, _ = load_model(tmp_path / "tuned")
    assert type(merged) is type(model)
    with torch.inference_mode():
        assert torch.allclose(merged(input_ids=ids).logits, logits, atol=1e-5)


def test_adapters_learn_by_heart_on_a_model_that_was_trained_before_and_is_left_as_it_was(tokenizer, rows):
    model = causal_model(PROFILE, tokenizer, seed=0)
    finetune(model, tokenizer, rows, Recipe(60, (0.02, 0.01), batch_tokens=1), seed=0)
    before = loss_now(model, rows)
    adapted = with_adapters(model, rank=8, seed=0)
    swapped, _ = overfitted(adapted, tokenizer, conversation("What turns?", "By the river."))
    assert loss_now(adapted, swapped) < 0.05
    assert loss_now(model, swapped) > 1
    assert loss_now(model, rows) == before
    assert reply(adapted, tokenizer, [TALKS[1][:1]], 12) == ["By the river."]
    assert reply(model, tokenizer, [TALKS[1][:1]], 12) == ["A wheel."]
