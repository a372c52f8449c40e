"""Which run is it? Its sizes, its folder, and what is put in place of the notebooks' defaults."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import files
from helpers.profiles import SIZES, load_profile
from helpers.publishing import chapters


@dataclass
class Run:
    """One run of the workbook.

    Raises:
        WorkbookError: the profile or a field's value is wrong, or the name cannot be used.
    """

    profile_name: str = "laptop"
    name: str = ""  # empty means the profile's
    settings: dict[str, Any] = field(default_factory=dict)  # by name, of the notebooks' parameters or the profile's

    def __post_init__(self) -> None:
        if self.name and not re.fullmatch(r"\w[\w.-]*", self.name):
            raise files.WorkbookError(f"run name {self.name!r}: use letters, digits, '.', '-' and '_'.")
        if self.name == files.REFERENCE.name:
            raise files.WorkbookError(f"{self.name!r} is the published run, which `publish` writes. Use another name.")
        self.profile = load_profile(self.profile_name, **self.overrides)

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that are fields of the profile."""
        return {key: value for key, value in self.settings.items() if key in SIZES}

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return files.RESULTS / (self.name or self.profile_name)

    def parameters(self, notebook: Path) -> dict[str, Any]:
        """Returns what is put in place of a notebook's defaults.

        A value that is the path of something is made absolute, since notebooks run in their own folder.

        Raises:
            WorkbookError: a setting is neither a parameter of a notebook, this or another, nor a field of the profile.
        """
        others = [chapters.source(chapter.name) for chapter in chapters.chapters()]
        given = {"PROFILE": self.profile_name, "NAME": self.name, "OVERRIDES": self.overrides}
        known = [name for name in chapters.parameters(notebook) if name not in given]
        for key, value in self.settings.items():
            if key in known:
                is_path = isinstance(value, str) and value and Path(value).exists()
                given[key] = str(Path(value).resolve()) if is_path else value
            elif key not in SIZES and not any(key in chapters.parameters(other) for other in others):
                known_ones = f"{', '.join(known)}, and of the profile {', '.join(SIZES)}"
                raise files.at(notebook.name, f"parameter {key!r} is unknown", f"Known: {known_ones}.")
        return given
