"""In which words is a task set? The wordings lie in `wordings.toml`, those of the test beside those of training."""

from __future__ import annotations

from helpers.corpora.town.grammar import Sampler
from helpers.imports import data_of

WORDINGS = data_of(__name__)
"""By task and split; of `questions` also by relation, and of `instructions` by what is instructed."""


def worded(sampler: Sampler, task: str, split: str, **slots: object) -> str:
    """Draws a wording of a task, and fills its slots."""
    return sampler.choose(WORDINGS[task][split]).format(**slots)
