"""Tiny models in the Hub's layout: our own kind, an encoder like BERT, a decoder like GPT-2; and `KINDS` of others."""

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    set_seed,
)

from helpers import tokenization
from helpers.models import causal_model, save_model
from helpers.profiles import load_profile

PROFILE = load_profile("smoke", hidden_size=32, n_layer=2, n_head=2, context=32, vocab_size=320)
TEXTS = ["The old mill stands by the river.", "A wheel turns at night.", "alpha omega beta gamma"] * 9


def save_own(folder):
    """Saves a Qwen3 with our own tokenizer."""
    tokenizer = tokenization.train_tokenizer(TEXTS, PROFILE.vocab_size)
    save_model(causal_model(PROFILE, tokenizer, seed=0), tokenizer, folder)


def save_bert(folder):
    """Saves an encoder whose tokenizer has cls, sep and pad, and no begin and end."""
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "cls", "sep", "pad", "mask")}
    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=list(special.values()), show_progress=False)
    pieces.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, **special)
    set_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.05,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_gpt2(folder):
    """Saves a language model whose tokenizer has one special token, at the beginning and at the end."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>"
    )
    set_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=32,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.05,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


SAVED = {"own": save_own, "BERT": save_bert, "GPT-2": save_gpt2}
"""By type, what saves a model of it into a folder."""


SMALL = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
BLOCKS = {**SMALL, "intermediate_size": 64, "max_position_embeddings": 128}
GROUPED = {**BLOCKS, "num_key_value_heads": 1}
SEQ2SEQ = {"vocab_size": 320, "d_model": 32}
KINDS = {
    "gpt2": ("end", {**SMALL, "max_position_embeddings": 128}),
    "llama": ("begin end", BLOCKS),
    "mistral": ("begin end", GROUPED),
    "qwen2": ("chat", GROUPED),
    "qwen3": ("chat", {**GROUPED, "head_dim": 16}),
    "gemma": ("no system", {**GROUPED, "head_dim": 16}),
    "gpt_neox": ("end", BLOCKS),
    "gptj": ("end", {"vocab_size": 320, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "rotary_dim": 8}),
    "gpt_neo": ("end", {**SMALL, "num_heads": 2, "attention_types": [[["global", "local"], 1]]}),
    "opt": ("begin end pad", {**SMALL, "ffn_dim": 64, "word_embed_proj_dim": 16, "max_position_embeddings": 128}),
    "phi": ("end", BLOCKS),
    "bloom": ("begin end pad", {"vocab_size": 320, "hidden_size": 32, "n_layer": 2, "n_head": 2}),
    "falcon": ("end", SMALL),
    "mamba": ("end", {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}),
    "bert": ("begin end pad", BLOCKS),
    "distilbert": ("begin end pad", {"vocab_size": 320, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}),
    "roberta": ("begin end pad", BLOCKS),
    "albert": ("begin end pad", {**BLOCKS, "embedding_size": 16}),
    "t5": ("begin end pad", {**SEQ2SEQ, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}),
    "bart": ("begin end pad", {**SEQ2SEQ, "encoder_layers": 2, "decoder_layers": 2, "max_position_embeddings": 128}),
}
"""By the type of a model, which special tokens its tokenizer has (see `bpe`), and its sizes in transformers' words."""

CHAT_ML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '<start>' + m['role'] + '\n' + m['content'] + '<stop>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start>model\n' }}{% endif %}"
)


def bpe(kind):
    """Makes a tokenizer with the special tokens of a kind: `none` has no special token at all, `chat` none to begin."""
    tokens = {
        "none": {},
        "end": dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>"),
        "begin end": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
        "begin end pad": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
        "chat": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "extra_special_tokens": ["<|im_start|>"]},
        "no system": {"bos_token": "<bos>", "eos_token": "<stop>", "extra_special_tokens": ["<start>"]},
    }[kind]
    special = sorted({token for value in tokens.values() for token in ([value] if isinstance(value, str) else value)})
    bytes_ = Tokenizer(models.BPE())
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    options = {"special_tokens": special, "initial_alphabet": alphabet, "show_progress": False}
    bytes_.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=300, **options))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, **tokens)
    tokenizer.chat_template = {"chat": CHAT_ML, "no system": NO_SYSTEM}.get(kind)
    return tokenizer


def save_kind(kind, folder, special=None, **sizes):
    """Saves a tiny random model of one of `KINDS`, with its tokenizer, or one with other special tokens."""
    usual, known = KINDS[kind]
    tokenizer = bpe(special or usual)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = AutoConfig.for_model(kind, **{**known, **ids, **sizes})
    seq2seq, encoder = kind in ("t5", "bart"), kind in ("bert", "distilbert", "roberta", "albert")
    make = AutoModelForSeq2SeqLM if seq2seq else AutoModelForMaskedLM if encoder else AutoModelForCausalLM
    set_seed(0)
    make.from_config(config, trust_remote_code=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
