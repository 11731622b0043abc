"""The picker: game, seat, partner and material in four columns, one enter away from the table."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui.actions import bindings
from playpen_tui.messages import Go, Sit
from playpen_tui.sitting import HUMAN, Setup, seating
from playpen_tui.text import one_line, short
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import GameCard, Workbench

ANY = "any"


class PickScreen(Screen[None]):
    """Choose what to play."""

    BINDINGS = bindings("pick")
    DEFAULT_CSS = """
    PickScreen { background: $background; }
    PickScreen #pick-title { padding: 1 3 0 3; color: $accent; text-style: bold; }
    PickScreen #columns { height: 1fr; padding: 1 2; }
    PickScreen .column { width: 1fr; padding: 0 1; }
    PickScreen .column.first { width: 1.4fr; }
    PickScreen .head { color: $secondary; margin: 0 0 1 0; }
    PickScreen OptionList, PickScreen OptionList:focus {
        border: none; background: $background; background-tint: $foreground 0%; padding: 0; height: 1fr;
    }
    PickScreen #summary { padding: 0 3; height: 3; color: $secondary; }
    PickScreen Footer { background: $background; }
    """

    def __init__(self, bench: Workbench, chosen: Setup, partner: str | None = None) -> None:
        super().__init__()
        self.bench = bench
        self._chosen = chosen
        self._partner = partner
        self._games: dict[str, GameCard] = {}
        self._partners: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        """Four columns and a summary of the game under the cursor."""
        hint = Content.styled("   enter, in any column, sits down", "not bold $secondary")
        yield Static(Content("What shall it be?") + hint, id="pick-title")
        with Horizontal(id="columns"):
            for name, head in (("game", "game"), ("seat", "you are"), ("partner", "with"), ("material", "material")):
                with Vertical(classes="column first" if name == "game" else "column"):
                    yield Static(head, classes="head")
                    yield OptionList(id=f"pick-{name}")
        yield Static("", id="summary")
        yield KeyLine()

    def on_mount(self) -> None:
        """Fill the columns; what was played last stands under the cursor."""
        if not self.query("#pick-game"):  # the app was left while this screen opened
            return
        self._games = {card.name: card for card in self.bench.games()}
        games = self._list("game")
        games.add_options([Option(Content(one_line(card.title)), id=card.name) for card in self._games.values()])
        names = list(self._games)
        games.highlighted = names.index(self._chosen.game) if self._chosen.game in names else 0
        games.focus()
        self._look_around()

    @work(group="partners", exit_on_error=False)
    async def _look_around(self) -> None:
        """Ask who is there to play with; servers may take their time, and keys must not wait for them."""
        self._partners = await self.bench.partners()
        if self._partner is not None and self._partner not in dict(self._partners):
            self._partners.insert(0, (self._partner, "chosen among the models"))
        partners = self._list("partner")
        partners.add_options([Option(Content(short(spec, 40)), id=spec) for spec, _ in self._partners])
        specs = [spec for spec, _ in self._partners]
        partners.highlighted = 0 if self._partner is None else specs.index(self._partner)

    def _list(self, name: str) -> OptionList:
        return self.query_one(f"#pick-{name}", OptionList)

    def _at(self, name: str) -> str | None:
        box = self._list(name)
        return None if box.highlighted is None else box.get_option_at_index(box.highlighted).id

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another game has other seats and words."""
        self._summarise()
        if event.option_list.id != "pick-game" or event.option.id is None:
            return
        card = self._games[event.option.id]
        seats = self._list("seat")
        seats.clear_options()
        seats.add_options([Option(Content(one_line(role)), id=role) for role in card.roles])
        if len(card.roles) > 1:
            seats.add_option(Option(Content("nobody, I watch"), id=ANY))
        seats.highlighted = 0
        material = self._list("material")
        material.clear_options()
        for language in card.languages:
            material.add_option(Option(Content(f"{language} · any"), id=f"{language}/{ANY}"))
            for experiment in card.experiments.get(language, ()):
                label = f"{language} · {experiment.replace('_', ' ')}"
                material.add_option(Option(Content(one_line(label)), id=f"{language}/{experiment}"))
        material.highlighted = 0

    def _summarise(self) -> None:
        card = self._games.get(self._at("game") or "")
        partner = self._at("partner")
        about = dict(self._partners).get(partner or "", "")
        lines = [card.summary if card else "", f"{partner}: {about}" if about else ""]
        self.query_one("#summary", Static).update(Content("\n".join(one_line(line, 300) for line in lines)))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter anywhere sits down."""
        self.action_start()

    def action_start(self) -> None:
        """Sit down with what is chosen."""
        name, seat, partner, material = (self._at(n) for n in ("game", "seat", "partner", "material"))
        if name is None or partner is None or material is None or seat is None:
            return
        language, _, experiment = material.partition("/")
        game = self.bench.game(name)
        seats = dict.fromkeys(game.roles, partner) if seat == ANY else seating(game, seat, partner, {}, HUMAN)
        setup = Setup(name, seats, experiment=None if experiment == ANY else experiment, language=language)
        self.app.post_message(Sit(setup))

    def action_next_column(self) -> None:
        """To the right."""
        self.focus_next(OptionList)

    def action_previous_column(self) -> None:
        """To the left."""
        self.focus_previous(OptionList)

    def action_back(self) -> None:
        """Home."""
        self.app.post_message(Go("home"))
