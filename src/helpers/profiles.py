"""How big is this run, and what will it cost here? One dial; everything else is derived from it.

`smoke` proves that a chapter runs, `laptop` is the workbook as it is meant to be read, `gpu` is for a card. A single
value can be overridden; nothing else in the workbook decides a size.
"""

import dataclasses
import json
import math
import timeit
from dataclasses import dataclass
from typing import Any, Self

from helpers.files import WorkbookError

BYTES_PER_TOKEN = 3.4  # bytes of text in a token of ours, about; a chapter measures it exactly
UTILISATION = 0.4  # share of the calibrated rate that the training of a small model reaches at best


@dataclass(frozen=True)
class Profile:
    """The sizes of a run."""

    name: str
    vocab_size: int  # special tokens included
    hidden_size: int
    n_layer: int
    n_head: int
    context: int
    tokens: int  # of the base pretraining run, to within a few per cent: text is written and mixed by bytes
    batch_tokens: int  # of an optimizer step
    matrix_learning_rate: float  # peak rate of the matrices inside the blocks, in the base run (Muon's)
    learning_rate: float  # peak rate of all else (Adam's)
    packages: tuple[str, ...]  # whose docstrings are read; empty means all that are pinned
    pydocs_share: float  # by bytes, in the pretraining mix; the rest is the town
    people: int
    heldout_bytes: int  # of each corpus on which held-out loss is measured
    samples: int  # texts printed from a model where a chapter shows some
    seeds: int  # repetitions of a live trial that a chapter repeats, at least two

    @property
    def intermediate_size(self) -> int:
        """Width of the gated feed-forward layer: 8/3 of the model's, to a multiple of 32 (Shazeer 2020, section 2)."""
        return -(-self.hidden_size * 8 // 3 // 32) * 32

    @property
    def town_bytes(self) -> int:
        """Bytes of the town's chronicle written for training: its share of the tokens, at what a token holds."""
        return round(self.tokens * (1 - self.pydocs_share) * BYTES_PER_TOKEN)

    @property
    def labels(self) -> tuple[int, ...]:
        """Labelled texts from which a task is learned live: three sizes, each four times the one before; or one."""
        most = 1 << max(0, round(math.log2(self.tokens / 6000)))
        return (most // 16, most // 4, most) if most >= 256 else (max(16, most),)

    @property
    def demonstrations(self) -> float:
        """Share of the demonstrations from which an assistant learns, and of the questions that it is asked."""
        return min(1.0, self.tokens / 1_000_000)

    @property
    def matrix_parameters(self) -> int:
        """Parameters in matrix products of one forward pass: blocks and output layer, not the embedding look-up."""
        block = 4 * self.hidden_size**2 + 3 * self.hidden_size * self.intermediate_size
        return self.n_layer * block + self.vocab_size * self.hidden_size

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs of a token: 6 per matrix parameter + 12 × layers × width × context for attention.

        (PaLM, Chowdhery et al. 2022, appendix B.)
        """
        return 6 * self.matrix_parameters + 12 * self.n_layer * self.hidden_size * self.context

    @property
    def small(self) -> Self:
        """The same at about a fortieth of the cost, for trials that a chapter repeats with several seeds."""
        return dataclasses.replace(
            self,
            hidden_size=self.hidden_size // 2,
            n_layer=max(1, 2 * self.n_layer // 3),
            n_head=max(1, self.n_head // 2),
            context=self.context // 2,
            tokens=self.tokens // 10,
        )

    def training_seconds(self, gflops: float) -> float:
        """Returns a lower bound for the time of the base run, at the rate that `calibrate` measured."""
        return self.tokens * self.flops_per_token / (UTILISATION * gflops * 1e9)


_LAPTOP = Profile(
    name="laptop",
    vocab_size=2048,
    hidden_size=128,
    n_layer=3,
    n_head=4,
    context=256,
    tokens=1_500_000,
    batch_tokens=1024,
    matrix_learning_rate=0.04,
    learning_rate=0.03,
    packages=(),
    pydocs_share=0.35,
    people=60,
    heldout_bytes=150_000,
    samples=4,
    seeds=3,
)
_SMOKE = dataclasses.replace(
    _LAPTOP,
    name="smoke",
    vocab_size=1024,
    hidden_size=64,
    n_layer=2,
    n_head=2,
    context=160,
    tokens=32_768,
    packages=("accelerate", "datasets", "peft", "seaborn"),  # small, yet two have modules enough for a probe
    pydocs_share=0.4,  # leaves room for all that the base run must hold of sixty people
    heldout_bytes=20_000,
    samples=2,
    seeds=2,
)
_GPU = dataclasses.replace(
    _LAPTOP,
    name="gpu",
    vocab_size=16_384,
    hidden_size=512,
    n_layer=8,
    n_head=8,
    context=512,
    tokens=100_000_000,
    batch_tokens=65_536,
    matrix_learning_rate=0.02,
    learning_rate=0.01,
    pydocs_share=0.5,
    people=2000,
    heldout_bytes=1_000_000,
)
SIZES = tuple(field.name for field in dataclasses.fields(Profile) if field.name != "name")
PROFILES = {profile.name: profile for profile in (_SMOKE, _LAPTOP, _GPU)}


def load_profile(name: str, /, **overrides: Any) -> Profile:
    """Returns the profile of that name, with single values overridden.

    Raises:
        WorkbookError: the name or a field is unknown (the known ones are listed), or a value has the wrong type.
    """
    if name not in PROFILES:
        raise WorkbookError(f"profile {name!r} is unknown. Known: {', '.join(PROFILES)}.")
    profile = PROFILES[name]
    for key, value in overrides.items():
        if key not in SIZES:
            raise WorkbookError(f"profile parameter {key!r} is unknown. Known: {', '.join(SIZES)}.")
        wanted = type(getattr(profile, key))
        also = {float: int, tuple: list}.get(wanted, wanted)  # JSON has no tuples
        if not isinstance(value, wanted | also) or isinstance(value, bool):
            raise WorkbookError(f"profile parameter {key}={value!r} must be of type {wanted.__name__}.")
        if isinstance(value, int | float) and value <= 0:
            raise WorkbookError(f"profile parameter {key}={value!r} must be positive.")
        overrides[key] = wanted(value)
    profile = dataclasses.replace(profile, **overrides)
    if profile.hidden_size % profile.n_head:
        sizes = f"hidden_size={profile.hidden_size} must be a multiple of n_head={profile.n_head}"
        raise WorkbookError(f"profile parameter {sizes}.")
    return profile


def calibrate() -> float:
    """Measures this machine, now: GFLOP/s of float32 matrix products of a small model's shapes; no benchmark."""
    import numpy as np

    rows, inner, columns = 4096, 128, 512
    a, b = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    done, seconds = timeit.Timer(lambda: a @ b).autorange()
    return 2 * rows * inner * columns * done / seconds / 1e9


def pace() -> float:
    """Measures, in small jobs a second, how fast this machine is now at small products of matrices, and at Python.

    `calibrate` gives the rate of large products alone; a small model spends most of its time between them.
    """
    import numpy as np

    states, matrix = np.ones((256, 128), np.float32), np.ones((128, 352), np.float32)

    def job() -> None:
        hidden = states @ matrix
        (hidden / (1 + np.exp(-hidden))) @ matrix.T
        json.loads(json.dumps({str(number): [number] for number in range(500)}))

    done, seconds = timeit.Timer(job).autorange()
    return done / seconds
