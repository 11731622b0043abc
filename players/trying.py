"""Tries a model out, as a game would use it: is it there, does it stream, and does it stop when told to.

`try_model` asks nothing of a backend but the `Client` protocol (and its list of models, where it has one), so that it
works for every one of them. It never raises for what a server does: each step says in one sentence how it went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from games.engine import Message
from players.backends.chat import Client
from players.base import Call, Called, Emit, Event, PlayerError, Token, silent
from players.known import key_names
from players.masking import mask
from players.opening import open_model
from players.registry import Registry

StepName: TypeAlias = Literal["ping", "stream", "stop"]
State: TypeAlias = Literal["running", "ok", "failed", "skipped"]

STEPS: tuple[StepName, ...] = ("ping", "stream", "stop")
PATIENCE = 120.0
"""Seconds for each request; a server may have to load the model first."""
PROMPT_STOP = 2.0
"""Seconds within which a cancelled request must be over on our side."""
SLOW = 3.0
"""Seconds by which the next request may be slower than before, else the server has worked on after the stop."""
COUNT = "Count from one to thirty in words, on one line, separated by commas. Write nothing else."
STORY = "Tell a long story about a lighthouse keeper, at least a thousand words, with every detail you can think of."
WORD = "Answer with one word: what is the opposite of cold?"


@dataclass(frozen=True, slots=True)
class Step:
    """How one step went. `said` is a sentence; `ms` are those of the step; `facts` are numbers by name."""

    name: StepName
    state: State
    said: str = ""
    ms: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Trial:
    """How a model did. `text` is what it streamed, `revision` what pins it."""

    model: str
    revision: str = ""
    steps: tuple[Step, ...] = ()
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether it can be played with: nothing failed, and there was something to judge by."""
        return bool(self.steps) and self.steps[0].state == "ok" and all(one.state != "failed" for one in self.steps)

    def step(self, name: StepName) -> Step | None:
        """The step of this name, if it was taken."""
        return next((step for step in self.steps if step.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """The trial as the commands print it."""
        stream = self.step("stream")
        facts = dict(stream.facts) if stream is not None else {}
        return {
            "model": self.model,
            "revision": self.revision,
            "ok": self.ok,
            "text": self.text,
            "first_token_ms": facts.get("first_token_ms"),
            "tokens_per_second": facts.get("tokens_per_second"),
            "steps": [
                {"step": one.name, "state": one.state, "said": one.said, "ms": round(one.ms, 1), **one.facts}
                for one in self.steps
            ],
        }


Hear: TypeAlias = Callable[[Step], None]


def unheard(step: Step) -> None:
    """A `hear` for those who wait for the outcome."""


@runtime_checkable
class Lists(Protocol):
    """A client that can say which models its server offers."""

    async def models(self) -> list[str]:
        """Their names. Raises PlayerError."""
        ...


async def try_spec(
    spec: str, registry: Registry, *, hear: Hear = unheard, emit: Emit = silent, patience: float = PATIENCE
) -> Trial:
    """Open the model of this spec and try it. Raises SpecError and UnknownPlayer; what fails later is in the trial.

    A server may say again what was sent to it: the text of the trial is without keys.

    `hear` is told of each step when it begins (`running`) and when it is over, `emit` of the tokens of the second.
    """
    hear(Step("ping", "running"))
    began = perf_counter()
    try:
        player = await open_model(spec, registry=registry)
    except PlayerError as error:
        step = Step("ping", "failed", error.message, _since(began), {"kind": error.kind})
        hear(step)
        return Trial(spec, steps=(step,))
    try:
        trial = await try_model(player.client, player.sampling, hear=hear, emit=emit, patience=patience, began=began)
    finally:
        await player.aclose()
    names = key_names(registry.entries.values())
    return replace(trial, model=spec, revision=player.identity.revision, text=mask(trial.text, names))


async def try_model(
    client: Client,
    sampling: Mapping[str, Any],
    *,
    hear: Hear = unheard,
    emit: Emit = silent,
    patience: float = PATIENCE,
    began: float | None = None,
) -> Trial:
    """Ping it, let it stream, stop it; see `try_spec`. A step is left out when one before it failed."""
    steps: list[Step] = []
    text = ""
    began = perf_counter() if began is None else began
    ask = _Asker(client, sampling, patience)
    for name in STEPS:
        if name != "ping":
            hear(Step(name, "running"))
            began = perf_counter()
        try:
            if name == "ping":
                step = await _ping(client, ask)
            elif name == "stream":
                step, text = await _stream(ask, emit)
            else:
                step = await _stop(ask, steps[-1])
        except PlayerError as error:
            step = Step(name, "failed", error.message, facts={"kind": error.kind})
        step = replace(step, ms=step.ms or _since(began))
        steps.append(step)
        hear(step)
        if step.state == "failed":
            break
    return Trial(client.model, steps=tuple(steps), text=text)


class _Asker:
    """Puts questions to the model under the entry's own settings, so that what it is refused for shows here."""

    def __init__(self, client: Client, sampling: Mapping[str, Any], patience: float) -> None:
        self.client = client
        self.sampling = {key: value for key, value in sampling.items() if value is not None}
        self.patience = patience

    async def __call__(self, question: str, tokens: int, emit: Emit = silent, *, whole: bool = False) -> Call:
        """One reply of at most so many tokens; `whole` lifts the limit of the entry. Raises PlayerError."""
        limit = tokens if whole else min(tokens, int(self.sampling.get("max_tokens", tokens)))
        return await self.client.complete(
            (Message("user", question),),
            {**self.sampling, "max_tokens": limit},
            role="trial",
            emit=emit,
            deadline=self.patience,
        )

    async def word(self) -> float:
        """Milliseconds until a short reply is there; one that has no text (a model that thinks first) counts too."""
        began = perf_counter()
        try:
            await self(WORD, 8)
        except PlayerError as error:
            if error.kind != "empty":
                raise
        return _since(began)


def _since(began: float) -> float:
    return (perf_counter() - began) * 1000


async def _ping(client: Client, ask: _Asker) -> Step:
    """Whether the server answers and has the model: by its list, and where that does not settle it, by a word."""
    offers: Sequence[str] | None = None
    ms = 0.0
    if isinstance(client, Lists):
        try:
            await client.models()  # the first opens the connection
            began = perf_counter()
            offers = await client.models()
            ms = _since(began)
        except PlayerError as error:
            if error.kind not in ("not_found", "rejected", "broken_stream"):  # a server need not have a list
                raise
        if offers is not None and client.model in offers:
            more = f" among {len(offers)}" if len(offers) > 1 else ""
            facts = {"listed": True, "offers": len(offers)}
            return Step("ping", "ok", f"{client.name} answers in {_ms(ms)} and has the model{more}", ms, facts)
    ms = await ask.word()
    but = ", though it does not list it" if offers is not None else ""
    return Step("ping", "ok", f"{client.name} answers as this model in {_ms(ms)}{but}", ms, {"listed": False})


async def _stream(ask: _Asker, emit: Emit) -> tuple[Step, str]:
    """Whether a reply comes piece by piece, and how fast."""
    pieces: list[tuple[float, str, bool]] = []
    calls: list[Call] = []
    began = perf_counter()

    def hear(event: Event) -> None:
        if isinstance(event, Token):
            pieces.append((_since(began), event.text, event.reasoning))
        elif isinstance(event, Called):
            calls.append(event.call)
        emit(event)

    empty = ""
    try:
        call = await ask(COUNT, 96, hear)
    except PlayerError as error:
        if error.kind != "empty" or not pieces:
            raise
        empty, call = error.message, calls[-1]
    first = call.first_token_ms if call.first_token_ms is not None else (pieces[0][0] if pieces else call.ms)
    tokens = call.tokens_out or len(pieces)
    seconds = max(call.ms - first, 0.0) / 1000
    speed = (tokens - 1) / seconds if tokens > 1 and seconds > 0 else None
    facts = {
        "first_token_ms": round(first, 1),
        "tokens_per_second": None if speed is None else round(speed, 1),
        "pieces": len(pieces),
        "tokens_in": call.tokens_in,
        "tokens_out": call.tokens_out,
    }
    ms = call.ms
    if len(pieces) < 2:
        said = "the whole reply came in one piece: this server, or a proxy before it, does not stream"
        return Step("stream", "failed", said, ms, facts), call.text
    pace = f", {speed:,.0f} tokens/s" if speed is not None else ""
    said = f"first token after {_ms(first)}{pace}, in {len(pieces)} pieces"
    if empty:
        said += "; it only reasoned and said nothing, raise max_tokens or use thinking=off"
    return Step("stream", "ok", said, ms, facts), call.text


async def _stop(ask: _Asker, stream: Step) -> Step:
    """Whether a long reply ends when it is cancelled, and the server then takes the next request."""
    begun = asyncio.Event()
    pieces = 0

    def hear(event: Event) -> None:
        nonlocal pieces
        if isinstance(event, Token):
            pieces += 1
            if pieces >= 3:
                begun.set()

    long = asyncio.ensure_future(ask(STORY, 2000, hear, whole=True))
    waiting = asyncio.ensure_future(begun.wait())
    try:
        await asyncio.wait({long, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if long.done():
            error = long.exception()
            if error is not None and not (isinstance(error, PlayerError) and error.kind == "empty"):
                raise error
            return Step("stop", "skipped", "its reply was over before it could be stopped")
        began = perf_counter()
        long.cancel()
        _, busy = await asyncio.wait({long}, timeout=PROMPT_STOP)
        stopped = _since(began)
    except asyncio.CancelledError:  # the trial itself is called off
        long.cancel()
        await asyncio.wait({long}, timeout=PROMPT_STOP)
        raise
    finally:
        waiting.cancel()
    facts = {"stopped_ms": round(stopped, 1), "pieces": pieces}
    if busy:
        return Step("stop", "failed", f"the request did not end within {PROMPT_STOP:g} s of the stop", facts=facts)
    after = await ask.word()
    facts["next_ms"] = round(after, 1)
    usual = float(stream.facts.get("first_token_ms") or 0.0)
    if after > usual * 3 + SLOW * 1000:
        said = f"stopped, but the next request took {_ms(after)}: the server seems to work on after a stop"
        return Step("stop", "failed", said, facts=facts)
    return Step("stop", "ok", f"stopped in {_ms(stopped)}, and the next request took {_ms(after)}", facts=facts)


def _ms(ms: float) -> str:
    """A time in words: `0.4 ms`, `12 ms`, `1.3 s`."""
    if ms < 1:
        return f"{ms:.1g} ms"
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
