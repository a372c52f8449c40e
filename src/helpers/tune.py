"""How is a chat model tuned on my own conversations? Checked, priced, tuned, compared on some held out, saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.transcripts import printable

if TYPE_CHECKING:
    from peft import PeftModel

    from helpers.experiments.assistant.setup import Setup

SHOWN, MOST_TOKENS = 2, 60
"""How many answers are shown before and after, and how long each may be."""


def tune(source: str, data: str, folder: Path, epochs: int, seed: int) -> bool:
    """Tunes LoRA's matrices beside a chat model on conversations, and saves them as an adapter of peft's.

    Args:
        source: the model, as `pretrained.load_model` takes it.
        data: conversations, as `corpora.load` takes them.
        folder: the adapter's, which must not be there; `chat` and `load_model` open it as they open a model.

    Returns:
        Whether the data were fit to be learned from; if not, nothing is trained.

    Raises:
        WorkbookError: a model or data cannot be read, the folder is there, or the model is an adapter.
    """
    if folder.exists():
        raise files.at(folder, "this is there already", "Name a folder that is not, or remove this one.")
    if (Path(source) / "adapter_config.json").is_file():
        raise files.at(source, "this is an adapter itself", "Name the model that it stands beside.")
    from helpers.corpora import load
    from helpers.corpora.kinds.checkup import check, in_tokens
    from helpers.experiments.assistant.setup import chat_setup
    from helpers.pretrained import load_model
    from helpers.training import demonstrations

    corpus = load(data, "prompts")
    setup = chat_setup(*load_model(source), corpus)
    checkup = check(corpus, in_tokens(setup.tokenizer), setup.context)
    print(corpus.report, checkup, sep="\n\n")
    if not checkup.ok:
        return False
    recipe = demonstrations.gentle(setup.base, epochs)
    rows = setup.encoded(setup.train)
    print(f"\n{setup.cost_of_adapters(rows, recipe)}", flush=True)
    learner = setup.adapters(seed)
    log = demonstrations.finetune(learner, setup.tokenizer, rows, recipe, seed)
    surprise = _compare(setup, {"before": setup.base, "after": learner.get_base_model()}, seed)
    what = f"{epochs} times {len(rows):,} conversations ({corpus.fingerprint}), {log.tokens:,} tokens, seed {seed}"
    about = f"LoRA beside `{files.shown(source)}`, trained on {what}. Held out: {surprise}."
    save_adapter(learner, folder, source, about)
    print(f"Saved. Talk to it: python -m helpers chat {folder}")
    return True


def _compare(setup: Setup, models: dict[str, Any], seed: int) -> str:
    """Prints what is answered before and after, and how surprising held-out answers are, which it returns."""
    from helpers.evaluation.skills import measure_surprise
    from helpers.generation import reply

    asked = [row["messages"][:-1] for row in setup.test[:SHOWN]]
    answers = {when: reply(model, setup.tokenizer, asked, MOST_TOKENS) for when, model in models.items()}
    for place, messages in enumerate(asked):
        print(f"\n  asked:  {printable(messages[-1]['content'])}")
        print(*(f"  {when + ':':7} {printable(texts[place])}" for when, texts in answers.items()), sep="\n")
    if not setup.test:
        return "nothing was held out"
    before, after, change = measure_surprise(setup.tokenizer, setup.test, setup.context, models, seed)
    surprise = f"{before:.2f} bits a token before, {after:.2f} after: {change:+.2f}"
    print(f"\nSurprise at the answers of {len(setup.test):,} conversations held out: {surprise}.")
    return surprise


def save_adapter(model: PeftModel, folder: Path, base: str, about: str) -> None:
    """Saves adapters as safetensors, with a README that tells about them; whole or not at all.

    A `base` model that is a folder is named by its whole path, so that the adapter opens from anywhere.
    """
    named = str(Path(base).expanduser().resolve()) if Path(base).expanduser().is_dir() else base
    model.active_peft_config.base_model_name_or_path = named
    with files.replacing(folder) as partial:
        model.save_pretrained(str(partial), save_embedding_layers=False)
        files.write_text(
            partial / "README.md", f"# An adapter\n\n{about}\n\n    python -m helpers chat PATH/TO/{folder.name}\n"
        )
