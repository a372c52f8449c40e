import pytest

from helpers import files


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Every test starts with an empty cache of its own."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(files, "CACHE", cache)
    return cache
