"""Which kinds of models run in which chapters? `python tests/architectures.py` makes tiny ones and prints a table.

Each chapter is stood for by what it does with a reader's model, at a size that takes a second. A refusal counts if it
is a `WorkbookError`, which is shown below the table; anything else that goes wrong is shown as an error.
"""

import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace

from backbones import KINDS, TEXTS, save_kind

from helpers import chat, generation, models, pretrained, tokenization
from helpers.evaluation import likelihood, skills
from helpers.experiments.assistant.setup import make_setup, recipe_for
from helpers.experiments.transfer import domains
from helpers.files import WorkbookError
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.training import base, demonstrations, finetuning, pretraining

PROFILE = load_profile("smoke", hidden_size=32, n_layer=1, n_head=2, context=64, tokens=2000, batch_tokens=128)
HELD = likelihood.HeldOut(TEXTS[:4], ["a", "b", "c", "d"])
LABELS = ["mill", "wheel"]


def pretrain(source, folder):
    """Chapter 01: trains a model on, and lets it score and write on the way."""
    model, tokenizer = pretrained.load_model(source)
    profile = base.fitted(PROFILE, model)
    blocks = tokenization.pack(tokenization.encode_documents(tokenizer, TEXTS), profile.context)

    def evaluate(step):
        likelihood.document_bits(model, tokenizer, TEXTS[:3], profile.context)
        return generation.sample(model, tokenizer, ["", "The mill"], max_new_tokens=50, seed=0)

    pretraining.expected_cost(model, blocks, profile)
    pretraining.pretrain(model, blocks, profile, 0, [0, 1], evaluate, checkpoints=folder / "checkpoints")
    models.save_model(model, tokenizer, folder / "base")
    pretrained.load_model(folder / "base")


def transfer(source, folder):
    """Chapter 03: learns from labels in each way, probes the layers, and reads a new domain."""
    start = base.load_start(source, folder)
    rows = finetuning.encode_texts(start.tokenizer, TEXTS[:8], start.backbone)
    for arm in finetuning.ARMS:
        classifier, _ = finetuning.finetune_classifier(start.backbone, rows, [0, 1] * 4, LABELS, arm, 0)
        finetuning.predict(classifier, rows)
        if arm == finetuning.FULL:
            finetuning.moved(classifier, start.backbone)
            finetuning.save_classifier(classifier, start.tokenizer, folder / "classifier")
            finetuning.load_classifier(folder / "classifier")
    for layer in models.mean_states(models.untrained(start.backbone, 0), rows):
        finetuning.fit_linear(layer, [0, 1] * 4)
    if start.language_model:
        before = likelihood.Forgetting(start.language_model, start.tokenizer, {"": HELD}, PROFILE.context)
        after = finetuning.as_language_model(classifier, start.language_model)
        before.measure(Record("03", PROFILE, "none", {}), "full", after, 0)
        domain = domains.Domain(TEXTS, HELD)
        domains.train_on(domain, start.language_model, start.tokenizer, PROFILE, 0, fresh=False)


def finetune(source, folder):
    """Chapter 04: asks before and after, tunes in its way, and saves what comes of it."""
    start = base.load_causal_start(source, folder)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"}]
    messages = [*turns, {"role": "assistant", "content": "By the river."}]
    shown = [{"messages": messages[i % 2 :], "task": "", "group": str(i), "check": ""} for i in range(8)]
    splits, text = SimpleNamespace(splits={"train": shown, "test": shown}), SimpleNamespace(training=TEXTS, corpora={})
    setup = make_setup(PROFILE, start.language_model, start.tokenizer, splits, text, 0)
    recipe, rows = recipe_for(PROFILE, setup.base), setup.encoded(setup.train)
    setup.expected_cost(rows, recipe)
    skills.few_shot_answers(setup.base, setup.tokenizer, setup.test, setup.train, 0, 1)
    for model in (setup.fresh(PROFILE, 0), setup.learner(0)):
        demonstrations.finetune(model, setup.tokenizer, rows, recipe, 0, replay=setup.replay(1, 0))
        skills.chat_answers(model, setup.tokenizer, setup.test)
        setup.answer_bits(model, rows)


def talk(source, folder):
    """Chat: answers a system message and a question, piece by piece."""
    model, tokenizer = chat.load_chat_model(source)
    chat.Talk(model, tokenizer, "Be brief.", temperature=1.0, seed=0, max_new_tokens=8).answer("Where?")


CHAPTERS = {"01": pretrain, "03": transfer, "04": finetune, "chat": talk}


def outcome(kind, chapter, special=None):
    """Returns `runs`, or why a tiny model of a kind is refused in a chapter."""
    with tempfile.TemporaryDirectory() as folder:
        with models.quiet():
            save_kind(kind, Path(folder, kind), special)
        try:
            CHAPTERS[chapter](str(Path(folder, kind)), Path(folder))
        except WorkbookError as error:
            return str(error).removeprefix(f"{Path(folder, kind)}: ")
        return "runs"


def main():
    parser = argparse.ArgumentParser(description="Prints architectures x chapters, with what runs.")
    parser.add_argument("--chapters", nargs="*", default=list(CHAPTERS), choices=CHAPTERS)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    given = parser.parse_args()
    rows, reasons = [], []
    for kind in given.kinds:
        marks = []
        for chapter in given.chapters:
            try:
                found = outcome(kind, chapter)
            except Exception as error:  # a table of what does not run is complete only with these
                found = f"ERROR {type(error).__name__}: {error}"
            if found != "runs":
                reasons += [found] * (found not in reasons)
                found = f"[{reasons.index(found) + 1}]"
            marks.append(found)
        rows.append(f"| {kind} | {' | '.join(marks)} |")
    print("\n".join([f"| | {' | '.join(given.chapters)} |", "|---" * (1 + len(given.chapters)) + "|", *rows]))
    print("\n".join(f"[{number}] {reason}" for number, reason in enumerate(reasons, 1)))


if __name__ == "__main__":
    main()
