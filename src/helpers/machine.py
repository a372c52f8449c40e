"""On what was it computed? Processor, threads, versions, commit, memory: what numbers depend on beside their seed."""

import os
import platform
import re
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from helpers import files

LIBRARIES = ("torch", "transformers", "tokenizers", "datasets", "evaluate", "numpy", "seaborn")


def environment() -> dict[str, Any]:
    """Returns what a number can depend on beside its seed: machine, threads, versions, commit."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "accelerator": _accelerator(),
        "threads": int(os.environ.get("OMP_NUM_THREADS") or cores()),  # that torch computes with
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "commit": _commit(),
    }


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
