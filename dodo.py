"""The workbook's tasks for doit: `doit`, `doit list --all`, `doit profile=smoke 01_pretraining`.

They are those of `python -m helpers run`, which can also set parameters.
"""

from collections.abc import Iterator
from typing import Any

from doit import get_var

from helpers.publishing.run import Run
from helpers.publishing.runner import settings, tasks

RUN = Run(get_var("profile", "laptop"), get_var("name", ""))
DOIT_CONFIG = settings(RUN)


def task_chapters() -> Iterator[dict[str, Any]]:
    """Execute the chapters, make their pages and the index."""
    yield from tasks(RUN, [])
