"""The file of a study: TOML with the words that participants read, the design, and the questions.

What is wrong in it is said in one sentence that names the field, before anybody is asked anything.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from games import catalog
from playpen_tui.study_plan import Cell, Design, Material, TooLittle

When: TypeAlias = Literal["start", "each", "end"]
Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Word: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
LONGEST = 1_000_000
"""Characters of a file; a longer one is no study."""


class BadStudy(ValueError):
    """The file of a study cannot be used; the message names the field and what to mend. Wrong usage."""

    exit_code = 2


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConsentText(_Part):
    """What is shown and answered before anything is kept."""

    text: Text
    level: Literal["local", "research", "public"] = "local"
    agree: Word = "I agree and take part"
    decline: Word = "I do not take part"


class Play(_Part):
    """The games: every game in every role with every partner is a cell of the design."""

    games: tuple[Word, ...] = Field(min_length=1)
    episodes: int = Field(default=1, ge=1, le=200)
    roles: dict[str, tuple[Word, ...]] = Field(default_factory=dict)
    partners: tuple[Word, ...] = ("smollm2",)
    split: Literal["train", "validation", "test"] = "train"
    experiment: dict[str, Word] = Field(default_factory=dict)
    instances: dict[str, tuple[Word, ...] | int] = Field(default_factory=dict)
    assist: bool | None = None


class Judge(_Part):
    """Items of a queue, after the games."""

    queue: Word
    items: int = Field(ge=1, le=10_000)


class Question(_Part):
    """One question. A choice has `options`; a scale goes `from` one number `to` another, its ends called `ends`."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
    text: Text
    kind: Literal["text", "choice", "scale"] = "text"
    when: When = "end"
    options: tuple[Word, ...] = ()
    low: int = Field(default=1, alias="from", ge=-100, le=100)
    high: int = Field(default=7, alias="to", ge=-100, le=100)
    ends: tuple[Word, Word] | tuple[()] = ()
    optional: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "choice" and len(set(self.options)) < 2:
            raise ValueError("a choice needs two different options or more")
        if self.kind == "scale" and not 1 <= self.high - self.low <= 20:
            raise ValueError("a scale goes from a number to a higher one, 21 steps at most")
        if self.id == "consent":
            raise ValueError("the id 'consent' is taken")
        return self

    @property
    def answers(self) -> tuple[tuple[str, str], ...]:
        """Of a choice or a scale, the answers as (value, label)."""
        if self.kind == "choice":
            return tuple((option, option) for option in self.options)
        steps = range(self.low, self.high + 1)
        ends = dict(zip((self.low, self.high), self.ends, strict=False))
        return tuple((str(step), f"{step}  {ends[step]}" if step in ends else str(step)) for step in steps)

    def value(self, text: str) -> tuple[Any, str]:
        """The answer that a text means, and what is wrong with it (empty where nothing is)."""
        text = text.strip()
        if not text:
            return None, "" if self.optional else "please answer this"
        if self.kind == "text":
            return text, ""
        values = [value for value, _ in self.answers]
        if self.kind == "scale":
            return (int(text), "") if text in values else (None, f"a number from {self.low} to {self.high}, please")
        if text in values:
            return text, ""
        if text.isdecimal() and 1 <= int(text) <= len(values):
            return values[int(text) - 1], ""
        return None, f"a number from 1 to {len(values)}, please"


class Completion(_Part):
    """What is shown at the end; a `code` of its own for each person unless one is named for all."""

    text: str = "Thank you for taking part."
    code: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] = ""


class Study(_Part):
    """The whole file."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    quota: int = Field(ge=1, le=10_000)
    seed: int = 0
    language: str = "en"
    hours: float = Field(default=24, gt=0, le=10_000)
    welcome: str = ""
    consent: ConsentText
    play: Play | None = None
    judge: Judge | None = None
    questions: tuple[Question, ...] = ()
    completion: Completion = Completion()

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("a name on one line of plain letters, please")
        return value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        ids = [question.id for question in self.questions]
        if len(ids) != len(set(ids)):
            raise ValueError("two questions have the same id")
        if self.play is None and self.judge is None and not self.questions:
            raise ValueError("a study needs [play], [judge] or [[questions]]")
        return self

    def config(self) -> dict[str, Any]:
        """The file as JSON values; the same for files that mean the same."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def asked(self, when: When) -> tuple[Question, ...]:
        """The questions of one moment, in order."""
        return tuple(question for question in self.questions if question.when == when)

    def design(self) -> Design:
        """The design with its material. Raises BadStudy, UnknownGame, UnknownInstance."""
        assert self.play is not None
        cells: list[Cell] = []
        pools: dict[str, list[Material]] = {}
        for key in (*self.play.roles, *self.play.experiment, *self.play.instances):
            if key not in self.play.games:
                raise BadStudy(f"play: {key!r} is not among the games; {catalog.nearest(key, self.play.games)}")
        for name in dict.fromkeys(self.play.games):
            game = catalog.get(name)
            for role in self.play.roles.get(name, game.roles):
                if role not in game.roles:
                    raise BadStudy(f"play.roles: {name} has no role {role!r}; {catalog.nearest(role, game.roles)}")
                partners = self.play.partners if len(game.roles) > 1 else ("",)
                cells += [Cell(name, role, partner) for partner in dict.fromkeys(partners)]
            pools[name] = self._pool(name)
        if not cells:
            raise BadStudy("play: no cell is left; name at least one role and one partner")
        return Design(cells, pools, self.play.episodes, self.seed)

    def _pool(self, name: str) -> list[Material]:
        assert self.play is not None
        game = catalog.get(name)
        wanted = self.play.instances.get(name)
        if isinstance(wanted, tuple):
            return [Material(one.name, one.key) for one in (catalog.instance(game, wish) for wish in wanted)]
        experiment = self.play.experiment.get(name)
        found = catalog.instances(game, language=self.language, experiment=experiment, split=self.play.split)
        drawn = list(catalog.shuffled(found, self.seed))
        return [Material(one.name, one.key) for one in drawn[: wanted or None]]


def flowing(text: str) -> str:
    """A text as participants read it: the lines of a paragraph run on, lists keep their lines."""
    found: list[str] = []
    for line in text.strip().splitlines():
        words = line.strip()
        joins = bool(found and found[-1] and words) and not words.startswith(("-", "*", "•")) and not words[0].isdigit()
        if joins:
            found[-1] += f" {words}"
        else:
            found.append(words)
    return "\n".join(found)


def read_study(path: Path) -> Study:
    """The study in a file. Raises BadStudy."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadStudy(f"there is no file {path}; `playpen-tui study new {path}` writes one to begin with") from None
    except UnicodeDecodeError:
        raise BadStudy(f"{path} is no text in UTF-8; a study is a TOML file") from None
    except OSError as error:
        raise BadStudy(f"{path} cannot be read: {error.strerror}") from None
    if len(text) > LONGEST:
        raise BadStudy(f"{path} has {len(text):,} characters; a study has {LONGEST:,} at most")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadStudy(f"{path} is no TOML: {error}") from None
    except RecursionError:
        raise BadStudy(f"{path} is nested too deeply for a study") from None
    return parse_study(raw, str(path))


def parse_study(raw: dict[str, Any], where: str = "the study") -> Study:
    """The study that these values are. Raises BadStudy."""
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        spot = ".".join(str(part) for part in first["loc"][:6])
        told = first["msg"].removeprefix("Value error, ")
        told = "there is no such field" if first["type"] == "extra_forbidden" else told
        raise BadStudy(f"{where}{f', {spot}' if spot else ''}: {told[0].lower()}{told[1:]}") from None


def check_study(study: Study) -> Design | None:
    """Whether everything that the file names is there, and there is enough of it for everybody. Raises as `design`."""
    if study.play is None:
        return None
    design = study.design()
    try:
        design.plans(min(study.quota, 400))
    except TooLittle as error:
        raise BadStudy(f"play: {error}") from None
    return design


TEMPLATE = '''# A study. `playpen-tui study check FILE` says what is wrong in it, and `playpen-tui study run FILE` lets
# one person take part. Whoever changes this file begins another study.

name = "first-clues"
quota = 20              # so many people at most
seed = 1                # fixes who plays what
language = "en"
hours = 24              # after so long, the place of somebody who did not finish is given to the next
welcome = "Welcome! You will play three short word games, and be asked a few questions."

[consent]               # shown and answered before anything is kept
text = """
You take part in a study of how people and language models play word games together. What you write, how long each turn
took and how the games ended is recorded under a random pseudonym. You may stop at any time.
"""
level = "local"         # what agreeing allows: "local" (this machine), "research", "public"

[play]                  # leave it out for a study of judging alone
games = ["taboo"]
episodes = 3            # games a person plays; nobody meets the same content twice
partners = ["bot"]      # who takes the other seats; several are conditions: ["bot", "smollm2"]
roles = { taboo = ["describer", "guesser"] }
# split = "train"       # where instances come from
# instances = { taboo = 12 }          # a number, drawn by the seed, or a list of names

# [judge]               # then so many items of a queue
# queue = "hard-clues"
# items = 20

[[questions]]
id = "age"
when = "start"          # "start", "each" (after every game), "end"
kind = "choice"         # "text", "choice", "scale"
text = "How old are you?"
options = ["18 to 29", "30 to 49", "50 or older", "I would rather not say"]

[[questions]]
id = "hard"
when = "each"
kind = "scale"
text = "How hard was this game?"
from = 1
to = 7
ends = ["very easy", "very hard"]

[[questions]]
id = "remarks"
text = "Is there anything you would like to tell us?"
optional = true

[completion]
text = "That was all. Thank you!"
# code = "C1A2B3"       # the same for everybody; without it everybody gets a code of their own
'''
