"""A training as somebody wants it, before anything of it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playpen_tui.plain_text import plain


@dataclass(frozen=True, slots=True)
class Wish:
    """A training as somebody wants it: fields of the form, as they are typed."""

    method: str = "sft"
    learner: str = "smollm2"
    name: str = ""
    recipe: str = "tiny"
    query: str = ""
    mix: str = ""
    steps: str = ""
    folder: str = ""

    @property
    def out(self) -> Path:
        """Where its files go."""
        return Path(self.folder).expanduser() if self.folder else Path("trainings") / self.name

    def changes(self) -> dict[str, Any]:
        """What is laid over the recipe. Raises ValueError with a sentence."""
        found: dict[str, Any] = {}
        if self.mix.strip():
            shares: dict[str, float] = {}
            for part in self.mix.split(","):
                who, _, share = part.partition("=")
                try:
                    shares[who.strip()] = float(share)
                except ValueError:
                    said = plain(part.strip()) or "nothing"
                    raise ValueError(
                        f"the mix is SPEAKER=SHARE,…, such as human=0.3,synthetic=0.7, not {said}"
                    ) from None
            found["selection"] = {"mix": shares}
        if self.steps.strip():
            if not self.steps.strip().isdecimal() or int(self.steps) < 1:
                raise ValueError("steps are a whole number above 0, or empty for the recipe's")
            found["steps"] = {"steps": int(self.steps)}
        return found
