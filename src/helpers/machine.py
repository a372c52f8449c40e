"""On what was it computed? Processor, threads, versions, commit, memory: what numbers depend on beside their seed."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files

if TYPE_CHECKING:
    import torch

LIBRARIES = ("torch", "transformers", "tokenizers", "datasets", "evaluate", "numpy", "seaborn")
WIDTH, INNER_WIDTH = 576, 1536  # of the real model's matrices
FEW_ROWS, MANY_ROWS = 16, 256  # texts that are written together, tokens that are read together
CLEARLY_FASTER = 1.5


def environment() -> dict[str, Any]:
    """Returns what a number can depend on beside its seed: machine, threads, versions, commit.

    The arithmetic is told where this process has asked for the fast one.
    """
    about = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "accelerator": _accelerator(),
        "threads": int(os.environ.get("OMP_NUM_THREADS") or cores()),  # that torch computes with
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "commit": _commit(),
    }
    if fast_dtype.cache_info().currsize:
        about["arithmetic"] = str(fast_dtype()).removeprefix("torch.")
    return about


def measured_gflops() -> dict[str, float]:
    """Returns the GFLOP/s of large matrix products by arithmetic, if `fast_dtype` has measured them in this process."""
    return matrix_gflops() if matrix_gflops.cache_info().currsize else {}


@cache
def fast_dtype() -> torch.dtype:
    """Returns the arithmetic in which a model of a hundred million parameters is trained and writes fastest here.

    That is float32, unless matrix products in bfloat16 are `CLEARLY_FASTER`, as on processors with AMX and on cards.
    Others only imitate bfloat16, and are many times slower with it. Published scores are in float32 everywhere.
    """
    import torch

    if torch.backends.mps.is_available():
        return torch.float32  # not tried
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    gflops = matrix_gflops()
    return torch.bfloat16 if gflops["bfloat16"] >= CLEARLY_FASTER * gflops["float32"] else torch.float32


@cache
def matrix_gflops() -> dict[str, float]:
    """Measures matrix products of the real model's sizes on the processor, once a process, in a fifth of a second.

    Few rows first: where bfloat16 is slow with them, many would take seconds, and are left out.
    """
    import torch

    for rows in FEW_ROWS, MANY_ROWS:
        gflops = {name: _gflops(rows, getattr(torch, name)) for name in ("float32", "bfloat16")}
        if gflops["bfloat16"] < gflops["float32"]:
            break
    return gflops


def _gflops(rows: int, dtype: torch.dtype) -> float:
    """Measures the GFLOP/s of the best of the products that go into a thirtieth of a second, of two at least."""
    import torch

    states, matrix = torch.ones(rows, WIDTH, dtype=dtype), torch.ones(INNER_WIDTH, WIDTH, dtype=dtype)
    took: list[float] = []
    with torch.inference_mode():
        while len(took) < 2 or sum(took) < 1 / 30:  # the first prepares the kernel
            start = time.perf_counter()
            torch.nn.functional.linear(states, matrix)
            took.append(time.perf_counter() - start)
    return round(2 * rows * WIDTH * INNER_WIDTH / min(took) / 1e9, 1)


def peak_memory_mb() -> float:
    """Returns the most memory this process has held, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def free_memory() -> int:
    """Returns the bytes of memory that are free where torch computes: on the card if there is one."""
    import psutil
    import torch

    return int(torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    found = re.search(r"^model name[^:]*:(.*)", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor()


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _accelerator() -> str:
    """Returns the device that torch computes on, beside the processor; empty without one, or without torch."""
    torch = sys.modules.get("torch")  # a process that has not imported it has not computed with it
    if torch is None:
        return ""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "mps" if torch.backends.mps.is_available() else ""


def _commit() -> str:
    """Returns the commit of the workbook, with `+` where files were changed since; empty without git."""
    command = ["git", "-C", str(files.ROOT), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
