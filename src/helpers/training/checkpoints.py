"""Is the work of a killed run still there? Checkpoints that are whole or do not count.

The Trainer writes a checkpoint file by file into its final folder; a process that dies meanwhile leaves half of one.
So each gets a seal, written last and at once: the SHA-256 of every file. Without a seal it never happened; with a seal
that does not fit, somebody changed it, and the user is told.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import files

SEAL = "seal.json"
PREFIX = "checkpoint-"
"""The Trainer's name for a checkpoint's folder, before the step."""


def sealed(folder: Path) -> list[Path]:
    """Returns a run's sealed checkpoints, the latest first. They are not verified."""
    found = [path for path in folder.glob(f"{PREFIX}*") if (path / SEAL).is_file()]
    return sorted(found, key=step_of, reverse=True)


def step_of(checkpoint: Path) -> int:
    """Returns the optimizer step after which a checkpoint was written."""
    return int(checkpoint.name.removeprefix(PREFIX))


def seal(checkpoint: Path) -> None:
    """Marks a checkpoint as whole, with the hashes of its files; of the older ones, one is kept to go back to."""
    files.write_json(checkpoint / SEAL, _hashes(checkpoint))
    for old in sealed(checkpoint.parent)[2:]:
        (old / SEAL).unlink()  # first, so that a half-removed one does not count
        shutil.rmtree(old)


def latest(folder: Path) -> Path | None:
    """Returns the latest sealed checkpoint of a run, from which it goes on; None if there is none.

    Raises:
        WorkbookError: its files are not those that were sealed.
    """
    found = sealed(folder)
    if not found:
        return None
    checkpoint, *older = found
    remedy = f"Delete the folder {checkpoint} to go on from {older[0].name if older else 'the beginning'}."
    try:
        wanted = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
    except ValueError:
        raise files.at(checkpoint / SEAL, "the checkpoint's seal is no JSON", remedy) from None
    present = _hashes(checkpoint)
    for name in sorted(wanted.keys() | present.keys()):
        if wanted.get(name) != present.get(name):
            fate = "missing" if name not in present else "truncated or altered" if name in wanted else "not part of it"
            raise files.at(checkpoint / name, f"this file of the checkpoint is {fate}", remedy)
    return checkpoint


@contextmanager
def writing(checkpoint: Path) -> Iterator[None]:
    """Turns whatever goes wrong while a checkpoint is written into one error, and removes what was written of it."""
    try:
        yield
    except Exception as error:  # a full disk is an OSError, a RuntimeError or a SafetensorError
        shutil.rmtree(checkpoint, ignore_errors=True)
        before = sealed(checkpoint.parent)
        kept = f"{before[0]} is whole" if before else "there was none before it"
        raise files.at(
            checkpoint,
            f"the checkpoint could not be written ({str(error).strip().splitlines()[-1]})",
            f"Make room or mend the folder's permissions, and run the same command again: {kept}.",
        ) from error


def open_folder(folder: Path) -> None:
    """Makes a run's folder, and removes the half-written checkpoints of a process that was killed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_text(
            folder / "README.txt", "Checkpoints of a run that is not finished. It removes them at its end.\n"
        )
        for path in folder.glob(f"{PREFIX}*"):
            if not (path / SEAL).is_file():
                shutil.rmtree(path)
    except OSError as error:
        raise files.at(folder, f"checkpoints cannot be written here ({error})", "Name a folder that can") from error


def clear(folder: Path) -> None:
    """Removes the checkpoints of all runs in a folder, once what they led to is saved."""
    shutil.rmtree(folder, ignore_errors=True)


def _hashes(checkpoint: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file but the seal, by its path within the checkpoint."""
    hashes = {}
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and path.name != SEAL:
            with path.open("rb") as stream:
                hashes[path.relative_to(checkpoint).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes
