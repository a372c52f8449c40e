"""Which run is it? Its sizes, its folder, and what is put in place of the notebooks' defaults.

Settings come as text, from the command line, or as values. Whatever is wrong with one is told before anything runs, in
the command line's words.
"""

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import files
from helpers.corpora import OWN
from helpers.corpora.readers import hub
from helpers.profiles import MOST_SEED, SIZES, Profile, load_profile
from helpers.publishing import chapters

# Parameters of every notebook that `--set` does not set, and what does.
FLAGS = {
    "PROFILE": "Use --profile, as in --profile smoke",
    "NAME": "Use --name, as in --name mine",
    "OVERRIDES": "Set each size by its own name, as in --set tokens=500000",
}
KINDS = {"CORPUS": "text", "LABELS": "labels", "PROMPTS": "prompts"}  # of documents, by the parameter that names them

# The least that the chapters' tests work with: texts shown in four lengths, pairs of people, a handful of documents.
LEAST = {"context": 72, "people": 12, "heldout_bytes": 12_500}
FEWEST_BLOCKS = 64  # contexts of training text: less would leave trials at a tenth of the size without a step
FEWEST_STEPS = 10
BYTES_PER_PARAMETER = 16  # in training: weight, gradient and two moments, in float32


@dataclass
class Run:
    """One run of the workbook.

    Raises:
        WorkbookError: the profile or a size is wrong, or the name cannot be used.
    """

    profile_name: str = "laptop"
    name: str = ""  # empty means the profile's
    settings: dict[str, Any] = field(default_factory=dict)  # by name, of the notebooks' parameters or the profile's

    def __post_init__(self) -> None:
        if self.name and not re.fullmatch(r"\w[\w.-]*", self.name):
            raise files.WorkbookError(f"run name {self.name!r}: use letters, digits, '.', '-' and '_'.")
        if self.name == files.REFERENCE.name:
            raise files.WorkbookError(f"{self.name!r} is the published run, which `publish` writes. Use another name.")
        for key in self.settings:
            if remedy := FLAGS.get(key.upper()):
                raise files.at(f"--set {key}", "this is not set here", f"{remedy}.")
        self.profile = load_profile(self.profile_name)
        if self.overrides:
            given = " ".join(f"--set {key}={value}" for key, value in self.overrides.items())
            try:
                self.profile = load_profile(self.profile_name, **self.overrides)
            except files.WorkbookError as error:
                of_one = str(error).startswith(tuple(f"{key}=" for key in self.overrides))
                raise files.WorkbookError(f"--set {error}" if of_one else f"{given}: {error}") from None
            _check_sizes(self.profile, given)

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that are fields of the profile."""
        return {key: _literal(value) for key, value in self.settings.items() if key in SIZES}

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return files.RESULTS / (self.name or self.profile_name)

    def parameters(self, notebook: Path) -> dict[str, Any]:
        """Returns what is put in place of a notebook's defaults.

        A value that is the path of something is made absolute, since notebooks run in their own folder.

        Raises:
            WorkbookError: a setting is neither a parameter of a notebook, this or another, nor a field of the profile;
                or its value will not do.
        """
        defaults = {key: value for key, value in chapters.parameters(notebook).items() if key not in FLAGS}
        for key in self.settings.keys() - {*defaults, *SIZES}:
            if not _users(key):
                listed = f"{', '.join(defaults)}, and of the profile {', '.join(SIZES)}"
                raise files.at(f"--set {key}", f"parameter {key!r} of {notebook.name} is unknown", f"Known: {listed}.")
        given = {key: value for key, value in self.settings.items() if key in defaults}
        checked = {key: _checked(key, value, defaults[key]) for key, value in given.items()}
        return {"PROFILE": self.profile_name, "NAME": self.name, "OVERRIDES": self.overrides} | checked

    def check_used(self, names: list[str]) -> None:
        """Raises an error if a setting is used by none of the chapters of these names."""
        for key in self.settings.keys() - set(SIZES):
            if (users := _users(key)) and not set(users) & set(names):
                reason = f"no chapter that is to run uses it ({', '.join(names)})"
                raise files.at(f"--set {key}", reason, f"Leave it out, or run {', '.join(users)}.")


def _users(key: str) -> list[str]:
    """Returns the chapters that have a parameter of that name."""
    names = [chapter.name for chapter in chapters.chapters()]
    return [name for name in names if key in chapters.parameters(chapters.source(name))]


def own_paths(parameters: Mapping[str, Any]) -> dict[str, Path]:
    """Returns the reader's own files and folders among a notebook's parameters, by parameter."""
    found = {}
    for key, value in parameters.items():
        path = _path_of(value)[1] if key in (*KINDS, "MODEL") and isinstance(value, str) else ""
        if path.startswith("/"):
            found[key] = Path(path)
    return found


def _check_sizes(profile: Profile, given: str) -> None:
    """Raises an error if no chapter could work with these sizes, together, which were given like that."""
    from helpers.corpora.pydocs.docstrings import version_of
    from helpers.corpora.town.chronicle import planted_bytes
    from helpers.corpora.town.world import make_world

    try:
        for package in profile.packages:
            version_of(package)
        world = make_world(profile.people, seed=0)
    except files.WorkbookError as error:
        raise files.WorkbookError(f"{given}: {error}") from None
    for key, least in LEAST.items():
        if getattr(profile, key) < least:
            raise files.at(given, f"the chapters need {key}={least} or more", f"Set {key}={least}.")
    fewest = max(FEWEST_BLOCKS * profile.context, FEWEST_STEPS * profile.batch_tokens)
    if profile.tokens < fewest:
        of = f"context={profile.context} and batch_tokens={profile.batch_tokens}"
        reason = f"{of} need {fewest:,} tokens of text or more, and tokens={profile.tokens}"
        raise files.at(given, reason, f"Set tokens={fewest}, or make them smaller.")
    planted = int(1.1 * planted_bytes(world, seed=0))  # another seed's may be longer
    if profile.town_bytes < planted:
        reason = f"what the town must tell of people={profile.people} takes {planted:,} bytes"
        share = f"its share of tokens={profile.tokens} is {profile.town_bytes:,}"
        raise files.at(given, f"{reason}, and {share}", "Set more tokens, fewer people or a smaller pydocs_share.")
    _check_memory(profile, given)


def _check_memory(profile: Profile, given: str) -> None:
    import psutil

    needed, there = BYTES_PER_PARAMETER * profile.matrix_parameters, psutil.virtual_memory().total
    if needed > there:
        reason = f"to train such a model takes {needed / 1e9:,.0f} GB of memory, and there are {there / 1e9:,.0f}"
        raise files.at(given, reason, "Set a smaller hidden_size, n_layer or vocab_size.")


def _literal(value: Any) -> Any:
    """Returns what text stands for as Python; the text itself if that is nothing."""
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _checked(key: str, value: Any, default: Any) -> Any:
    """Returns the value of a notebook's parameter in the type of its default, or says what will do."""
    where = f"--set {key}={value}"
    if isinstance(default, str):
        if not isinstance(value, str) or not value.strip():
            raise files.at(where, "there is no text", f"Write --set {key}=TEXT, or leave it out for the default.")
        return _located(key, value) if key in (*KINDS, "MODEL") else value
    value, wanted = _literal(value), type(default)
    fits = default is None or type(value) is wanted or (wanted is float and type(value) is int)
    if not fits or (wanted is float and not math.isfinite(value)):
        kind = {int: "a whole number", float: "a number", bool: "True or False"}.get(wanted, f"a {wanted.__name__}")
        raise files.at(where, f"it must be {kind}", f"Write --set {key}={default!r}, for example.")
    if key == "SEED" and not 0 <= value <= MOST_SEED:
        raise files.at(where, f"a seed lies from 0 to {MOST_SEED:,}", "Write --set SEED=3, for example.")
    return value


def _path_of(source: str) -> tuple[str, str, str]:
    """Splits a source into `hub:` or nothing, what may be a path, and what follows it after a colon."""
    if not source.startswith(hub.PREFIX):
        return "", source, ""
    name, colon, rest = source.removeprefix(hub.PREFIX).partition(":")
    return hub.PREFIX, name, colon + rest


def _located(key: str, source: str) -> str:
    """Returns a source as it is found from every folder: what is a path is made absolute.

    Raises:
        WorkbookError: there is nothing at the path, or the address of a data set is malformed.
    """
    where = f"--set {key}={source}"
    if key in KINDS and source.partition(":")[0] in OWN[KINDS[key]]:
        if key == "CORPUS" and source.partition(":")[0] == "town":
            raise files.at(where, "the town is read in any case", "Name a text to be read beside it, or leave it out.")
        return source
    try:
        prefix, name, rest = _path_of(files.expanded(source))
        looks_local = name.startswith((".", "/")) or name.endswith("/")
        if prefix and not looks_local:
            hub.parse(source)  # or there is an error
            return source
    except files.WorkbookError as error:
        raise files.WorkbookError(f"--set {key}: {error}") from None
    path = Path(name)
    if path.exists():
        located = path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
        return f"{prefix}{located}{rest}"
    if key == "MODEL" and not looks_local:  # a name on the Hub
        return source
    reason = "the link leads nowhere" if path.is_symlink() else "there is no such file or folder"
    own = f", {', '.join(OWN[KINDS[key]])}, or hub:owner/name" if key in KINDS else ", or owner/name on the Hub"
    raise files.at(where, f"{reason} ({path.absolute()})", f"Name one that is there{own}.")
