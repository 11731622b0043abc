"""What somebody at this terminal says of single turns, while playing, watching or reading. No screen.

A `Remarks` is one person's session: it finds the turn, lets it be labelled, corrected or compared with another reply,
and takes each of these back again. `Spot` is a turn with all that it takes to correct it as people see it, without
protocol tags.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal, TypeAlias

from games import catalog
from games.boards import Field
from games.engine import Match, Role, View
from players.base import Ask, Call, Called, Emit, Event, Identity, Reply, silent
from players.choosing import Offer
from players.driver import sampling_seed
from playpen_tui.plain_text import bare
from playpen_tui.sitting import BadSetup
from playpen_tui.workbench import Workbench
from store import turn_judging
from store.history import FOREIGN
from store.log import Log
from store.records import TurnRow
from store.turn_judging import Chosen, Mark, Sign, Wording

BREAK = " ↵ "
"""How a line break looks in a line that is being written."""
VEILED = "(it breaks a rule, so its words are not for your seat)"
Side: TypeAlias = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that is being corrected, field by field. `eyes` are the corrector's seat, None for the game master's.

    Whoever sees less than the speaker corrects what came through to them, `heard`; the rest stays as it was. `view` is
    None where the game cannot be played here: then the words are raw and nothing can be checked.
    """

    view: View | None
    text: str
    eyes: Role | None = None
    heard: str | None = None
    """What the corrector's seat was told of it; None: what it will be told is not known yet."""

    @property
    def open(self) -> bool:
        """Whether whoever corrects may know all that the speaker knew."""
        return self.view is None or self.eyes in (None, self.view.role)

    @property
    def _all(self) -> tuple[Field, ...]:
        return (Field(name="text", label="reply"),) if self.view is None else self.view.fields

    @property
    def _said(self) -> Mapping[str, str]:
        return {"text": self.text.replace("\n", BREAK)} if self.view is None else self.view.read(self.text) or {}

    @property
    def fields(self) -> tuple[Field, ...]:
        """What can be corrected, and may be seen."""
        if self.open:
            return self._all
        if self.heard is None:
            return self._all[:1]
        return tuple(field for field in self._all if self._said.get(field.name, "\0") in self.heard)

    @property
    def answers(self) -> dict[str, str]:
        """What was said, field by field."""
        shown = {field.name for field in self.fields}
        return {name: words for name, words in self._said.items() if name in shown}

    def compose(self, answers: Mapping[str, str]) -> str:
        """The reply with its tags; what may not be seen stays as it was."""
        whole = {**self._said, **answers}
        return whole["text"].replace(BREAK, "\n").strip() if self.view is None else self.view.compose(whole)

    def problems(self, answers: Mapping[str, str]) -> tuple[str, ...]:
        """What would be wrong with these answers, as far as whoever corrects may know it."""
        if self.view is None:
            return () if answers.get("text", "").strip() else ("a correction needs words",)
        text = self.compose(answers)
        if self.open:
            return self.view.check(text)
        return () if self.view.read(text) is not None else ("this is not the form of a reply",)


@dataclass(frozen=True, slots=True)
class Spot:
    """A turn and what stood before it, None where the game cannot be played here. `eyes` as in `Draft`."""

    episode: str
    turn: TurnRow
    before: Match | None
    eyes: Role | None = None

    @property
    def view(self) -> View | None:
        """What the speaker knew."""
        return None if self.before is None else self.before.view(self.turn.role)

    @property
    def draft(self) -> Draft:
        """The turn, to be corrected."""
        heard = "\n".join(say.text for say in self.turn.says if say.to == self.eyes)
        return Draft(self.view, self.turn.text, self.eyes, heard)

    def words(self, text: str) -> str:
        """A reply in this place as whoever judges may read it, without tags."""
        return text if self.view is None else offered(self.view, text, self.eyes)


def readable(view: View, text: str, *, whole: bool = True) -> str:
    """A reply as people read it, or raw where it has not the form; the lesser parts of it only in the `whole`."""
    read = view.read(text)
    if not read:
        return text
    known = [field.name for field in view.fields if field.name in read]
    parts = [read[name] for name in [*known, *(name for name in read if name not in known)] if read[name]]
    return "  ".join(parts if whole else parts[:1])


def offered(view: View, text: str, eyes: Role | None) -> str:
    """A reply of a seat as these eyes may read it: what breaks a rule may tell a secret, and is kept from others."""
    whole = eyes in (None, view.role)
    if not whole and view.check(text):
        return VEILED
    return readable(view, text, whole=whole)


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another reply in the place of a turn, and how the two stand on the screen."""

    spot: Spot
    text: str
    who: str
    shown: tuple[str, str]
    """The candidates, left first."""
    left: str
    right: str
    """Their words."""


def sides(*names: str) -> bool:
    """Whether the first of two things stands left: it follows from names, so that it can be replayed."""
    return blake2b("|".join((*names, "side")).encode()).digest()[-1] % 2 == 0


class Remarks:
    """One person's remarks. `person` is a pseudonym; without it, it is the person of this user.

    Methods raise LogError, PlayerError and the like with a sentence.
    """

    def __init__(self, bench: Workbench, person: str | None = None) -> None:
        self.bench = bench
        self.pending: dict[tuple[str, int], tuple[str, ...]] = {}
        """Candidates of choices whose turn was not in the log yet, by episode and ply."""
        self._person = person
        self._done: list[tuple[str, Callable[[Log, str], object]]] = []

    async def judge(self) -> str:
        """Who judges."""
        return self._person or await self.bench.people.pseudonym()

    # turns

    async def spot(self, episode: str, ply: int, eyes: Role | None = None) -> Spot:
        """The turn at this ply. Raises UnknownEpisode, UnknownTurn."""
        log = await self.bench.log()
        return await asyncio.to_thread(_spot, log, episode, ply, eyes)

    async def marks(self, episode: str) -> dict[int, Mark]:
        """What this person thinks of the turns of an episode, by ply; corrections without tags."""
        log, judge = await self.bench.log(), self._person or await self.bench.people.known_person()
        await self._settle(log)
        return {} if judge is None else await asyncio.to_thread(_marks, log, episode, judge)

    async def label(self, episode: str, ply: int, sign: Sign) -> Sign | None:
        """Label a turn; the same label once more takes it back. Returns what it is now."""
        log, judge = await self.bench.log(), await self.judge()
        turn = await asyncio.to_thread(turn_judging.turn_at, log.reader(), episode, ply)
        mark = (await asyncio.to_thread(turn_judging.marks, log.reader(), [turn], judge)).get(turn, Mark())
        now = None if mark.label == sign else sign
        await asyncio.to_thread(turn_judging.label, log, turn, now, judge)
        self._note(f"the label of turn {ply}", lambda log, judge: turn_judging.label(log, turn, mark.label, judge))
        return now

    async def relabel(self, episode: str, ply: int, sign: Sign | None) -> bool:
        """Label a turn like this, whatever stood there before; whether that changed anything."""
        log, judge = await self.bench.log(), await self.judge()
        turn = await asyncio.to_thread(turn_judging.turn_at, log.reader(), episode, ply)
        return await asyncio.to_thread(turn_judging.label, log, turn, sign, judge) is not None

    async def edit(self, spot: Spot, answers: Mapping[str, str]) -> tuple[str, ...]:
        """Say what should have been said, unless something is wrong with it; returns what is wrong.

        The words of the turn itself take a correction back.
        """
        text = spot.draft.compose(answers)
        if text != spot.turn.text and (problems := spot.draft.problems(answers)):
            return problems
        log, judge = await self.bench.log(), await self.judge()
        turn = spot.turn.id
        was = (await asyncio.to_thread(turn_judging.marks, log.reader(), [turn], judge)).get(turn, Mark()).edit
        if await asyncio.to_thread(turn_judging.edit, log, turn, text, judge):
            what = f"the correction of turn {spot.turn.ply}"
            self._note(what, lambda log, judge: turn_judging.edit(log, turn, was, judge))
        return ()

    async def undo(self) -> str:
        """Take the last remark of this session back; says which it was, empty where there is none."""
        if not self._done:
            return ""
        what, back = self._done[-1]
        log, judge = await self.bench.log(), await self.judge()
        await asyncio.to_thread(back, log, judge)
        self._done.pop()
        return what

    def _note(self, what: str, back: Callable[[Log, str], object]) -> None:
        self._done.append((what, back))

    # another reply

    async def another(self, spot: Spot, spec: str | None = None, emit: Emit = silent) -> Sibling:
        """Ask for another reply in the place of a turn: the player who spoke, or the one named.

        Raises BadSetup where nobody can be asked, PlayerError, UnknownPlayer.
        """
        if spot.before is None:
            log = await self.bench.log()
            log.history.require_code(await asyncio.to_thread(log.history.episode, spot.episode))
            raise BadSetup(f"the code of the game of episode {spot.episode} is not here, so nobody can be asked")
        if spec is None and spot.turn.person is not None:
            raise BadSetup("a person spoke here: name the player who is to be asked")
        role = spot.turn.role
        assist = spot.turn.assisted if spec is None else None
        player = await self.bench.player(spec or spot.turn.player, spot.before, role, assist)
        log, calls = await self.bench.log(), list[Call]()

        def hear(event: Event) -> None:
            if isinstance(event, Called):
                calls.append(event.call)
            emit(event)

        async def keep() -> None:
            for call in calls:
                await log.recorder.call(spot.turn.episode, spot.turn.ply, role, player.identity, call)

        view, text = spot.before.view(role), spot.turn.text
        try:
            for _ in range(3):
                seed = sampling_seed(secrets.randbelow(2**31), role, spot.turn.ply)
                text = (await player.speak(spot.before.heard[role], Ask(view, seed, None, hear))).text
                if text != spot.turn.text:
                    break
        finally:
            await asyncio.shield(keep())
        if text == spot.turn.text:
            raise BadSetup(f"{player.identity.name} said the same three times; ask another player")
        return await asyncio.to_thread(_sibling, log, spot, text, player.identity)

    async def prefer(self, sibling: Sibling, better: Side | None, *, ms: float | None = None) -> None:
        """Say which of the two is better; None: no difference."""
        log, judge = await self.bench.log(), await self.judge()
        place = {"left": 0, "right": 1, None: None}[better]
        chosen = None if place is None else sibling.shown[place]
        await asyncio.to_thread(turn_judging.prefer, log, chosen, sibling.shown, judge, ms=ms)
        what = f"the comparison at turn {sibling.spot.turn.ply}"
        self._note(what, lambda log, judge: turn_judging.take_back(log, sibling.shown, judge))

    # a reply that is chosen before it is said

    async def chosen(
        self, episode: str, offer: Offer, shown: tuple[int, int], better: int | None, text: str = "", ms: float = 0.0
    ) -> Reply:
        """Keep what was chosen of two replies, and return what goes on.

        `better` is the place (0 or 1) of the better one, None for no difference; `text` is what the person wrote
        instead of it.
        """
        log, judge = await self.bench.log(), await self.judge()
        replies = [offer.first, offer.second]
        wordings = [Wording(reply.text, offer.who) for reply in replies]
        goes_on, over = better, () if better is None else (1 - better,)
        if text and better is not None and text not in (replies[0].text, replies[1].text):
            person = Identity("human", "human", person=judge)
            replies.append(Reply(text, ms=ms, by=person))
            wordings.append(Wording(text, person))
            goes_on, over = 2, (better,)
        facts = Chosen(tuple(wordings), shown, goes_on, over, offer.blind, ms)
        view = offer.view
        made = await asyncio.to_thread(
            turn_judging.choose, log, episode, view.ply, view.role, offer.heard, facts, judge
        )
        self.pending[episode, view.ply] = made
        pair = made[goes_on or 0], made[over[0] if over else 1]
        self._note(f"the choice at turn {view.ply}", lambda log, judge: turn_judging.take_back(log, pair, judge))
        return replies[goes_on or 0]

    async def _settle(self, log: Log) -> None:
        """Tie choices to the turns that came of them, where these are in the log by now."""
        for place, candidates in list(self.pending.items()):
            if await asyncio.to_thread(turn_judging.said, log, candidates):
                self.pending.pop(place, None)

    async def settle(self) -> None:
        """Tie choices to the turns that came of them."""
        if self.pending:
            await self._settle(await self.bench.log())


def _spot(log: Log, episode: str, ply: int, eyes: Role | None) -> Spot:
    id = log.history.resolve(episode)
    turn_judging.turn_at(log.reader(), id, ply)
    turn = next(turn for turn in log.queries.detail(id).turns if turn.ply == ply)
    return Spot(id, turn, _before(log, id, [ply]).get(ply), eyes)


def _before(log: Log, episode: str, plies: Sequence[int]) -> dict[int, Match]:
    """The match before each of these plies; nothing where the game cannot be played here."""
    logged = log.history.episode(episode)
    if logged.version == FOREIGN:
        return {}
    try:
        game = catalog.get(logged.game)
    except (LookupError, ImportError):
        return {}
    if game.version != logged.version:
        return {}
    match = Match.new(game, game.instance_type.model_validate(dict(logged.instance)), logged.seed)
    found: dict[int, Match] = {}
    for ply in range(max(plies) + 1):
        if ply in plies:
            found[ply] = match
        if ply < len(logged.texts):
            match = match.play(logged.texts[ply])
    return found


def _marks(log: Log, episode: str, judge: str) -> dict[int, Mark]:
    found = turn_judging.marks_of(log.reader(), episode, judge)
    edited = {ply: mark.edit for ply, mark in found.items() if mark.edit is not None}
    if edited:
        before = _before(log, episode, list(edited))
        roles = log.history.episode(episode).roles
        for ply, text in edited.items():
            words = text if ply not in before else readable(before[ply].view(roles[ply]), text)
            found[ply] = replace(found[ply], edit=words)
    return found


def _sibling(log: Log, spot: Spot, text: str, who: Identity) -> Sibling:
    turn = spot.turn
    own = turn_judging.candidate_of_turn(log, turn.id)
    other = turn_judging.add_reply(log, turn.id, Wording(text, who))
    pairs = [(own, spot.words(turn.text)), (other, spot.words(text))]
    (left, left_words), (right, right_words) = pairs if sides(own, other) else reversed(pairs)
    return Sibling(spot, text, bare(who.name), (left, right), left_words, right_words)
