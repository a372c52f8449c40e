"""Can two small models be trained in the time of one? Work on several things at once, each on a core of its own.

A small model spends most of a step between its products, where a second thread has nothing to do.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from helpers.machine import cores
from helpers.progress import each

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item], label: str, unit: str) -> list[Result]:
    """Returns what a function of a module returns of each item, in order; it and they can be pickled.

    Processes are spawned, as many as there are cores, with one thread each. With one core, or one thing to do, or where
    a card computes, all is done here, one after the other. A process costs some seconds of imports: give it more than
    that to do.
    """
    from helpers.models import device

    if min(cores(), len(items)) < 2 or device().type != "cpu":
        return [work(item) for item in each(items, label, unit)]
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(cores(), len(items)), context, initializer=_begin)
    try:
        futures = [pool.submit(work, item) for item in items]
        return [future.result() for future in each(futures, label, unit)]
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Prepares a process: one thread, and no progress of its own."""
    import torch

    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
