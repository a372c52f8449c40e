"""Every text must come back byte for byte; packing must waste nothing and let nothing leak."""

from itertools import cycle, islice

import numpy as np
import pytest
import torch
from datasets import IterableDataset
from hypothesis import given
from hypothesis import strategies as st

from helpers import tokenization
from helpers.files import WorkbookError
from helpers.models import causal_model
from helpers.profiles import load_profile

TEXTS = ["The river runs past the mill in 1987.", "A sketch: naïve façade, 東京, 🐈.", "def f(x):\n\treturn x"] * 20


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(TEXTS, vocab_size=400)


@given(st.text())
def test_any_unicode_text_comes_back_exactly(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


@given(st.text(), st.sampled_from(tokenization.SPECIAL))
def test_text_cannot_pose_as_a_special_token(tokenizer, text, special):
    ids = tokenizer(text + special + text, add_special_tokens=False)["input_ids"]
    assert not set(ids) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(ids) == text + special + text


def test_saved_tokenizer_opens_with_transformers_and_is_the_same(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path / "tokenizer")
    opened = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert type(opened).__name__ == type(tokenizer).__name__
    assert opened("The river <|end|> 東京", add_special_tokens=False) == tokenizer(
        "The river <|end|> 東京", add_special_tokens=False
    )
    assert opened.chat_template == tokenizer.chat_template


def test_chat_template_marks_what_the_assistant_says(tokenizer):
    messages = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "The miller."}]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    assert text == "<|begin|><|user|>Who?<|assistant|>The miller.<|end|>"
    prompt = tokenizer.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True)
    assert text.startswith(prompt)


def test_same_text_gives_the_same_tokenizer(tokenizer):
    again = tokenization.train_tokenizer(TEXTS, vocab_size=400)
    assert tokenization.tokenizer_fingerprint(again) == tokenization.tokenizer_fingerprint(tokenizer)


def test_packing_keeps_every_token_in_order_and_fills_only_the_last_block(tokenizer):
    documents = tokenization.encode_documents(tokenizer, TEXTS)
    blocks = tokenization.pack(documents, context=16)
    stream = np.concatenate(documents)
    packed = blocks["input_ids"][:].reshape(-1).numpy()
    assert (packed[: len(stream)] == stream).all()
    assert len(packed) - len(stream) < 16
    assert (blocks["labels"][:].reshape(-1).numpy()[len(stream) :] == tokenization.IGNORED).all()


def test_the_begin_of_a_document_is_no_target_and_positions_start_again(tokenizer):
    blocks = tokenization.pack(tokenization.encode_documents(tokenizer, TEXTS), context=16)
    ids, positions, labels = (blocks[name][:] for name in ("input_ids", "position_ids", "labels"))
    begins = ids == tokenizer.bos_token_id
    assert (positions[begins] == 0).all()
    assert (labels[begins] == tokenization.IGNORED).all()
    assert (labels[~begins] == ids[~begins]).all()
    assert (positions[:, 0] == 0).all()
    steps = positions[:, 1:] - positions[:, :-1]
    assert ((steps == 1) | begins[:, 1:]).all()


def test_packed_documents_do_not_see_one_another(tokenizer):
    profile = load_profile("smoke", context=64)
    model = causal_model(profile, tokenizer, seed=0).eval()
    first, second = ([1, 300, 301, 302, 2], [1, 310, 311, 312, 313, 2])
    other = [1, 320, 321, 322, 2]

    def logits_of_second(before):
        block = torch.tensor([before + second])
        positions = torch.tensor([[*range(len(before)), *range(len(second))]])
        with torch.inference_mode():
            return model(input_ids=block, position_ids=positions, use_cache=False).logits[0, len(before) :]

    assert torch.equal(logits_of_second(first), logits_of_second(other))


def test_one_short_document_is_a_block_and_none_is_an_error(tokenizer):
    assert len(tokenization.pack(tokenization.encode_documents(tokenizer, ["short"]), context=256)) == 1
    with pytest.raises(WorkbookError, match="no documents"):
        tokenization.pack([], context=256)


def rows(texts):
    return IterableDataset.from_generator(lambda: ({"text": text} for text in texts))


@pytest.mark.parametrize("together", [1, 300, 1 << 18])
def test_a_stream_is_packed_into_the_same_blocks(tokenizer, monkeypatch, together):
    monkeypatch.setattr(tokenization, "ENCODED_AT_ONCE", together)
    texts = [*TEXTS[:7], "The river runs past the mill. " * 30, "", *TEXTS[:20]]  # one is longer than several blocks
    encoded = tokenization.encode_documents(tokenizer, texts)
    whole = tokenization.pack(encoded, context=16)
    streamed = list(tokenization.pack_stream(rows(texts), tokenizer, context=16))
    assert sum(map(len, encoded)) % 16
    assert len(streamed) == len(whole) - 1
    for block, expected in zip(streamed, whole, strict=False):
        assert set(block) == set(expected)
        assert all(torch.equal(block[name], expected[name]) for name in expected)


def test_a_stream_that_ends_with_a_full_block_loses_nothing(tokenizer):
    length = len(tokenization.encode_documents(tokenizer, TEXTS[:1])[0])
    assert len(list(tokenization.pack_stream(rows(TEXTS[:1] * 6), tokenizer, context=2 * length))) == 3


def test_an_endless_stream_is_packed_as_it_comes(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenization, "ENCODED_AT_ONCE", 300)
    blocks = tokenization.pack_stream(rows(cycle(TEXTS)), tokenizer, context=16)
    assert [block["labels"].shape for block in islice(blocks, 3)] == [(16,)] * 3


def test_a_stream_that_fills_no_block_is_an_error(tokenizer):
    with pytest.raises(WorkbookError, match=r"have 0 tokens in all, a block has 16.*smaller context"):
        list(tokenization.pack_stream(rows([]), tokenizer, context=16))
