"""How is it run? The command line: `python -m helpers run`, `study`, `compare`, `publish`, `export`, `report`.

Each command imports what it needs when it is asked for, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers import files
from helpers.profiles import PROFILES, load_profile


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: as after `python -m helpers`; those of the process by default.

    Returns:
        The exit status: 0, 1 if a chapter failed, 2 for a mistake of the user's, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except files.WorkbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was finished is kept; the same command goes on from there.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description="Raising a Language Model: the workbook.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _command(commands, "run", _run, "execute chapters and make their pages; only what has changed")
    run.add_argument("chapters", nargs="*", metavar="CHAPTER", help="name or number; all of them by default")
    _add_run_options(run)
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a notebook's parameter (SEED=3, CORPUS=my.txt) or a size of the profile (tokens=500000); repeatable",
    )

    study = _command(commands, "study", _study, "run the experiment that is too large for the live chapter; resumable")
    study.add_argument("chapter", metavar="CHAPTER", help="name or number")
    _add_run_options(study)

    compare = _command(commands, "compare", _compare, "say which numbers of two runs differ, and what around them")
    compare.add_argument("a", metavar="A", help="a run's name or folder")
    compare.add_argument("b", metavar="B", nargs="?", default=files.REFERENCE.name, help="the published run by default")

    publish = _command(commands, "publish", _publish, "make a finished run the published one, in results/reference")
    publish.add_argument("run", metavar="RUN", help="a run's name or folder")

    export = _command(commands, "export", _export, "make the page of an executed notebook, beside it")
    export.add_argument("notebook", type=Path, metavar="NOTEBOOK")

    report = _command(commands, "report", _report, "read and check a corpus, and say what is in it")
    report.add_argument("source", metavar="SOURCE", help="pydocs, town, a path, or hub:owner/name")
    report.add_argument("--profile", choices=PROFILES, default="laptop", help="gives the town's size")
    return parser


def _command(commands: Any, name: str, function: Any, summary: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    command.set_defaults(command=function)
    return command


def _add_run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", choices=PROFILES, default="laptop", help="size of the run (default: laptop)")
    command.add_argument("--name", default="", help="name of the run, and of its folder (default: the profile's)")


def _run(options: argparse.Namespace) -> int:
    from helpers.publishing.run import Run
    from helpers.publishing.runner import run_workbook

    run = Run(options.profile, options.name, dict(map(_setting, options.set)))
    return 0 if run_workbook(run, options.chapters) else 1


def _setting(text: str) -> tuple[str, Any]:
    """Splits `key=value`; the value is a Python literal if it can be read as one, else text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise files.WorkbookError(f"--set {text}: write it as KEY=VALUE, such as --set SEED=3.")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def _study(options: argparse.Namespace) -> int:
    from helpers.publishing.chapters import find
    from helpers.studies import STUDIES, run_study

    chapter = find(options.chapter, among=list(STUDIES))
    print(f"See {run_study(chapter, STUDIES[chapter], load_profile(options.profile), options.name)}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from helpers.publishing.comparison import report

    print(report(_folder(options.a), _folder(options.b)))
    return 0


def _publish(options: argparse.Namespace) -> int:
    from helpers.publishing.reference import publish, state_costs

    publish(_folder(options.run), files.REFERENCE)
    state_costs(files.ROOT / "README.md", files.REFERENCE)
    print(f"See {files.REFERENCE / 'README.md'}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from helpers.publishing.exporter import export

    page = options.notebook.with_suffix(".html")
    export(options.notebook, page)
    print(f"See {page}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from helpers.corpora import load

    profile = load_profile(options.profile)
    print(load(options.source, people=profile.people, town_bytes=profile.town_bytes).report)
    return 0


def _folder(run: str) -> Path:
    """Returns a run's folder from its name, or from a path to it."""
    if run == files.REFERENCE.name:
        return files.REFERENCE
    named = files.RESULTS / run
    return named if named.is_dir() else Path(run)
