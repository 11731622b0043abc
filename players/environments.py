"""Pythons of other environments: vLLM's pins fight ours, so its worker runs under an interpreter of its own.

`$PLAYPEN_VLLM_PYTHON` names it, or `[workers] vllm = "…/bin/python"` in `config.toml` of the user's config directory;
where vLLM can be imported here, our own will do.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

from players.registry import RegistryError, config_dir


def worker_python(name: str) -> Path | None:
    """The interpreter for the worker of this library; None where none is known.

    Raises RegistryError where one is named that is not there.
    """
    variable = f"PLAYPEN_{name.upper()}_PYTHON"
    given, where = os.environ.get(variable, "").strip(), f"${variable}"
    if not given:
        config = config_dir() / "config.toml"
        given, where = _configured(config, name), f"[workers] {name} in {config}"
    if given:
        path = Path(given).expanduser().absolute()
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise RegistryError(f"{where} names {given}, which is no program: name an environment's bin/python")
        return path
    return Path(sys.executable) if importlib.util.find_spec(name) is not None else None


def _configured(config: Path, name: str) -> str:
    try:
        data: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise RegistryError(f"{config} cannot be read: {error}; mend it, or move it away") from error
    workers: object = data.get("workers", {})
    value: object = cast(dict[str, object], workers).get(name, "") if isinstance(workers, dict) else workers
    if not isinstance(value, str):
        raise RegistryError(f'{config}: write [workers] and below it {name} = "…/bin/python"')
    return value
