"""A study survives being stopped: what is finished is kept, the rest is done, and one record comes of it."""

import json
import re

import numpy as np
import pytest

from helpers import files
from helpers.experiments import study
from helpers.experiments.study import Arm, Findings, Study, find_studies, load_study, run_study
from helpers.files import fingerprint
from helpers.profiles import load_profile
from helpers.statistics import share_interval

SMOKE = load_profile("smoke")


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RESULTS", tmp_path)
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "reference")
    return tmp_path


class Toy:
    """Three seeds of a training that takes no time; `ran` has the arms that were run."""

    def __init__(self, stop_at=""):
        self.ran, self.stop_at = [], stop_at
        self.study = Study("Does the seed matter?", self.arms, self.run_arm)

    def arms(self, profile):
        return [Arm(f"seed-{seed}", profile, seed, {"order": ["shuffled"]}) for seed in range(3)]

    def run_arm(self, arm, record):
        if arm.name == self.stop_at:
            raise KeyboardInterrupt
        self.ran.append(arm.name)
        record.measure("loss", 1 + arm.seed / 10, "bits per byte")
        record.fingerprints["weights"] = fingerprint([arm.name])


def test_a_stopped_study_goes_on_where_it_stopped(results, capsys):
    first = Toy(stop_at="seed-1")
    with pytest.raises(KeyboardInterrupt):
        run_study("01_first", first.study, SMOKE)
    assert find_studies("01_first", results / "smoke") == []
    assert [path.name for path in (results / "smoke" / "studies" / "01_first").iterdir()] == ["seed-0.json"]

    second = Toy()
    path = run_study("01_first", second.study, SMOKE)
    assert second.ran == ["seed-1", "seed-2"]
    assert f"{SMOKE.tokens:,} tokens, done in 0:00" in capsys.readouterr().out
    record = json.loads(path.read_text())
    assert [arm["measurements"]["loss"]["value"] for arm in record["arms"].values()] == [1.0, 1.1, 1.2]
    for arm in record["arms"].values():
        assert arm["environment"]["python"]
        assert arm["cost"]["calibration_gflops"] > 0
        assert arm["fingerprints"]["weights"]
    third = Toy()
    run_study("01_first", third.study, SMOKE)
    assert third.ran == []


def test_an_arm_of_other_sizes_is_run_anew(results):
    run_study("01_first", Toy().study, SMOKE, "mine")
    again = Toy()
    run_study("01_first", again.study, load_profile("smoke", tokens=5000), "mine")
    assert again.ran == ["seed-0", "seed-1", "seed-2"]


def test_processes_share_a_study_and_the_last_writes_its_record(results, capsys):
    first, second = Toy(), Toy()
    run_study("01_first", first.study, SMOKE, only="*-1")
    assert first.ran == ["seed-1"]
    assert "Not yet done: seed-0, seed-2." in capsys.readouterr().out
    assert find_studies("01_first", results / "smoke") == []
    run_study("01_first", second.study, SMOKE)
    assert second.ran == ["seed-0", "seed-2"]
    assert list(load_study("01_first", results / "smoke").arms) == ["seed-0", "seed-1", "seed-2"]
    with pytest.raises(files.WorkbookError, match=r"no arm is named 'sed.*Known: seed-0, seed-1, seed-2"):
        run_study("01_first", second.study, SMOKE, only="sed")


def findings(*arms):
    """A study with arms of these parameters and values of `loss`."""
    found = {"unit": "nats", "interval": None, "n": None, "null": 0.0, "about": {"split": "test"}}
    return Findings(
        "?",
        "smoke",
        False,
        {
            str(i): {
                "parameters": parameters,
                "measurements": {"loss": found | {"name": "loss", "value": value, "seeds": [parameters["seed"]]}},
            }
            for i, (parameters, value) in enumerate(arms)
        },
    )


def test_over_seeds_the_mean_of_arms_alike_but_for_their_seed_has_a_t_interval(results):
    run_study("01_first", Toy().study, SMOKE)
    (mean,) = load_study("01_first", results / "smoke").over_seeds()
    assert (mean.name, mean.value, mean.n) == ("loss", pytest.approx(1.1), 3)
    assert mean.about == {"order": ["shuffled"]}
    assert mean.interval.low == pytest.approx(1.1 - 4.3027 * 0.1 / 3**0.5, abs=1e-4)


def test_what_arms_vary_is_told_apart_and_compared_seed_by_seed():
    ways = [({"seed": seed, "way": way}, value + seed) for seed in (0, 1, 2) for way, value in (("a", 5), ("b", 3))]
    found = findings(*ways, ({"seed": 3, "way": "a"}, 100.0))
    assert found.mean(way="b").value == pytest.approx(4)
    assert found.mean(way="b").about == {"way": "b", "split": "test"}
    gap = found.gap("a - b", {"way": "a"}, {"way": "b"})
    assert (gap.value, gap.interval.low, gap.n, gap.seeds) == (2, 2, 3, (0, 1, 2))
    table = found.frame()
    assert table.loc[table.way == "b", ["seed", "value"]].values.tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(KeyError, match="2 means"):
        found.mean(split="test")
    with pytest.raises(KeyError, match="several measurements of a seed"):
        found.gap("any", {}, {"way": "b"})
    with pytest.raises(KeyError, match="fewer than two seeds"):
        found.gap("any", {"way": "a"}, {"way": "c"})


def test_cost_is_said_before_it_is_spent(results, capsys):
    def check(arm, record):
        shown = capsys.readouterr().out
        assert "3 arms left: at least 0:" in shown or "arms left: about 0:" in shown

    run_study("01_first", Study("?", Toy().arms, check), SMOKE)


def test_an_arm_that_trains_on_a_share_of_the_tokens_costs_that_share(results, capsys, monkeypatch):
    monkeypatch.setattr(study, "calibrate", lambda: 1.0)
    profile = load_profile("smoke", tokens=100_000_000)
    whole, quarter = (Arm(f"arm-{share}", profile, 0, share=share) for share in (1.0, 0.25))
    assert quarter.flops == pytest.approx(whole.flops / 4)
    shown = []
    for arm in (whole, quarter):
        run_study("01_first", Study("?", lambda _, arm=arm: [arm], lambda arm, record: None), profile)
        tokens, hours, minutes = re.search(r"([\d,]+) tokens, at least (\d+):(\d+)", capsys.readouterr().out).groups()
        shown.append((int(tokens.replace(",", "")), 60 * int(hours) + int(minutes)))
    assert [tokens for tokens, _ in shown] == [100_000_000, 25_000_000]
    assert shown[1][1] == pytest.approx(shown[0][1] / 4, rel=0.05)


def test_a_chapter_shows_its_runs_own_study_before_the_published_one(results):
    mine = results / "mine"
    assert load_study("01_first", mine) is None
    about = {"profile": "smoke", "arms": {}}
    files.write_json(results / "reference" / "studies" / "01_first.json", about | {"question": "published?"})
    assert load_study("01_first", mine) == Findings("published?", "smoke", True, {})
    files.write_json(mine / "studies" / "01_first.json", about | {"question": "mine?"})
    assert load_study("01_first", mine) == Findings("mine?", "smoke", False, {})
    (mine / "studies" / "01_first.json").write_text("{")
    with pytest.raises(files.WorkbookError, match="not valid JSON"):
        load_study("01_first", mine)


def of_shares(clusters, *shares):
    """A study of one way over seeds, tested on clusters, one set or one for each seed."""

    def run_arm(arm, record):
        own = clusters[arm.seed % len(clusters)]
        right, rows = shares[arm.seed], [name for name in own for _ in range(10)]
        credits = np.arange(len(rows)) % 10 < 10 * right
        record.share("right", credits.astype(float), rows, way="a")
        record.share("wrong", 1 - credits, rows, way="b")

    return Study("?", lambda profile: [Arm(f"seed-{i}", profile, i) for i in range(len(shares))], run_arm)


def test_seeds_of_a_share_are_combined_with_the_clusters_they_were_tested_on(results):
    people = [f"person {i}" for i in range(12)]
    run_study("same", of_shares([people], 1.0, 1.0, 1.0), SMOKE)
    same = load_study("same", results / "smoke").mean(way="a")
    alone = share_interval(np.ones(120), [name for name in people for _ in range(10)])
    assert (same.interval.low, same.interval.high) == (pytest.approx(alone.low), 1.0)
    gap = load_study("same", results / "smoke").gap("a - b", {"way": "a"}, {"way": "b"})
    assert (gap.value, gap.interval.high) == (1, 1)
    assert 0.5 < gap.interval.low < 1  # though all seeds' gaps are alike


def started_from(model):
    def run_arm(arm, record):
        record.fingerprints[study.BASE] = model
        record.measure("loss", 1.0, "nats")

    return Study("?", lambda profile: [Arm("one", profile, 0)], run_arm)


def test_an_arm_keeps_fingerprints_and_a_study_says_if_its_base_is_not_the_runs(results, monkeypatch, capsys):
    run = results / "smoke"
    run_study("04_old", started_from("abc"), SMOKE)
    run_study("04_new", started_from("def"), SMOKE)
    monkeypatch.setattr(study, "current_base", lambda run: "def")
    arm = load_study("04_new", run).arms["one"]
    assert arm["fingerprints"].keys() == {study.BASE, "code", "machine"}
    before = {"question": "?", "profile": "smoke", "arms": {"one": arm | {"fingerprints": {}}}}
    files.write_json(run / "studies" / "04_first.json", before)
    said = study.origin("04", run)
    assert "Studies 04_first: made before fingerprints were kept." in said
    assert "Studies 04_old: **stale**: made from another base model than this run's." in said
    assert "Studies 04_new: made from this run's base model." in said
    assert study.origin("05", run) == ""
    run_study("04_old", started_from("abc"), SMOKE)
    assert "Stale, made from another base model than this run's: one." in capsys.readouterr().out
