"""Chapter 01's other study: what do more text and more parameters buy? A small grid, on real English alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from helpers.experiments.study import Arm, Study
from helpers.profiles import Profile
from helpers.records import Record

SIZES = ((0.25, 1, 1), (0.5, 2, 2), (0.75, 3, 3), (1, 4, 4))
"""Width as a share of the profile's, blocks, and heads."""

PARTS = (8, 4, 2, 1)
"""The profile's tokens are divided by these."""

TOKENIZER_BYTES = 4_000_000
"""Of the text from which all arms have their tokenizer, the same one."""


def _arms(profile: Profile) -> list[Arm]:
    arms = []
    for share, blocks, heads in SIZES:
        for part in PARTS:
            width, tokens = round(share * profile.hidden_size), profile.tokens // part
            sized = replace(profile, hidden_size=width, n_layer=blocks, n_head=heads, tokens=tokens)
            arms.append(Arm(f"width-{width}-tokens-{tokens}", sized, 0))
    return arms


def _run_arm(arm: Arm, record: Record) -> None:
    from helpers.corpora import load
    from helpers.corpora.mixing import mix
    from helpers.evaluation.likelihood import document_bits, held_out
    from helpers.evaluation.scorecard import OURS
    from helpers.models import causal_model
    from helpers.profiles import BYTES_PER_TOKEN
    from helpers.tokenization import encode_documents, pack, train_tokenizer
    from helpers.training.pretraining import pretrain

    profile = arm.profile
    pydocs = load(":".join(["pydocs", ",".join(profile.packages)]).rstrip(":"))
    read, for_tokenizer = (
        mix({"pydocs": pydocs}, {"pydocs": 1.0}, size, arm.seed)["text"]
        for size in (round(profile.tokens * BYTES_PER_TOKEN), TOKENIZER_BYTES)
    )
    tokenizer = train_tokenizer(for_tokenizer, profile.vocab_size)
    model = causal_model(profile, tokenizer, arm.seed)
    log = pretrain(model, pack(encode_documents(tokenizer, read), profile.context), profile, arm.seed)
    test = held_out(pydocs.splits["test"], profile.heldout_bytes, arm.seed)
    value, interval = test.bits_per_byte(document_bits(model, tokenizer, test.texts, profile.context))
    sizes = {"parameters": model.num_parameters(), "tokens": log.tokens}
    for name, size in sizes.items():
        record.measure(name, size, name, quantity=name)
    known: dict[str, Any] = {"interval": interval, "n": test.n_groups, "seeds": (arm.seed,)} | sizes
    record.measure("pydocs.our model", value, "bits per byte", **known, corpus="pydocs", method=OURS)


STUDY = Study("What do more text and more parameters buy?", _arms, _run_arm)
