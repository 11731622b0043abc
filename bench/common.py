"""What the benchmarks share: the facts about the machine, stopwatches, medians, and the peer as a process.

Shared machines are noisy, so a benchmark measures CPU-seconds, lets ours and the peer take turns, and compares them
turn by turn: the median of those ratios says more than any single rate.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Literal, Self

ROOT = Path(__file__).resolve().parent.parent


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, Python, system, and the load average now (1, 5, 15 minutes)."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def today() -> str:
    """Date and time of the system clock, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Measured:
    """How long `count` things took, in seconds of the wall clock and of this process's CPU time."""

    count: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Things per second."""
        return self.count / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        """Things per CPU-second."""
        return self.count / self.cpu_s


def measure(work: Callable[[], int]) -> Measured:
    """Run `work` once, after a garbage collection; it returns how many things it did."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    count = work()
    return Measured(count, time.perf_counter() - wall, time.process_time() - cpu)


def summary(rates: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest of some rates, to four digits."""
    return {"median": digits(median(rates)), "low": digits(min(rates)), "high": digits(max(rates))}


def digits(value: float) -> float:
    """Four significant digits: more would pretend."""
    return float(f"{value:.4g}")


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios turn by turn; both in the order in which they took turns."""
    return digits(median(a / b for a, b in zip(ours, theirs, strict=True)))


def document(benchmark: str, smoke: bool, **content: Any) -> dict[str, Any]:
    """The frame of every benchmark's JSON."""
    frame = {"benchmark": benchmark, "date": today(), "smoke": smoke, "machine": machine()}
    return {**frame, "command": " ".join(("python -m", f"bench.{benchmark}", *sys.argv[1:])), **content}


class PeerError(RuntimeError):
    """The peer did not start, or gave up."""


class Peer:
    """clemcore in its own environment, played by `bench.clem_peer --serve`. Use as a context manager."""

    def __init__(self, python: str | Path) -> None:
        self._command = [str(Path(python).absolute()), "-m", "bench.clem_peer", "--serve"]

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        try:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise PeerError(f"cannot start {self._command[0]} ({error.strerror}): run `make clem` first") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # a peer that died has been reported by `play`
            self._process.stdin.close()
        self._process.wait(timeout=60)

    def play(
        self,
        plan: Mapping[str, Any] | str | Path,
        mode: Literal["bare", "recorded"] = "bare",
        where: str | Path | None = None,
        *,
        faithful: bool = False,
        together: int = 1,
    ) -> dict[str, Any]:
        """Let it play a plan (see `bench.clem_peer`) and return its answer; a path is read only once.

        `together` is how many episodes of a recorded plan are under way at once.

        Raises PeerError when it died; its own words are on standard error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "plan": dict(plan) if isinstance(plan, Mapping) else str(plan),
            "mode": mode,
            "dir": where and str(where),
            "faithful": faithful,
            "together": together,
        }
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerError(f"the peer gave up: see above, or run `{' '.join(self._command)}` by hand")
        return json.loads(line)


def rates(answer: Mapping[str, Any]) -> Measured:
    """A peer's answer as a measurement of its episodes."""
    return Measured(answer["episodes"], answer["wall_s"], answer["cpu_s"])
