"""The few things the app remembers about a person's taste, in `settings.toml` in the user's config directory."""

from __future__ import annotations

import tomllib
from pathlib import Path

from platformdirs import user_config_path


class Settings:
    """Read once, written at every change. A file that cannot be read or written costs only the memory of it."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or user_config_path("playpen-tui") / "settings.toml"
        self._values: dict[str, str] = {}
        try:
            found = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none yet, or not ours to repair: defaults hold
            found = {}
        self._values = {key: value for key, value in found.items() if isinstance(value, str)}

    def get(self, key: str) -> str:
        """What is remembered under this name, or nothing."""
        return self._values.get(key, "")

    @property
    def theme(self) -> str:
        """Name of the theme."""
        return self._values.get("theme", "playpen-dark")

    def keep(self, **values: str) -> bool:
        """Remember these; False where the file cannot be written."""
        self._values.update(values)
        lines = [f"{key} = {_quoted(value)}" for key, value in sorted(self._values.items())]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError:
            return False
        return True


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
