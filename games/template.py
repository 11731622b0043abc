"""`games new NAME`: a small game that works, and its test, to be made into one's own."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from games import catalog
from games.material import text

FOLDER = Path("playpen_games")
"""Where the catalog looks for games of one's own; see `catalog.search_path`."""


class CannotWrite(ValueError):
    """The name will not do, or there is something in the way; one sentence says what."""


def write_new(name: str, folder: Path = FOLDER) -> list[Path]:
    """Write `NAME.py` and `test_NAME.py` into a folder, which is made, and return both paths, the game's first.

    Raises CannotWrite, and then writes nothing.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name.startswith("test_"):
        raise CannotWrite(f"{name!r} will not do as a name: take lower-case letters, digits and underscores")
    game, test = folder / f"{name}.py", folder / f"test_{name}.py"
    for path in (game, test):
        if path.exists():
            raise CannotWrite(f"{path} is there already; take another name, or move it away")
    if name in catalog.names():
        raise CannotWrite(f"there is a game {name!r} already; take another name")
    words = [word for word in name.split("_") if word]
    names = {"name": name, "class_name": "".join(map(str.capitalize, words)), "title": " ".join(words).capitalize()}
    made = {
        path: Template(text("games", file)).substitute(names) for path, file in zip((game, test), _FILES, strict=True)
    }
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in made.items():
        path.write_text(content, encoding="utf-8")
    return [game, test]


_FILES = ("new_game.txt", "new_test.txt")
