"""What this machine offers a training: device, threads, number format, memory; and which of several processes it is."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from training.guards import Refused
from training.recipe import Recipe

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
CGROUP = Path("/sys/fs/cgroup")


def rank() -> int:
    """Which of several processes this is, from 0; the first alone writes and obeys orders."""
    return int(os.environ.get("RANK", "0"))


def processes() -> int:
    """How many processes train together, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def machine(recipe: Recipe) -> dict[str, Any]:
    """Threads, number format and device that this machine does best, as the recipe leaves them open. Raises Refused."""
    import torch

    wish = recipe.machine
    device = "cuda" if torch.cuda.is_available() and wish.device != "cpu" else "cpu"
    if wish.device == "cuda" and device == "cpu":
        raise Refused("there is no CUDA device here; leave device out, or train where one is")
    if recipe.lora is not None and recipe.lora.quantize:
        _can_quantize()
    there = cores()
    busy = others()
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = wish.threads
    if threads == "auto":  # threads that wait for a busy core cost more than they bring
        threads = max(1, min(8, round(there - busy) // here)) if device == "cpu" else min(8, max(1, there // here))
    kind = wish.dtype
    if kind == "auto":
        fast = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        kind = "bfloat16" if device == "cuda" or fast() else "float32"
    return {
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else "",
        "threads": int(threads),
        "dtype": kind,
        "cores": there,
        "load": round(busy, 2),
        "processes": processes(),
        "allocator": "keeps what was freed" if "MALLOC_TRIM_THRESHOLD_" in os.environ else "as the system has it",
    }


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def others(seconds: float = 1.0) -> float:
    """Cores that are busy while this process waits so long.

    The load average of a minute would count what this process has done itself, and what ended just before it.
    """
    import psutil

    return psutil.cpu_percent(seconds) / 100 * (psutil.cpu_count() or 1)


def _can_quantize() -> None:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise Refused("lora.quantize needs bitsandbytes: pip install 'playpen-tui[qlora]', or leave it out")


def versions() -> dict[str, str]:
    """Versions of the libraries that train, by name."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES if importlib.util.find_spec(name)}


def available(device: str) -> int:
    """Bytes that a process may still take: of the graphics card, else of this machine, its group and its limits."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    found = [int(psutil.virtual_memory().available)]
    most, used = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    if most is not None and used is not None:
        found.append(max(0, most - used))
    if sys.platform != "win32":
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            found.append(max(0, limit - int(psutil.Process().memory_info().vms)))
    return min(found)


def held(device: str) -> int:
    """Bytes of memory that this process has now; on a graphics card, the most that was reserved there."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_reserved())
    import psutil

    return int(psutil.Process().memory_info().rss)


class Hoard:
    """Gives back memory that the allocator keeps without need.

    It is told to keep what was freed, for else every step would fetch its pages anew. But rows of other lengths leave
    holes of other sizes, and so it would keep more and more: a GRPO that needs 6 GB grew to 9 within 24 steps.
    """

    GROWN = 1.02
    """How much of what it usually holds a process may hold before it gives back what it does not use."""

    def __init__(self) -> None:
        self.usual = 0
        """Bytes that it held after its first look, or after the one that followed upon giving back, if more."""
        self._given = True

    def look(self) -> bool:
        """Between two pieces of work; returns whether memory was given back. Only on a processor, and with glibc."""
        now = held("cpu")
        if self._given:
            self.usual, self._given = max(self.usual, now), False
            return False
        if now <= self.GROWN * self.usual:
            return False
        self._given = _trim()
        return self._given


def _trim() -> bool:
    """Let the allocator return whole pages that are free. False where it cannot."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    trim(0)
    return True


def peak() -> int:
    """Bytes of memory that this process had at most."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group here, or `max`: no limit
        return None
