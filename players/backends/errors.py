"""What went wrong with a request, and how to say it.

`diagnose` sorts whatever the SDK raised into a `Trouble`: which kind, whether asking again may help, and after how
long. `sentence` makes of it the one sentence a person reads: which server, what happened, what to do. Nothing that a
server or a library said is quoted before `Where.quote` has taken keys and control characters out of it.
"""

from __future__ import annotations

import json
import math
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, cast

from players.base import FailureKind, PlayerError

LONGEST_WAIT = 60.0
"""Seconds; who asks us to wait longer than this is not asked again."""

SPENT = "the quota is used up"
STRANGER = "it does not speak the OpenAI protocol"


class BrokenOff(Exception):
    """The stream ended before the server said that the reply was complete."""


class Page(Exception):
    """The server said 200 and sent something that is no stream: base_url leads to something else."""


class Empty(Exception):
    """The reply is complete and has no text. `why` is a clause, or empty."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Where:
    """What a message may say about a server. `secrets` are taken out of everything that is quoted."""

    server: str
    model: str = ""
    key_env: str = ""
    secrets: tuple[str, ...] = ()

    def redact(self, text: str) -> str:
        """The text without keys."""
        for secret in self.secrets:
            if secret:
                text = text.replace(secret, "…")
        return text

    def quote(self, text: str, limit: int = 200) -> str:
        """The text on one line, without keys and control characters, not longer than `limit`."""
        line = " ".join("".join(c if c.isprintable() else " " for c in self.redact(text)).split())
        return line if len(line) <= limit else line[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One failed request: `brief` fits into a retry note, `said` is what the server or the system had to say."""

    kind: FailureKind
    brief: str
    retry: bool = False
    wait: float | None = None
    """Seconds the server asked us to wait, or None."""
    status: int | None = None
    said: str = ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it, groups included."""
    seen: set[int] = set()
    todo: list[BaseException] = [error]
    while todo:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            todo.extend(cast("BaseExceptionGroup[BaseException]", one).exceptions)
        todo.extend(next_one for next_one in (one.__cause__, one.__context__) if next_one is not None)


def _said(body: object, fallback: str) -> str:
    """The message inside an error body, in any of the shapes servers use."""
    if isinstance(body, Mapping):
        fields = cast(Mapping[str, Any], body)
        for key in ("message", "detail", "error"):
            value: object = fields.get(key)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, Mapping | list):
                return _said(cast(object, value), json.dumps(value, ensure_ascii=False))
    if isinstance(body, str) and body and not body.lstrip().startswith("<"):
        return body
    return fallback


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait, from `retry-after-ms` or `retry-after` (seconds or a date); None if unsaid."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            seconds = float(value) / unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time())
    except (ValueError, TypeError, OverflowError):
        return None


_TOO_LONG = re.compile(
    r"exceeds? the available context|maximum context length|context[_ ](length|size)[_ ]exceeded|exceed_context_size"
    r"|(prompt|input|request).{0,40}(too long|longer than the (maximum|max))|max(imum)?_model_len",
    re.IGNORECASE,
)
"""How llama.cpp, vLLM, OpenAI and those who imitate them say that a dialogue does not fit into the context."""


def _of_status(status: int, said: str, code: str, wait: float | None) -> Trouble:
    if status in (400, 413, 422, 500) and (_TOO_LONG.search(said) or _TOO_LONG.search(code)):
        return Trouble("too_long", "too long for the model", status=status, said=said)
    if status in (401, 403):
        return Trouble("unauthorized", "not allowed", status=status, said=said)
    if status == 404:
        return Trouble("not_found", "not found", status=status, said=said)
    if status == 429:
        brief = SPENT if code == "insufficient_quota" else "rate limited"
        willing = brief != SPENT and (wait is None or wait <= LONGEST_WAIT)
        return Trouble("rate_limited", brief, retry=willing, wait=wait, status=status, said=said)
    if status >= 500 or status in (408, 409, 425):
        willing = wait is None or wait <= LONGEST_WAIT
        return Trouble("server", f"server error {status}", retry=willing, wait=wait, status=status, said=said)
    return Trouble("rejected", f"rejected with {status}", status=status, said=said)


def _of_connection(error: BaseException) -> Trouble:
    import httpx2

    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            return Trouble("refused", "no secure connection", said=str(cause.reason or cause))
        if isinstance(cause, socket.gaierror):
            return Trouble("refused", "no such host", said=str(cause.strerror or cause))
        if isinstance(cause, ConnectionRefusedError):
            return Trouble("refused", "connection refused", retry=True)
    if any(isinstance(cause, httpx2.ConnectError) for cause in chain):
        return Trouble("refused", "cannot connect", retry=True, said=str(chain[-1]))
    return Trouble("broken_stream", "connection lost", retry=True)


def diagnose(error: BaseException) -> Trouble | None:
    """What kind of trouble this is; None for errors that are no server's doing (bugs), which must go on up."""
    import httpx2
    import openai

    if isinstance(error, Empty):
        return Trouble("empty", "empty reply", said=error.why)
    if isinstance(error, Page):  # not found, so that nobody asks again
        return Trouble("not_found", "no such protocol", said=STRANGER)
    if isinstance(error, BrokenOff):
        return Trouble("broken_stream", "connection lost", retry=True)
    if isinstance(error, openai.APIStatusError):
        said = _said(error.body, "")
        if error.status_code // 100 == 3:
            onward = error.response.headers.get("location", "")
            return Trouble("not_found", "redirected", status=error.status_code, said=onward)
        return _of_status(error.status_code, said, error.code or "", retry_after(error.response.headers))
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        connecting = any(isinstance(cause, httpx2.ConnectTimeout) for cause in _chain(error))
        return Trouble("timeout", "no connection in time" if connecting else "no answer in time")
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return _of_connection(error)
    if isinstance(error, openai.APIResponseValidationError | json.JSONDecodeError | UnicodeDecodeError):
        return Trouble("broken_stream", "unreadable answer", said=STRANGER)
    if isinstance(error, openai.APIError):  # an error that came inside a stream that had begun with 200
        code = error.code or ""
        status = int(code) if code.isdecimal() and len(code) == 3 else 500
        return _of_status(status, _said(error.body, error.message), code, None)
    return None


def sentence(
    trouble: Trouble,
    where: Where,
    *,
    retries: int = 0,
    pieces: int = 0,
    timeout: float = 0.0,
    offers: Sequence[str] = (),
) -> PlayerError:
    """The error for people. `retries` were made in vain, `pieces` had arrived, `offers` is what the server serves."""
    server = where.server
    said = f' ("{where.quote(trouble.said)}")' if trouble.said else ""
    tried = f" after {retries} {'retry' if retries == 1 else 'retries'}" if retries else ""
    match trouble.kind:
        case "unauthorized":
            key = f"the key in ${where.key_env}" if where.key_env else "the key, or give it one with api_key_env"
            text = f"{server} does not let us in ({trouble.status}){said}: check {key}"
        case "not_found":
            text = f"{server} {_missing(trouble, where, said, offers)}"
        case "rate_limited":
            text = f"{server} {_limited(trouble, tried + said)}"
        case "timeout":
            text = f"{server} {_silent(trouble, timeout)}"
        case "refused" if trouble.brief == "connection refused":
            text = f"nothing answers at {server}: start the server there, or name another with ?base_url=URL"
        case "refused":
            text = f"{server} cannot be reached, {trouble.brief}{said}: check the address and the network"
        case "broken_stream":
            text = f"{server} {_broken(trouble, pieces, tried)}"
        case "empty":
            text = f"{where.model} at {server} {_empty(trouble)}"
        case "too_long":
            text = f"the dialogue no longer fits into the context of {where.model}{said}: use a model with a longer one"
        case "rejected":
            text = f"{server} did not accept the request ({trouble.status}){said}: change the settings or the model"
        case _:
            text = f"{server} failed ({trouble.status}){tried}{said}: try again, or look at the server's log"
    return PlayerError(trouble.kind, where.redact(text))


def _missing(trouble: Trouble, where: Where, said: str, offers: Sequence[str]) -> str:
    if trouble.said == STRANGER:
        return _broken(trouble, 0, "")
    if trouble.status != 404:
        return f"sends us elsewhere ({trouble.status}){said}, where we do not follow: check base_url"
    if not offers:
        return f"found nothing for model {where.model!r} (404){said}: check the model's name and base_url"
    more = ", …" if len(offers) > 12 else ""
    return f"has no model {where.model!r}; it offers {', '.join(where.quote(name, 80) for name in offers[:12])}{more}"


def _limited(trouble: Trouble, details: str) -> str:
    if trouble.brief == SPENT:
        return f"says that the quota is used up (429){details}: look at your plan there, or use another model"
    wait = f"{trouble.wait:.0f} s" if trouble.wait else "a minute"
    return f"is rate limiting us (429){details}: wait {wait}, or play fewer matches at once"


def _silent(trouble: Trouble, timeout: float) -> str:
    if trouble.brief == "no connection in time":
        return "cannot be reached in time: check the address and the network"
    return f"sent nothing for {timeout:g} s: try again, or allow more with ?timeout=SECONDS"


def _broken(trouble: Trouble, pieces: int, tried: str) -> str:
    if trouble.said:
        return f"sent an answer that cannot be read, {trouble.said}: check base_url"
    if pieces:
        return f"broke off in the middle of the reply, after {pieces} pieces: try again"
    return f"closed the connection before it replied{tried}: try again, or look at the server's log"


def _empty(trouble: Trouble) -> str:
    why = f", {trouble.said}" if trouble.said else ""
    more = ", raise max_tokens or use thinking=off" if "max_tokens" in trouble.said else ""
    return f"sent an empty reply{why}: try again{more}"
