"""No test writes into the user's results: neither here nor in a kernel, which inherits the variable.

`make test` shares the tests out among processes by files (pytest-xdist): what a file's tests have in common is made
once. Each process has its own folder of results.
"""

import os
import tempfile

import pytest

MOST_PROCESSES = 4
"""Each holds torch in memory."""

_results = tempfile.TemporaryDirectory(prefix="workbook-tests-")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are so small that threads cost more than they bring
os.environ["WORKBOOK_RESULTS"] = _results.name  # before `helpers.files` is imported


def pytest_xdist_auto_num_workers(config):
    """One process a core that this one may use; xdist itself counts those of the whole machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


def pytest_collection_modifyitems(items):
    """Chapters first: they take longest and run one after the other, while another process does the rest."""
    items.sort(key=lambda item: item.get_closest_marker("chapter") is None)


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """Corpora and metrics are not kept beside the user's."""
    from helpers import files
    from helpers.evaluation import metrics

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CACHE", tmp_path_factory.mktemp("cache"))
        metrics.load_metric.cache_clear()
        yield
    metrics.load_metric.cache_clear()
