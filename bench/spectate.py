"""Eight boards that stream: how long after a key does the frame stand that it asked for?

`python -m bench.spectate [--smoke]` prints one JSON document. The app runs as people run it, in a terminal of its own
(a pseudo-terminal of 120 by 36), and plays eight matches with scripted players that stream a token every 20 ms each;
every turn is recorded. A key goes in, and the clock runs until the bytes of the frame that answers it have come out.
By turns the boards stream and stand idle, so that what the machine itself takes is measured in the same run. On a
machine that others use, most of a key's time may be spent waiting for a processor; Linux says how long the app did,
and `less_waiting` is the time without that: what a machine of one's own would show.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from bench.common import ROOT, digits, document
from games.engine import Bot, Message, luck
from players.base import Ask, Call, Identity, Reply, Thinking, Token

BOARDS, RATE = 8, 50
SIZE = (120, 36)
GOAL_MS = 100.0
ROUNDS, KEYS = 5, 40
SMOKE = (1, 8)
SETTLE = 3.5
"""Seconds until replies that were begun have ended, or all boards write."""
PATIENCE = 20.0
WORDS = ["zum", "bel", "dor", "kan", "vit", "mas", "pol", "ger", "tun", "fip", "rok", "lam", "sed", "nuv", "hox"]
"""Words that no game knows and no rule forbids."""


class Streamer:
    """Says what the game's bot would say, with a long tail where the form allows one, a token at a time."""

    def __init__(self, bot: Bot, go: asyncio.Event, told: Told) -> None:
        self.bot = bot
        self.identity = Identity("model", "streamer")
        self.go = go
        self.told = told

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """A reply of about a hundred tokens; begins only while the boards are to stream."""
        await self.go.wait()
        dice = luck(ask.seed, ask.ply)
        text = self.bot(ask.view, dice)
        tail = " ".join(dice.choice(WORDS) for _ in range(70))
        text = f"CLUE: {tail}" if text.startswith("CLUE:") else text
        tokens = [Token(ask.role, word + " ", reasoning=True) for word in tail.split()[:30]]
        tokens += [Token(ask.role, piece) for piece in re.findall(r"\S+\s*", text)]
        ask.emit(Thinking(ask.role))
        began = time.perf_counter()
        for number, token in enumerate(tokens, 1):
            ask.emit(token)
            self.told.tokens += 1
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        ms = (time.perf_counter() - began) * 1000
        call = Call(tuple(heard), text, "stop", tokens_in=100, tokens_out=len(tokens), ms=ms)
        return Reply(text, ms, call)


@dataclass(slots=True)
class Told:
    """What the app counts while it runs."""

    tokens: int = 0


async def app(folder: Path) -> None:
    """The app with its stands open; SIGUSR1 lets the boards stream, SIGUSR2 lets them rest. Counts go into a file."""
    from players.opening import Table
    from players.plan import Plan, jobs
    from players.scheduler import Scheduler
    from playpen_tui.app import PlaypenApp
    from playpen_tui.screens.spectate import SpectateScreen
    from playpen_tui.selfplay import SelfPlay
    from playpen_tui.stands import LiveStand
    from playpen_tui.workbench import Workbench

    go, told = asyncio.Event(), Told()

    def note(streams: bool) -> None:
        with (folder / "counts").open("a") as file:
            file.write(json.dumps([streams, time.monotonic(), told.tokens, time.process_time()]) + "\n")
        (go.set if streams else go.clear)()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, note, True)
    loop.add_signal_handler(signal.SIGUSR2, note, False)

    async def seating(spec: str, job: Any, role: str) -> Streamer:
        return Streamer(job.game.bots()["competent"], go, told)

    async with Workbench(folder / "episodes.sqlite") as bench:
        log = await bench.log()
        plan = Plan(("taboo", "wordle"), ("streamer",), episodes=2000)
        run = log.new_run("self_play", {"benchmark": "spectate"}, 0, "bench")
        table = Table(bench.registry)
        scheduler = Scheduler(list(jobs(plan, run)), seating, log.recorder, run=run, concurrency=BOARDS)
        stand = LiveStand(SelfPlay(plan, scheduler, log, run, table), bench)

        class Watching(PlaypenApp):
            def on_ready(self) -> None:
                """Straight to the stands."""
                self.live, self._playing = stand, asyncio.ensure_future(stand.follow())
                self.push_screen(SpectateScreen(bench, stand))

        face = Watching(bench)
        face.animation_level = "none"
        await face.run_async()
        await face.settle()


EYES = re.compile(rb"eyes: ([a-z ]+?)  v")
STYLES = rb"(?:\x1b\[[0-9;]*m *)*"
OPENED = re.compile(rb"\x1b\[35;\d+H" + STYLES + rb"(?:describer|guesser)")
"""The line of the seats, which is painted last where one match is opened."""
BACK = re.compile(rb"1 " + STYLES + rb"(?:Taboo|Wordle)")
"""The first card."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a key took, in milliseconds: by the clock, and less what the app waited for a processor."""

    key: str
    ms: float
    net: float


@dataclass(slots=True)
class Terminal:
    """The other end: keys in, bytes out."""

    process: int
    master: int
    eyes: bytes = b""

    def drain(self, seconds: float) -> bytes:
        """Read what comes in so many seconds."""
        end, found = time.perf_counter() + seconds, b""
        while (left := end - time.perf_counter()) > 0:
            found += self._read(left)
        self._look(found)
        return found

    def _read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        try:
            return os.read(self.master, 1 << 16)
        except OSError as error:
            raise RuntimeError("the app has ended before its time") from error

    def _look(self, found: bytes) -> None:
        for match in EYES.finditer(found):
            self.eyes = match[1]

    def _waited(self) -> float:
        """Milliseconds that the app has been ready to run and had no processor; 0 where the system does not say."""
        try:
            return int(Path(f"/proc/{self.process}/schedstat").read_text().split()[1]) / 1e6
        except OSError:
            return 0.0

    def press(self, key: str) -> Taken:
        """The time from the key to the frame that shows what it did."""
        before, found, waited = self.eyes, b"", self._waited()
        began = time.perf_counter()
        os.write(self.master, key.encode())
        while time.perf_counter() - began < PATIENCE:
            found += self._read(1.0)
            self._look(found)
            if self.eyes != before if key == "v" else (BACK if key == "z" else OPENED).search(found):
                ms = (time.perf_counter() - began) * 1000
                return Taken(key, ms, max(0.0, ms - (self._waited() - waited)))
        raise RuntimeError(f"no frame in {PATIENCE:.0f} s after {key!r}")


def opened(folder: Path) -> Terminal:
    """Start the app in a terminal of its own, and wait until eight boards stand."""
    process, master = pty.fork()
    if process == 0:
        home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")}
        kind = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"}
        kind["PYTHONPATH"] = str(ROOT)
        kind |= {"COLUMNS": str(SIZE[0]), "LINES": str(SIZE[1])}  # where they are set, they win over the terminal's own
        command = [sys.executable, "-m", "bench.spectate", "--app", str(folder)]
        os.execve(command[0], command, {**os.environ, **home, **kind})
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    terminal, seen, end = Terminal(process, master), b"", time.perf_counter() + 60
    while not BACK.search(seen):
        if time.perf_counter() > end:
            raise RuntimeError(f"eight boards did not come up: {seen[-500:]!r}")
        seen += terminal.drain(0.2)
    return terminal


def watch(rounds: int, keys: int) -> dict[str, Any]:
    """The measurement. By turns the boards rest and stream; keys come at uneven times, as from a person in a hurry."""
    dice = Random(1)
    times: dict[bool, list[Taken]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="bench-spectate-") as name:
        folder = Path(name)
        terminal = opened(folder)
        try:
            for _ in range(rounds):
                for streams in (False, True):
                    os.kill(terminal.process, signal.SIGUSR1 if streams else signal.SIGUSR2)
                    terminal.drain(SETTLE)
                    for key in (keys // 4 + 1) * ("v", "1", "v", "z"):
                        terminal.drain(dice.uniform(0.05, 0.2))
                        times[streams].append(terminal.press(key))
            os.kill(terminal.process, signal.SIGUSR2)
            terminal.drain(0.5)
        finally:
            os.write(terminal.master, b"\x11")  # ctrl+q
            _end(terminal)
        counts = [json.loads(line) for line in (folder / "counts").read_text().splitlines()]
    return _told(times, counts)


def _end(terminal: Terminal) -> None:
    end = time.perf_counter() + 20
    while os.waitpid(terminal.process, os.WNOHANG)[0] == 0:
        if time.perf_counter() > end:
            os.kill(terminal.process, signal.SIGKILL)
            end += 20
        try:
            terminal.drain(0.1)
        except RuntimeError:
            time.sleep(0.1)
    os.close(terminal.master)


def _told(times: dict[bool, list[Taken]], counts: list[list[Any]]) -> dict[str, Any]:
    spans = [(later[1] - now[1], later[2] - now[2], later[3] - now[3]) for now, later in pairwise(counts) if now[0]]
    seconds, tokens, cpu = (sum(span[at] for span in spans) for at in range(3))
    if not tokens:
        raise RuntimeError("the boards did not stream")
    idle, streaming = (_figures(times[streams]) for streams in (False, True))
    over = {name: digits(streaming[name] - idle[name]) for name in ("median", "p99")}
    net_idle, net_streaming = idle["less_waiting"], streaming["less_waiting"]
    over["less_waiting"] = {name: digits(net_streaming[name] - net_idle[name]) for name in ("median", "p99")}
    return {
        "unit": "milliseconds from a key to the last byte of the frame that answers it",
        "boards": BOARDS,
        "terminal": "x".join(map(str, SIZE)),
        "tokens_per_s_wanted": BOARDS * RATE,
        "tokens_per_s": digits(tokens / seconds),
        "cpu_share": digits(cpu / seconds),
        "idle": idle,
        "streaming": streaming,
        "difference": over,
        "goal": GOAL_MS,
    }


def _figures(taken: Sequence[Taken]) -> dict[str, Any]:
    """Median, p99 and highest of all keys, and the median of each."""
    every, net = sorted(one.ms for one in taken), sorted(one.net for one in taken)
    names = {"v": "eyes", "1": "open", "z": "back"}
    return {
        "keys": len(every),
        "median": digits(median(every)),
        "p99": digits(_p99(every)),
        "high": digits(every[-1]),
        "by_key": {names[key]: digits(median(one.ms for one in taken if one.key == key)) for key in names},
        "less_waiting": {"median": digits(median(net)), "p99": digits(_p99(net)), "high": digits(net[-1])},
    }


def _p99(ordered: Sequence[float]) -> float:
    """The value that 99 of 100 do not exceed."""
    return ordered[max(0, -(-99 * len(ordered) // 100) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.spectate", description="Key to frame while eight boards stream.")
    parser.add_argument("--smoke", action="store_true", help="a few keys, to see that it runs")
    parser.add_argument("--app", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app is not None:
        asyncio.run(app(options.app))
        return
    found = watch(*(SMOKE if options.smoke else (ROUNDS, KEYS)))
    found["met"] = None if options.smoke else found["difference"]["p99"] <= GOAL_MS
    found["met_less_waiting"] = None if options.smoke else found["difference"]["less_waiting"]["p99"] <= GOAL_MS
    print(json.dumps(document("spectate", options.smoke, **found), indent=2))


if __name__ == "__main__":
    main()
