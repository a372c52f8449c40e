"""Three tiny models in the Hub's layout: our own kind, an encoder like BERT, and a decoder like GPT-2 without a pad."""

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, set_seed

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
