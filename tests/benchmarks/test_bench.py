"""A race's numbers must be medians and paired ratios of what was run, and be saved whole."""

import json

import pytest

from helpers import files
from helpers.benchmarks import bench
from helpers.corpora import load
from helpers.profiles import load_profile


def race(recipe, minutes, seed, bits):
    measured = {"tokens": 60_000, "seconds": 60.0 if recipe == "ours" else 30.0, "matmul_gflops": 100.0}
    return {"recipe": recipe, "minutes": minutes, "seed": seed, "bits_per_byte": bits} | measured


def test_the_summary_gives_medians_and_ratios_of_pairs():
    ours, stock = [2.0, 2.0, 1.0], [4.0, 3.0, 1.5]
    races = [race(name, 1, seed, bits[seed]) for seed in range(3) for name, bits in (("ours", ours), ("stock", stock))]
    profile = load_profile("laptop")
    found = bench.summary(races, profile)
    assert found["minutes"]["1"] == {"ours": 2.0, "stock": 3.0, "ratio": 1.5, "ratios": [1.5, 2.0]}
    assert found["tokens_per_second"] == {"ours": 1000, "stock": 2000}
    assert found["share_of_matmul_peak"] == pytest.approx(1000 * profile.flops_per_token / 100e9)


def test_both_recipes_race_with_equal_parameters_and_the_result_is_saved(tmp_path, monkeypatch, capsys):
    (tmp_path / "own.txt").write_text(
        "\n\n".join(f"Function {i} returns the mill number {i * 7}." for i in range(3000))
    )
    small = load_profile("smoke", vocab_size=320, context=32, batch_tokens=256)
    monkeypatch.setattr(bench, "load_profile", lambda name: small)
    monkeypatch.setattr(bench, "load", lambda name: load(str(tmp_path / "own.txt")))
    monkeypatch.setattr(bench, "TRIAL_STEPS", 3)
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    bench.bench([0.02], repeats=1)
    saved = json.loads((tmp_path / "results" / "bench.json").read_text())
    ours, stock = saved["races"]
    assert (ours["recipe"], stock["recipe"]) == ("ours", "stock")
    assert stock["parameters"] == pytest.approx(ours["parameters"], rel=0.1)
    assert saved["summary"]["minutes"]["0.02"]["ratio"] == pytest.approx(stock["bits_per_byte"] / ours["bits_per_byte"])
    assert "of the float32 matmul peak" in capsys.readouterr().out
