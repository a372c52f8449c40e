"""How is it run? The command line: `python -m helpers run`, `lab`, `study`, `compare`, `publish`, `export`...

Each command imports what it needs when it is asked for, so that `--help` is quick.
"""

import argparse
import contextlib
import json
import math
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from helpers import files
from helpers.corpora import KINDS
from helpers.profiles import MOST_SEED, PROFILES, SIZES, load_profile

Work = Callable[[Namespace], int | None]
Option = tuple[tuple[str, ...], dict[str, Any]]


class Parser(argparse.ArgumentParser):
    """argparse's, whose errors are told as all others are."""

    def error(self, message: str) -> NoReturn:
        """Raises a WorkbookError in place of an exit."""
        raise files.WorkbookError(f"{message}. See {self.prog} --help.")


PARSER = Parser(prog="python -m helpers", description="Raising a Language Model: the workbook.")
COMMANDS = PARSER.add_subparsers(required=True, metavar="COMMAND")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, as after `python -m helpers`; that of the process by default.

    Returns:
        The exit status: 0, 1 if a chapter failed or data are not worth training on, 2 for a mistake of the user's, 130
        after Ctrl-C.
    """
    try:
        given = PARSER.parse_args(arguments)
        return given.work(given) or 0
    except files.WorkbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was finished is kept; the same command goes on from there.", file=sys.stderr)
        return 130


def _command(summary: str, *options: Option) -> Callable[[Work], None]:
    """Makes a function the command of its name; one that returns nothing has done well."""

    def add(work: Work) -> None:
        name = work.__name__.strip("_").replace("_", "-")
        command = COMMANDS.add_parser(name, help=summary, description=summary)
        command.set_defaults(work=work)
        for names, how in options:
            command.add_argument(*names, **how)

    return add


def _option(*names: str, **how: Any) -> Option:
    return names, how


def _settings(what: str) -> Option:
    return _option("--set", action=Setting, default={}, metavar="KEY=VALUE", help=f"{what}; repeatable")


class Setting(argparse.Action):
    """Gathers `--set KEY=VALUE` by key, the values as text."""

    def __call__(self, parser: object, options: Namespace, text: Any, option: str | None = None) -> None:
        """Adds one."""
        key, equals, value = text.partition("=")
        if not equals or not key or key != key.strip():
            raise files.WorkbookError(f"--set {text}: write it as KEY=VALUE, such as --set SEED=3.")
        given = getattr(options, self.dest)
        if key in given:
            raise files.WorkbookError(f"--set {text}: {key} was set to {given[key]} before. Set it once.")
        setattr(options, self.dest, given | {key: value})


def _path(text: str) -> Path:
    return Path(files.expanded(text))


def _number(kind: type[int] | type[float], least: float, most: float = math.inf) -> Callable[[str], float]:
    """Returns what reads an option's finite number, from `least` to `most`."""
    words = f"a {'whole ' if kind is int else ''}number" + (f" from {least:,}" if least > -math.inf else "")
    words += f" to {most:,}" if most < math.inf else ""

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if math.isfinite(value := kind(text)) and least <= value <= most:
                return value
        raise argparse.ArgumentTypeError(f"it must be {words}, and is {text}")

    return read


def _seed(what: str) -> Option:
    return _option("--seed", type=_number(int, 0, MOST_SEED), default=0, metavar="N", help=f"{what} (default: 0)")


def _profile(what: str) -> Option:
    return _option("--profile", choices=PROFILES, default="laptop", help=f"{what} (default: laptop)")


_RUN = (
    _profile("size of the run"),
    _option("--name", default="", help="name of the run, and of its folder (default: the profile's)"),
)


@_command(
    "execute chapters and make their pages; only what has changed",
    _option("chapters", nargs="*", metavar="CHAPTER", help="name or number; all of them by default"),
    *_RUN,
    _settings("a notebook's parameter (SEED=3, CORPUS=my.txt) or a size of the profile (tokens=500000)"),
)
def _run(options: Namespace) -> int:
    from helpers.publishing.run import Run
    from helpers.publishing.runner import run_workbook

    return run_workbook(Run(options.profile, options.name, options.set), options.chapters)


@_command(
    "run the experiment that is too large for the live chapter; resumable",
    _option("study", metavar="NAME", help="such as 01_pretraining or 01_scaling"),
    _option("--only", default="*", help="arms whose name fits this pattern, such as 'next-*'"),
    *_RUN,
)
def _study(options: Namespace) -> None:
    from helpers.experiments.registry import STUDIES
    from helpers.experiments.study import run_study
    from helpers.publishing.run import Run

    if options.study not in STUDIES:
        raise files.WorkbookError(f"study {options.study!r} is unknown. Known: {', '.join(STUDIES)}.")
    run = Run(options.profile, options.name)
    print(f"See {run_study(options.study, STUDIES[options.study], run.profile, options.name, options.only)}")


@_command(
    "say which numbers of two runs differ, and what around them",
    _option("a", metavar="A", help="a run's name or folder"),
    _option("b", metavar="B", nargs="?", default=files.REFERENCE.name, help="the published run by default"),
)
def _compare(options: Namespace) -> None:
    from helpers.publishing.comparison import report

    print(report(_folder(options.a), _folder(options.b)))


@_command(
    "make a finished run the published one, in results/reference",
    _option("run", metavar="RUN", help="a run's name or folder"),
)
def _publish(options: Namespace) -> None:
    from helpers.publishing.reference import publish, state_costs

    publish(_folder(options.run), files.REFERENCE)
    state_costs(files.ROOT / "README.md", files.REFERENCE)
    print(f"See {files.REFERENCE / 'README.md'}")


@_command(
    "make the page of an executed notebook: beside it, or, if it is a copy that `lab` made, among its run's",
    _option("notebook", type=_path, metavar="NOTEBOOK"),
)
def _export(options: Namespace) -> None:
    from helpers.lab import export_page

    print(f"See {export_page(options.notebook)}")


@_command("open copies of the chapters in JupyterLab, in the folder lab/, which git ignores")
def _lab(options: Namespace) -> None:
    from helpers.lab import open_lab

    open_lab()


@_command(
    "train the base model alone, also under accelerate launch",
    *_RUN,
    _option("--corpus", type=files.expanded, default="", metavar="SOURCE", help="your own text in place of pydocs"),
    _option("--stream", action="store_true", help="read --corpus alone and as it comes, however large"),
    _seed("of weights, mixture and order"),
    _settings("a size of the profile (tokens=500000)"),
)
def _pretrain(options: Namespace) -> None:
    from helpers.publishing.run import Run
    from helpers.training.launch import launch

    if options.stream and not options.corpus:
        raise files.WorkbookError("--stream: say what is to be read, with --corpus SOURCE.")
    for key in options.set.keys() - set(SIZES):
        flag = {"SEED": "--seed", "CORPUS": "--corpus", "PROFILE": "--profile", "NAME": "--name"}.get(key.upper())
        remedy = f"Use {flag}" if flag else f"Known: {', '.join(SIZES)}"
        raise files.at(f"--set {key}", "pretrain sets sizes alone", f"{remedy}.")
    run = Run(options.profile, options.name or f"{options.profile}-pretrain", options.set)
    result = launch(run.profile, options.seed, run.folder, options.corpus, options.stream)
    if os.environ.get("RANK", "0") == "0":  # one line, however many processes
        print(f"loss {result['loss_curve'][-1][1]:.3f} nats per token at the end. See {run.folder}")


@_command(
    "train from scratch until a given loss; prints JSON",
    _option("--text", type=_path, required=True, metavar="FILE", help="first 90%% train, last 10%% validation"),
    _option("--tokenizer", choices=("char", "bpe"), default="char", help="default: char"),
    _option("--target-loss", type=_number(float, 0), required=True, metavar="NATS", help="on the validation text"),
    _option("--context", type=_number(int, 2), default=64, metavar="N", help="tokens of a window (default: 64)"),
    _seed("same seed, same curve"),
)
def _speedrun(options: Namespace) -> int:
    from helpers.benchmarks.speedrun import speedrun

    with contextlib.redirect_stdout(sys.stderr):  # progress; the result alone goes to stdout
        result = speedrun(options.text, options.tokenizer, options.target_loss, options.context, options.seed)
    print(json.dumps(result))
    return 0 if result["reached"] else 1


@_command(
    "race our recipe against the stock one on this machine",
    _option("--minutes", type=_number(float, 0.01), nargs="+", default=[1, 2, 4], metavar="M", help="default: 1 2 4"),
    _option("--repeats", type=_number(int, 1), default=3, metavar="N", help="of each race (default: 3: 45 minutes)"),
)
def _bench(options: Namespace) -> None:
    from helpers.benchmarks.bench import bench

    bench(options.minutes, options.repeats)


@_command(
    "read and check a corpus, and say what is in it",
    _option("source", type=files.expanded, metavar="SOURCE", help="pydocs, town, a path, or hub:owner/name"),
    _option("--kind", choices=KINDS, default="text", help="what a document is (default: text)"),
    _option("--column", default="text", metavar="NAME", help="which column has the text (default: text)"),
    _option("--label", default="label", metavar="NAME", help="which has the label (default: label)"),
    _profile("gives the town's size"),
)
def _report(options: Namespace) -> None:
    from helpers.corpora import load

    profile = load_profile(options.profile)
    column, label, people, town_bytes = options.column, options.label, profile.people, profile.town_bytes
    corpus = load(options.source, options.kind, column=column, label=label, people=people, town_bytes=town_bytes)
    print(corpus.report)


@_command(
    "say whether a model can be fine-tuned on your conversations",
    _option("source", metavar="FILE", help="your prompts and answers: a file, a folder, or hub:owner/name"),
    _option("--model", default="", metavar="DIR", help="whose tokens are counted (default: the base model)"),
    _profile("whose base model, and the town's size"),
)
def _check_data(options: Namespace) -> int:
    from helpers.corpora import load
    from helpers.corpora.kinds.checkup import CONTEXT, IN_WORDS, check, in_tokens
    from helpers.pretrained import load_tokenizer
    from helpers.tokenization import with_chat_template

    profile = load_profile(options.profile)
    try:
        corpus = load(options.source, "prompts", people=profile.people)
        folders = [run / "models" / "base" for run in (files.RESULTS / options.profile, files.REFERENCE)]
        model = options.model or next((folder for folder in folders if folder.exists()), None)
        if model:
            tokenizer, reads = load_tokenizer(model)
            tokenizer, context = with_chat_template(tokenizer), min(reads, CONTEXT)
            print(f"Lengths are in tokens of {model}; a conversation may have {context} of them.\n")
            checkup = check(corpus, in_tokens(tokenizer), context)
        else:
            print("There is no base model yet: lengths are in words, and whether a row fits a model is not checked.\n")
            checkup = check(corpus, IN_WORDS, None)
    except files.WorkbookError as error:  # to whom asks whether to train, this is a no like any other
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(corpus.report, checkup, sep="\n\n")
    return 0 if checkup.ok else 1


@_command(
    "write the data set that chapter 04 fine-tunes on",
    _option("--people", type=_number(int, 4), default=60, metavar="N", help="inhabitants of the town (default: 60)"),
    _seed("of the town, and of what is drawn"),
    _option("--to", type=_path, default=files.ROOT / "data" / "custom", metavar="DIR", help="default: data/custom"),
)
def _demonstrations(options: Namespace) -> None:
    from helpers.corpora.town import demonstrations

    for path, rows in demonstrations.write(options.to, options.people, options.seed).items():
        print(f"{path}: {rows:,} rows, {path.stat().st_size:,} bytes")


@_command(
    "tune a chat model on your conversations; makes an adapter that chat opens",
    _option("model", type=files.expanded, metavar="MODEL", help="folder of a model, smollm2, or owner/name"),
    _option("source", metavar="FILE", help="your conversations: a file, a folder, or hub:owner/name"),
    _option("folder", type=_path, metavar="OUT", help="where the adapter is to be saved; not there yet"),
    _option("--epochs", type=_number(int, 1), default=3, metavar="N", help="how often each is read (default: 3)"),
    _seed("of the adapter's first weights, and of the order"),
)
def _tune(options: Namespace) -> int:
    from helpers.tune import tune

    return 0 if tune(options.model, options.source, options.folder, options.epochs, options.seed) else 1


@_command(
    "talk with a model, in the terminal or with questions piped in",
    _option("model", type=files.expanded, metavar="DIR", help="folder of a model or adapter, smollm2, or owner/name"),
    _option("--system", default="", metavar="TEXT", help="the system message (default: none)"),
    _option("--temperature", type=_number(float, 0), default=0.0, metavar="T", help="0: the likeliest token (default)"),
    _seed("of the draws, above temperature 0"),
    _option("--max-new-tokens", type=_number(int, 1), default=80, metavar="N", help="of an answer (default: 80)"),
)
def _chat(options: Namespace) -> None:
    from helpers.chat import chat

    chat(options.model, options.system, options.temperature, options.seed, options.max_new_tokens)


def _folder(run: str) -> Path:
    """Returns a run's folder from its name, or from a path to it."""
    if run == files.REFERENCE.name:
        return files.REFERENCE
    named = files.RESULTS / run
    return named if named.is_dir() else _path(run)
