"""What screens tell the app: where to go and what to play. Screens know no other screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from textual.message import Message

from playpen_tui.sitting import Setup

if TYPE_CHECKING:
    from playpen_tui.branching import BranchWish
    from playpen_tui.figures import Asked
    from playpen_tui.judging import Shown
    from playpen_tui.selfplay_wish import Draft
    from playpen_tui.study import Taking
    from playpen_tui.training_wish import Wish
    from playpen_tui.watching import Watch
    from playpen_tui.workbench import Workbench
    from store.disagreement import Pair
    from store.filters import Filters
    from store.trace import Node


Place: TypeAlias = Literal["home", "pick", "models", "stands", "browse", "results", "trainings", "queues", "back"]
"""Where one can go; `back` is the screen below."""


class Go(Message):
    """Go to a place, such as the list of what can be watched; to the picker with a partner, if one was chosen."""

    def __init__(self, where: Place, partner: str | None = None) -> None:
        super().__init__()
        self.where: Place = where
        self.partner = partner


class Weigh(Message):
    """Go to the results, and show these."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked


class Behind(Message):
    """Show the episodes behind a number, over the screen that has it."""

    def __init__(self, filters: Filters, title: str) -> None:
        super().__init__()
        self.filters = filters
        self.title = title


class Read(Message):
    """Open one episode, over whatever is open."""

    def __init__(self, episode: str) -> None:
        super().__init__()
        self.episode = episode


class Find(Message):
    """Go to the list of episodes with this query; one of `episodes` is opened at once, two are compared."""

    def __init__(self, query: str = "", episodes: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.query = query
        self.episodes = episodes


class Look(Message):
    """Go to the stands and watch this. `over` keeps the screen below, and leaving the stands leads back to it."""

    def __init__(self, what: Watch, over: bool = False) -> None:
        super().__init__()
        self.what = what
        self.over = over


class Sit(Message):
    """Sit down to play this. `avoid` names an instance that should not come again at once."""

    def __init__(self, setup: Setup, avoid: str | None = None) -> None:
        super().__init__()
        self.setup = setup
        self.avoid = avoid


class Follow(Message):
    """Trace this: where it comes from, and what came of it."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node


class OpenTraining(Message):
    """Watch this training, over the list of trainings; `instead` of the screen that began it.

    `evaluate`: when it has ended, base and result play so many instances of each game and role.
    """

    def __init__(self, training: str, instead: bool = False, evaluate: int | None = None) -> None:
        super().__init__()
        self.training = training
        self.instead = instead
        self.evaluate = evaluate


class NewTraining(Message):
    """Open the wizard, over whatever is open; its fields begin as this."""

    def __init__(self, wish: Wish | None = None) -> None:
        super().__init__()
        self.wish = wish


class NewRun(Message):
    """Open the form of a self-play run, over whatever is open; its fields begin as this."""

    def __init__(self, draft: Draft | None = None) -> None:
        super().__init__()
        self.draft = draft


class Fork(Message):
    """Open the branches of this turn, over whatever is open; where there is a wish, begin with it."""

    def __init__(self, episode: str, ply: int, wish: BranchWish | None = None) -> None:
        super().__init__()
        self.episode = episode
        self.ply = ply
        self.wish = wish


class Overlay(Message):
    """Lay the curves of this training over another's, which is asked for."""

    def __init__(self, training: str) -> None:
        super().__init__()
        self.training = training


class Evaluate(Message):
    """Base and result of this training against each other; `play`: so many instances, without a question."""

    def __init__(self, training: str, play: int | None = None) -> None:
        super().__init__()
        self.training = training
        self.play = play


class TakePart(Message):
    """Let somebody take part in a study, step by step."""

    def __init__(self, begin: Callable[[Workbench], Awaitable[Taking]]) -> None:
        super().__init__()
        self.begin = begin
        self.taking: Taking | None = None
        """Who takes part, once they do: for whoever sent the message."""


class Judge(Message):
    """Judge what waits in this queue (a name or an id), as this person, over whatever is open."""

    def __init__(self, queue: str, judge: str | None = None) -> None:
        super().__init__()
        self.queue = queue
        self.judge = judge


class Adjudicate(Message):
    """Decide what people judged differently in this queue, over whatever is open."""

    def __init__(self, queue: str) -> None:
        super().__init__()
        self.queue = queue


class Agree(Message):
    """Show how well the judges of this queue agree, over whatever is open."""

    def __init__(self, queue: str) -> None:
        super().__init__()
        self.queue = queue


class Differ(Message):
    """Show where people and games disagree: in a queue (a name or an id) or in all, over whatever is open."""

    def __init__(self, queue: str | None = None, filters: Filters | None = None) -> None:
        super().__init__()
        self.queue = queue
        self.filters = filters


class OpenPair(Message):
    """Show one of these pairs in full, over whatever is open."""

    def __init__(self, pairs: Sequence[tuple[Pair, Shown]], place: int) -> None:
        super().__init__()
        self.pairs = pairs
        self.place = place
