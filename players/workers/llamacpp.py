"""The llama.cpp server as a process: `python llamacpp.py`, told what to load by one line of JSON on standard input.

It answers with one line of JSON, the address or what went wrong, and serves until its standard input ends: it cannot
outlive whoever started it. It is a process of its own since loading holds Python's lock for seconds, and since a file
or a processor that llama.cpp cannot stand must not take a game down with it. Imports nothing of this project.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

CONTEXT = 4096
"""Tokens per slot."""
CACHE_MIB = 256
"""Memory for prompts whose slot was taken by another."""
SIMILAR = 0.5
"""Share of a prompt that a slot must hold already to be taken for it, so that roles do not fight for one slot."""


def parameters(xllamacpp: Any, wanted: dict[str, Any]) -> Any:
    """What llama.cpp is told. `wanted` holds path, alias, key, threads, slots and seconds."""
    params = xllamacpp.CommonParams()
    params.model.path = wanted["path"]
    params.model_alias = {wanted["alias"]}
    params.api_keys = [wanted["key"]]
    params.port = 0
    params.n_parallel = wanted["slots"]
    params.n_ctx = wanted["slots"] * CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = wanted["threads"]
    params.n_threads_http = wanted["slots"] + 1
    params.cache_ram_mib = CACHE_MIB
    params.slot_prompt_similarity = SIMILAR
    params.verbosity = 2  # warnings and errors
    params.fit_params = params.ui = params.endpoint_slots = False
    return params


def tell(**what: str) -> None:
    """One line to whoever started us."""
    print(json.dumps(what), flush=True)


def main() -> NoReturn:
    """Load, serve, and leave with the one who asked."""
    wanted = json.loads(sys.stdin.readline())
    signal.alarm(int(wanted["seconds"]))  # nothing of ours runs while a load hangs: the system ends it
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
        server = xllamacpp.Server(parameters(xllamacpp, wanted))
    except ModuleNotFoundError as error:
        tell(missing=str(error.name))
        sys.exit(1)
    except Exception as error:
        tell(error=str(error))
        sys.exit(1)
    signal.alarm(0)
    tell(url=server.listening_address, weights=Path(wanted["path"]).name)
    sys.stdin.read()
    sys.exit(0)


if __name__ == "__main__":
    main()
