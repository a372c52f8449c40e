"""What is predicted, and what is known at scale? Chapter 04's predictions and its papers' findings, as data."""

from helpers.imports import data_of
from helpers.records import Record

_WORDS = data_of(__name__)

AT_SCALE: dict[str, str] = _WORDS["at_scale"]
"""By claim, what the literature found with large models, and what would have to hold for ours to carry over."""


def predict(record: Record, section: str) -> None:
    """Notes the predictions of a section in the record, by the keys with which they are judged."""
    for key, prediction in _WORDS["predictions"][section].items():
        record.predict(key, **prediction)
