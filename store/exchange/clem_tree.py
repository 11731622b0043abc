"""Where things lie in a results tree: `MODELS/GAME/EXPERIMENT/INSTANCE/interactions.json`, and every variant of it.

An episode's folder is one that holds `interactions.json` (or an `instance.json` that nothing was played of). It may be
called `instance_00001`, `episode_00001` or, long ago, `episode_0`; below it there may be `branch_00001`; above the game
there may be an `epoch_00001`. So everything is read from the bottom up, and any part of a tree can be imported: the
results folder, one model's, one game's, one episode's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from store.exchange.intake import Refused, Tree

BRANCH = re.compile(r"branch_\d+")
EPOCH = re.compile(r"epoch_\d+")
_OLD_EPISODE = re.compile(r"episode_\d+")
_OLD_EXPERIMENT = re.compile(r"\d+_(.+)")


@dataclass(frozen=True, slots=True)
class EpisodeFolder:
    """One episode's folder and those above it. Those above may lie outside the imported tree: they only give names."""

    path: Path
    files: tuple[Path, ...]
    """Every file of the episode, in order, but those of branches below it."""

    @property
    def branch(self) -> str:
        """`branch_00001`, or nothing."""
        return self.path.name if BRANCH.fullmatch(self.path.name) else ""

    @property
    def instance(self) -> Path:
        """The folder of the instance: this one, or the one above a branch."""
        return self.path.parent if self.branch else self.path

    @property
    def experiment(self) -> Path:
        """The folder of the experiment."""
        return self.instance.parent

    @property
    def game(self) -> Path:
        """The folder of the game."""
        return self.experiment.parent

    @property
    def models(self) -> Path:
        """The folder of the models, above an epoch's where there is one."""
        above = self.game.parent
        return above.parent if EPOCH.fullmatch(above.name) else above

    @property
    def place(self) -> str:
        """The folder's name with those that tell it from others of its experiment: the same in every copy."""
        above = self.game.parent.name
        return "/".join([*([above] if EPOCH.fullmatch(above) else []), self.instance.name, self.branch])

    def path_of(self, file: Path) -> str:
        """A file's path from the folder that holds the models' folders."""
        return path_in(self.models, file)

    @property
    def experiment_name(self) -> str:
        """The experiment by its folder: older trees number them."""
        name = self.experiment.name
        numbered = _OLD_EXPERIMENT.fullmatch(name)
        old = numbered and _OLD_EPISODE.fullmatch(self.instance.name) and len(self.instance.name) < len("episode_00000")
        return numbered[1] if numbered and old else name


def path_in(models: Path, file: Path) -> str:
    """A file's path from the folder that holds a models' folder, with slashes."""
    return str(PurePosixPath(file.relative_to(models.parent)))


@dataclass(slots=True)
class RunFolder:
    """The folder of one run of clembench: one model, or several that played with each other."""

    path: Path
    episodes: list[EpisodeFolder] = field(default_factory=list[EpisodeFolder])
    shared: list[Path] = field(default_factory=list[Path])
    """Files of the run and its experiments: `run.json`, `experiment.json`, instances of branches."""


EXPERIMENT = re.compile(r"experiment(_.+)?\.json")
"""The file of an experiment; older trees add its name."""


def runs(tree: Tree, refused: list[Refused]) -> Iterator[RunFolder]:
    """The runs of a tree in order of path; files that belong to none are added to `refused`."""
    branched = {path.parent for path in tree.files if BRANCH.fullmatch(path.name)}
    places = {path for path in tree.files if _is_episode(tree, path, branched)}
    spoilt = {path for path, odd in tree.odd.items() if "interactions.json" in odd}
    kept = dict[Path, list[Path]]()
    rest: list[Path] = []
    for folder, files in tree.files.items():
        if folder in spoilt:  # the reason stands with its interactions.json
            continue
        owner = _owner(folder, places, tree.root)
        (kept.setdefault(owner, []) if owner is not None else rest).extend(files.values())
    found: dict[Path, RunFolder] = {}
    for path in sorted(places):
        episode = EpisodeFolder(path, tuple(kept.get(path, ())))
        found.setdefault(episode.models, RunFolder(episode.models)).episodes.append(episode)
    levels = {level: run for run in found.values() for level in _levels(run)}
    for file in rest:
        run = levels.get(file.parent)
        if run is not None and (
            file.name == "run.json"
            or EXPERIMENT.fullmatch(file.name)
            or (file.name == "instance.json" and file.parent in branched)
        ):
            run.shared.append(file)
        else:
            refused.append(Refused(tree.name(file), "is no part of a clembench results tree"))
    for folder, odd in tree.odd.items():
        refused += [Refused(tree.name(folder / name), reason) for name, reason in odd.items()]
    yield from found.values()


def _is_episode(tree: Tree, folder: Path, branched: set[Path]) -> bool:
    files, odd = tree.files[folder], tree.odd.get(folder, {})
    if "interactions.json" in odd:
        return False
    if "interactions.json" in files:
        return True
    return "instance.json" in files and folder not in branched


def _owner(folder: Path, places: set[Path], root: Path) -> Path | None:
    """The episode that a folder is of, or lies in."""
    while folder not in places:
        if folder in (root, folder.parent):
            return None
        folder = folder.parent
    return folder


def _levels(run: RunFolder) -> set[Path]:
    """Folders that may hold shared files of a run."""
    found = {run.path}
    for episode in run.episodes:
        found |= {episode.instance, episode.experiment, episode.game, episode.game.parent}
    return found
