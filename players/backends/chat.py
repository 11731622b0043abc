"""The client for every OpenAI-compatible server: Ollama, llama-server, LM Studio, vLLM, OpenRouter, OpenAI, our own.

`ChatClient.complete` streams one reply and tells what happens while it does: queued, thinking, tokens, and a `Called`
for every request that ended, in whatever way. Retries are made here and not in the SDK, so that they can be seen and
cancelled. The SDK is imported with the first request, in a thread, since that takes most of a second.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from games.engine import Message, Role
from players.backends.errors import BrokenOff, Empty, Page, Trouble, Where, diagnose, sentence
from players.backends.thinking import Piece, Splitter
from players.base import Call, Called, Emit, PlayerError, Queued, Restart, Thinking, Token

if TYPE_CHECKING:
    from openai import AsyncOpenAI

DIRECT = frozenset(
    {
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "reasoning_effort",
    }
)
"""Sampling keys that the OpenAI protocol knows; all others go into the body beside them, as local servers take them."""

OPENAI = "api.openai.com"
_CONNECT = 5.0
_LONGEST_BACKOFF = 8.0


FLOOD = 400_000
"""Characters after which a stream that will not end is cut off."""
PARALLEL = 16
"""Requests that a server whose limits we do not know gets at once."""


class Client(Protocol):
    """What a model player needs of a backend."""

    @property
    def name(self) -> str:
        """How messages call the server."""
        ...

    @property
    def model(self) -> str:
        """The model's name there."""
        ...

    @property
    def parallel(self) -> int:
        """How many requests it should be given at once."""
        ...

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Mapping[str, Any],
        *,
        role: Role,
        emit: Emit,
        grammar: str | None = None,
        deadline: float | None = None,
        assisted: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> Call:
        """One reply; see `ChatClient.complete`."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and processes."""
        ...


def is_loopback(host: str) -> bool:
    """Whether this host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint(base_url: str) -> str:
    """The base URL as the SDK wants it: a bare address gets `/v1`, a whole endpoint is cut back."""
    url = base_url.strip().rstrip("/").removesuffix("/chat/completions")
    return url if urlsplit(url).path not in ("", "/") else url + "/v1"


def request(
    model: str, messages: Sequence[Message], sampling: Mapping[str, Any], body: Mapping[str, Any], host: str = ""
) -> dict[str, Any]:
    """The arguments of one streamed chat request. Settings that are None are left out."""
    wanted: dict[str, Any] = {key: value for key, value in sampling.items() if value is not None}
    extra: dict[str, Any] = dict(body)
    thinking = wanted.pop("thinking", None)
    if thinking is not None:
        template: dict[str, Any] = dict(extra.get("chat_template_kwargs") or {})
        extra["chat_template_kwargs"] = {**template, "enable_thinking": thinking not in (False, "off")}
    if "stop" in wanted and not isinstance(wanted["stop"], str):
        wanted["stop"] = list(wanted["stop"])
    if host == OPENAI and "max_tokens" in wanted:  # its newer models refuse the old name
        wanted["max_completion_tokens"] = wanted.pop("max_tokens")
    direct = {key: value for key, value in wanted.items() if key in DIRECT or key == "max_completion_tokens"}
    extra.update({key: value for key, value in wanted.items() if key not in direct})
    return {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **direct,
        **({"extra_body": extra} if extra else {}),
    }


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _ranked(entry: Any) -> dict[str, float]:
    """The alternatives of one token with their log-probabilities, of those that the server gave in order."""
    pairs = [
        (getattr(t, "token", None), getattr(t, "logprob", None)) for t in getattr(entry, "top_logprobs", None) or ()
    ]
    return {token: float(value) for token, value in pairs if isinstance(token, str) and isinstance(value, int | float)}


@dataclass(slots=True)
class _Draft:
    """One request while its reply arrives."""

    role: Role
    emit: Emit
    prompt: tuple[Message, ...]
    sampling: Mapping[str, Any]
    assisted: bool
    began: float = field(default_factory=perf_counter)
    text: str = ""
    reasoning: str = ""
    chunks: int = 0
    """Events of the stream, with or without a word in them."""
    pieces: int = 0
    first_ms: float | None = None
    reason: str = ""
    ended: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None
    logprobs: list[float] = field(default_factory=list[float])
    raw: dict[str, Any] = field(default_factory=dict[str, Any])
    splitter: Splitter = field(default_factory=Splitter)

    def take(self, chunk: Any) -> None:
        """Add one chunk of the stream. Servers leave fields out and add their own, so nothing is taken for granted."""
        self.chunks += 1
        for key in ("id", "model", "system_fingerprint", "timings"):
            value = getattr(chunk, key, None)
            if value:
                self.raw[key] = value
        choices = cast(list[Any], getattr(chunk, "choices", None) or [])
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            self.tokens_in = _count(getattr(usage, "prompt_tokens", None))
            self.tokens_out = _count(getattr(usage, "completion_tokens", None))
            self.raw["usage"] = (
                usage.model_dump(exclude_none=True, warnings=False) if hasattr(usage, "model_dump") else usage
            )
            self.ended = self.ended or not choices
        if not choices:
            return
        delta = getattr(choices[0], "delta", None)
        thought = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
        if isinstance(thought, str) and thought:
            self.started()
            self.put([Piece("reasoning", thought)])
        content = getattr(delta, "content", None) or getattr(delta, "refusal", None)
        if isinstance(content, str) and content:
            self.started()
            self.put(self.splitter.feed(content))
        scored = cast(list[Any], getattr(getattr(choices[0], "logprobs", None), "content", None) or [])
        values = (getattr(entry, "logprob", None) for entry in scored)
        self.logprobs.extend(float(value) for value in values if isinstance(value, int | float))
        if any(getattr(entry, "top_logprobs", None) for entry in scored):  # only where the sampling asked for them
            rows = cast(list[Any], self.raw.setdefault("top_logprobs", []))
            rows.extend([getattr(entry, "token", ""), _ranked(entry)] for entry in scored)
        if reason := getattr(choices[0], "finish_reason", None):
            self.reason = self.raw["finish_reason"] = str(reason)
            self.ended = True

    def started(self) -> None:
        """A piece arrived."""
        self.pieces += 1
        if self.first_ms is None:
            self.first_ms = (perf_counter() - self.began) * 1000

    def put(self, pieces: Sequence[Piece]) -> None:
        """Sort pieces into text and reasoning, and let them be heard."""
        for kind, text in pieces:
            if kind == "recall":
                if self.text:
                    self.emit(Restart(self.role, "that was reasoning"))
                self.reasoning, self.text = self.reasoning + self.text, ""
            elif kind == "reasoning":
                self.reasoning += text
                self.emit(Token(self.role, text, reasoning=True))
            elif shown := text.lstrip() if self.reasoning and not self.text.strip() else text:
                self.text = self.text.lstrip() + shown if self.reasoning else self.text + shown
                self.emit(Token(self.role, shown))

    def check(self) -> None:
        """The stream is over: raise what was wrong with it."""
        if not self.ended:
            raise BrokenOff
        self.put(self.splitter.flush())
        if not self.text.strip():
            if self.reason == "length":
                raise Empty("all max_tokens went into reasoning" if self.reasoning else "cut off by max_tokens")
            raise Empty("withheld by its content filter" if self.reason == "content_filter" else "")

    def call(self, finish: str, error: str = "") -> Call:
        """What came of the request."""
        self.put(self.splitter.flush())
        return Call(
            prompt=self.prompt,
            text=self.text,
            finish=finish,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            ms=(perf_counter() - self.began) * 1000,
            first_token_ms=self.first_ms,
            sampling=self.sampling,
            error=error,
            reasoning=self.reasoning.strip(),
            assisted=self.assisted,
            logprobs=tuple(self.logprobs) if self.logprobs else None,
            raw=self.raw,
        )


class ChatClient:
    """One model on one OpenAI-compatible server. The key is used for requests and shown nowhere.

    `max_retries` is for those who ask without a gate: behind one it is 0, since the gate asks again. A time for which
    the server wants to be left alone is kept either way, by every request.
    `timeout` is in seconds and counts silence, not the whole reply. `backoff` is the first wait between retries, in
    seconds; it doubles. `key_env` is the variable the key came from, for messages. `vllm` says that the server is vLLM,
    which has names of its own for grammars and for the penalty of repetition.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        name: str = "",
        timeout: float = 120.0,
        max_retries: int = 3,
        extra_body: Mapping[str, Any] | None = None,
        key_env: str = "",
        backoff: float = 0.5,
        vllm: bool = False,
        parallel: int = PARALLEL,
    ) -> None:
        self.base_url = endpoint(base_url)
        parts = urlsplit(self.base_url)
        self.host = parts.hostname or ""
        self.model = model
        self.name = name or parts.netloc.rpartition("@")[2]
        self.timeout = timeout
        self.max_retries = max_retries
        self.extra_body: Mapping[str, Any] = dict(extra_body or {})
        self._key = (api_key or "").strip()
        self._where = Where(self.name, model, key_env, (self._key,))
        self._backoff = backoff
        self._vllm = vllm
        self.parallel = parallel
        self._jitter = Random()
        self._closed_until = 0.0
        self._sdk: AsyncOpenAI | None = None
        self._opening = asyncio.Lock()
        if not (self._key.isascii() and self._key.isprintable()):
            source = f"${key_env}" if key_env else "the key"
            raise PlayerError("unauthorized", f"{source} holds characters that no key has: set it again, without them")

    def __repr__(self) -> str:
        return f"ChatClient({self.name!r}, {self.model!r})"

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Mapping[str, Any],
        *,
        role: Role,
        emit: Emit,
        grammar: str | None = None,
        deadline: float | None = None,
        assisted: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> Call:
        """One reply to these messages, streamed to `emit`.

        `deadline` bounds the whole in seconds, retries included. `grammar` is GBNF, for servers of the llama.cpp
        family and vLLM; `extra` goes into the body as it is. Raises PlayerError; when cancelled, what had arrived is
        emitted as a `Called` first.
        """
        body = {**self.extra_body, **(self._form(grammar) if grammar else {}), **(extra or {})}
        wanted = request(self.model, messages, self._spelled(sampling), body, self.host)
        limit = asyncio.timeout(deadline)

        def draft() -> _Draft:
            return _Draft(role, emit, tuple(messages), dict(sampling), assisted)

        emit(Queued(role))
        try:
            async with limit:
                await self._open()
                if (wait := self._closed_until - monotonic()) > 0:
                    emit(Thinking(role, f"asks in {wait:.1f} s, as the server wishes"))
                    await asyncio.sleep(wait)
                for retries in range(self.max_retries + 1):
                    emit(Thinking(role))
                    done = await self._attempt(wanted, draft(), retries, limit)
                    if isinstance(done, Call):
                        return done
                    wait = self._wait(done, retries)
                    emit(Thinking(role, f"retry {retries + 1} of {self.max_retries} in {wait:.1f} s: {done.brief}"))
                    await asyncio.sleep(wait)
        except TimeoutError as error:
            raise self._late(deadline) from error
        raise AssertionError("the last attempt returns or raises")

    def _form(self, grammar: str) -> dict[str, Any]:
        return {"structured_outputs": {"grammar": grammar}} if self._vllm else {"grammar": grammar}

    def _spelled(self, sampling: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._vllm or "repeat_penalty" not in sampling:
            return sampling
        rest = {key: value for key, value in sampling.items() if key != "repeat_penalty"}
        return {**rest, "repetition_penalty": sampling["repeat_penalty"]}

    async def models(self) -> list[str]:
        """Names of the models that the server offers. Raises PlayerError."""
        sdk = cast(Any, await self._open())
        try:
            page = await sdk.models.list(timeout=min(self.timeout, 10.0))
            return [str(entry.id) for entry in page.data]
        except Exception as error:
            trouble = diagnose(error)
            if trouble is None and isinstance(error, AttributeError | TypeError):  # a page that is no list of models
                trouble = Trouble("broken_stream", "unreadable answer", said="it lists no models")
            if trouble is None:
                raise
            raise self._error(trouble, error) from self._cause(error)

    async def aclose(self) -> None:
        """Close the connections. A later request opens new ones."""
        sdk, self._sdk = self._sdk, None
        if sdk is not None:
            await sdk.close()

    async def _open(self) -> AsyncOpenAI:
        async with self._opening:
            if self._sdk is None:
                self._sdk = await asyncio.to_thread(self._make)
            return self._sdk

    def _make(self) -> AsyncOpenAI:
        """The SDK's client, without what the environment would add for a server that is not OpenAI's."""
        openai = cast(Any, importlib.import_module("openai"))
        httpx2 = cast(Any, importlib.import_module("httpx2"))
        timeout = httpx2.Timeout(self.timeout, connect=min(_CONNECT, self.timeout))
        http = openai.DefaultAsyncHttpx2Client(
            timeout=timeout,
            trust_env=not is_loopback(self.host),  # a proxy cannot reach this machine's loopback
            follow_redirects=False,  # what is said goes only where it was told to go
        )
        sdk = openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.base_url,
            timeout=timeout,
            max_retries=0,
            http_client=http,
        )
        if self.host != OPENAI:
            sdk.organization = sdk.project = sdk.admin_api_key = None
            sdk._custom_headers = {}
        return sdk

    async def _attempt(
        self, wanted: Mapping[str, Any], draft: _Draft, retries: int, limit: asyncio.Timeout
    ) -> Call | Trouble:
        """One request: its reply, or the trouble after which it may be made again. Emits `Called` in every case."""
        try:
            sdk = cast(Any, await self._open())
            async with await sdk.chat.completions.create(**wanted) as stream:
                kind = str(stream.response.headers.get("content-type", ""))
                async for chunk in stream:
                    draft.take(chunk)
                    if len(draft.text) + len(draft.reasoning) > FLOOD:
                        draft.reason, draft.ended = "length", True
                        break
            if not draft.chunks and "event-stream" not in kind:
                raise Page
            draft.check()
        except asyncio.CancelledError:
            late = limit.expired()
            call = draft.call("error", "no complete reply before the deadline") if late else draft.call("cancelled")
            draft.emit(Called(draft.role, call))
            raise
        except Exception as error:
            trouble = diagnose(error)
            if trouble is None:
                draft.emit(Called(draft.role, draft.call("error", self._where.quote(repr(error)))))
                raise
            failure = self._error(trouble, error, retries=retries, pieces=draft.pieces)
            draft.emit(Called(draft.role, draft.call("error", failure.message)))
            most = min(self.max_retries, 1) if trouble.kind == "refused" else self.max_retries
            if trouble.retry and not draft.pieces and retries < most:
                return trouble
            if trouble.retry and trouble.wait and not draft.pieces:
                self._closed_until = monotonic() + trouble.wait
            if trouble.status == 404:
                failure = sentence(trouble, self._where, offers=await self._offers())
            raise failure from self._cause(error)
        call = draft.call("length" if draft.reason == "length" else "stop")
        draft.emit(Called(draft.role, call))
        return call

    async def _offers(self) -> list[str]:
        """What the server serves, for a message; nothing where it does not say."""
        try:
            return await self.models()
        except PlayerError:
            return []

    def _wait(self, trouble: Trouble, retries: int) -> float:
        """Seconds before the next attempt: what the server asks for, else doubling with up to a quarter taken off."""
        if trouble.wait is not None:
            return trouble.wait
        return min(self._backoff * 2**retries, _LONGEST_BACKOFF) * (1 - 0.25 * self._jitter.random())

    def _error(self, trouble: Trouble, error: BaseException, *, retries: int = 0, pieces: int = 0) -> PlayerError:
        return sentence(trouble, self._where, retries=retries, pieces=pieces, timeout=self.timeout)

    def _cause(self, error: BaseException) -> BaseException | None:
        """The error to chain, unless its own words hold the key."""
        return error if self._where.redact(str(error)) == str(error) else None

    def _late(self, deadline: float | None) -> PlayerError:
        return PlayerError(
            "timeout", f"{self.name} did not finish within {deadline or 0:g} s: try again, or allow more"
        )
