"""Several processes must train as one does; a stream must train as it comes; rerunning must go on."""

import json
import os
import subprocess
import sys

import distributed
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForCausalLM

from helpers.files import WorkbookError
from helpers.profiles import load_profile
from helpers.training import launch as launching
from helpers.training.pretraining import _share, batch_of

TWO = [
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
]


def accelerate(*command):
    """Runs a command on two processes, which find each other through gloo where there is no card."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    launcher = [sys.executable, "-m", "accelerate.commands.launch", *TWO, *command]
    done = subprocess.run(launcher, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def own_text(tmp_path_factory):
    """Four Parquet files of a small language."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    names, things = ["Ada", "Ben", "Cid", "Dora", "Eve", "Finn"], ["mill", "inn", "barn", "boat", "forge"]
    for shard in range(4):
        texts = [
            " ".join(f"{rng.choice(names)} has a {rng.choice(things)} by the river." for _ in range(rng.integers(1, 9)))
            for _ in range(300)
        ]
        pq.write_table(pa.table({"text": texts}), folder / f"part-{shard}.parquet")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains on one and on two processes; returns what came of them, and the folders of the saved models."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    distributed.main(one)
    accelerate(distributed.__file__, two)
    return [json.loads((folder / "result.json").read_text()) | {"folder": folder} for folder in (one, two)]


def test_two_processes_give_the_loss_curve_of_one(trained):
    one, two = trained
    assert [one["processes"], two["processes"]] == [1, 2]
    assert two["dealt"]["tokens"] == one["dealt"]["tokens"]
    assert two["dealt"]["losses"] == pytest.approx(one["dealt"]["losses"], abs=1e-4)


def test_muon_steps_a_model_that_is_divided_as_it_steps_a_whole_one(trained):
    whole, divided = trained
    assert divided["sharded"]["losses"] == pytest.approx(whole["sharded"]["losses"], abs=1e-4)
    models = [AutoModelForCausalLM.from_pretrained(of["folder"] / "model") for of in trained]
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < 1e-3


def test_a_stream_trains_and_leaves_a_model_and_no_checkpoints(tmp_path, own_text, monkeypatch):
    monkeypatch.setattr(launching, "TOKENIZER_CHARACTERS", 50_000)
    profile = load_profile("smoke", vocab_size=320, context=32, batch_tokens=256, tokens=256 * 40)
    result = launching.launch(profile, 0, tmp_path, str(own_text), stream=True)
    assert result["tokens"] == profile.tokens
    assert result["loss_curve"][-1][1] < 0.7 * result["loss_curve"][0][1]
    assert json.loads((tmp_path / "pretraining.json").read_text()) == result
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "models" / "base").num_parameters() == result["parameters"]
    assert not (tmp_path / "checkpoints").exists()


def test_a_batch_that_cannot_be_dealt_evenly_is_told():
    profile = load_profile("smoke", context=128, batch_tokens=384)
    with pytest.raises(WorkbookError, match=rf"{batch_of(profile)} blocks .* cannot be dealt evenly to 2 processes"):
        _share(profile, 2)
