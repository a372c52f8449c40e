"""A killed run must end like one that nobody killed; and whatever happens to a checkpoint, the user is told once."""

import json
import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path

import pytest
import runs

from helpers.files import WorkbookError
from helpers.models import weights_fingerprint
from helpers.training import checkpoints


@pytest.fixture(scope="module")
def launch():
    """Starts a run as a process of its own, a fork of one that has imported the libraries, once for all."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["runs"])

    def start(folder, *options):
        process = forks.Process(target=runs.run, args=(folder, *options))
        process.start()
        return process

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(runs.__file__).parent), prepend=os.pathsep)
        yield start


def result(process, folder):
    process.join(300)
    out, errors = ((folder / name).read_text() for name in ("stdout", "stderr"))
    lines = [line for line in out.splitlines() if line.startswith("RESULT ")]
    assert lines, errors
    assert not errors  # in a notebook it would be red
    return json.loads(lines[0].removeprefix("RESULT "))


def wait_for(process, ready):
    """Waits until something is ready, or the process has ended."""
    while process.is_alive() and not ready():
        time.sleep(0.001)


def kill(process):
    process.kill()
    process.join()


@pytest.fixture(scope="module")
def unbroken():
    model, _, blocks = runs.start()
    log = runs.train(model, blocks)
    return {"weights": weights_fingerprint(model), "losses": [[*noted] for noted in log.losses.items()]}


def written(folder):
    return list(folder.glob("*/checkpoint-*"))


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path, unbroken, launch):
    """`WORKBOOK_KILLS=20` makes a soak of it."""
    kills, rng = int(os.environ.get("WORKBOOK_KILLS", "2")), random.Random(int(os.environ.get("WORKBOOK_SEED", "0")))
    for number in range(kills):
        (tmp_path / "begun").unlink(missing_ok=True)
        process = launch(tmp_path, 0.02)
        wait_for(process, (tmp_path / "begun").exists)
        if number % 2:  # while a checkpoint is written: it is there, but without its seal
            wait_for(process, lambda: not all((path / "seal.json").exists() for path in written(tmp_path)))
        else:
            time.sleep(rng.uniform(0, 0.9))
        kill(process)
    assert result(launch(tmp_path), tmp_path) == unbroken


def test_a_checkpoint_that_was_half_written_is_as_if_it_had_never_been(run):
    last = run / "checkpoint-20"
    (last / "seal.json").unlink()  # it is written last
    (last / "optimizer.pt").unlink()
    assert checkpoints.latest(run) == run / "checkpoint-10"
    checkpoints.open_folder(run)
    assert not last.exists()


@pytest.fixture
def run(tmp_path):
    """A run's folder with two sealed checkpoints."""
    for step in (10, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in ("model.safetensors", "optimizer.pt"):
            (folder / name).write_bytes(b"weights" * step)
        checkpoints.seal(folder)
    return tmp_path


@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_damaged_checkpoint_is_told_with_the_way_back_and_nothing_is_touched(run, damage):
    path = run / "checkpoint-20" / "optimizer.pt"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == "truncated" else b"W" + content[1:])
    with pytest.raises(WorkbookError, match=rf"optimizer\.pt.*{damage}.*Delete the folder .*-20 to go on from .*-10"):
        checkpoints.latest(run)
    shutil.rmtree(run / "checkpoint-20")
    assert checkpoints.latest(run) == run / "checkpoint-10"


def test_a_broken_seal_is_told(run):
    (run / "checkpoint-20" / "seal.json").write_text("{")
    with pytest.raises(WorkbookError, match=r"seal\.json.*no JSON"):
        checkpoints.latest(run)


def test_only_the_last_two_are_kept(run):
    third = run / "checkpoint-100"
    third.mkdir()
    checkpoints.seal(third)
    assert [path.name for path in checkpoints.sealed(run)] == ["checkpoint-100", "checkpoint-20"]
    assert not (run / "checkpoint-10").exists()


def test_a_full_disk_is_one_clear_error_and_the_checkpoint_before_is_intact(tmp_path, unbroken, launch):
    process = launch(tmp_path, 0.02)
    wait_for(process, lambda: list(tmp_path.glob("*/checkpoint-*/seal.json")))
    kill(process)
    before = checkpoints.sealed(next(path for path in tmp_path.iterdir() if path.is_dir()))
    full = launch(tmp_path, 0.0, 100_000)  # bytes that a file may have: less than the weights
    full.join(300)
    errors = (tmp_path / "stderr").read_text()
    assert full.exitcode == 1
    assert len(errors.splitlines()) == 1
    assert "could not be written" in errors
    assert f"{before[0]} is whole" in errors
    assert "Traceback" not in errors
    assert checkpoints.latest(before[0].parent) == before[0]
    assert result(launch(tmp_path), tmp_path) == unbroken


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkbookError, match="file/run: checkpoints cannot be written here"):
        checkpoints.open_folder(tmp_path / "file" / "run")
