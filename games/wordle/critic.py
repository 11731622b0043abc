"""The rules of Wordle with a critic: propose a word, hear what the critic thinks, then make the guess that counts.

Unlike in clembench the critic is shown the colours of every guess that counted, as its briefing promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random

from games.boards import Card, Facts, Field, Panel
from games.engine import Illegal, Match, Message, Role, Say, Scores, Step
from games.material import prompts
from games.shapes import Choice, Literal, Seq, Shape
from games.wordle import scoring
from games.wordle.feedback import Try, colour
from games.wordle.game import GUESSER, GuessingGame, WordleState, coloured, guess_form
from games.wordle.replies import Form, Malformed, Reply
from games.wordle.scoring import ROUNDS
from games.wordle.words import PACKAGE, WordleInstance

CRITIC: Role = "critic"


class CriticState(WordleState):
    """Beside the guesses all proposals and answers, and the explanations of the last of each."""

    proposals: tuple[str, ...] = ()
    agreements: tuple[bool, ...] = ()
    why_proposed: str = ""
    why_agreed: str = ""

    @property
    def pending(self) -> str:
        """The proposal that has not become a guess yet, or empty."""
        return self.proposals[-1] if len(self.proposals) > len(self.guesses) else ""


@lru_cache(maxsize=8)
def agreement_form(language: str) -> Form:
    """The two lines of a critic's answer."""
    said = prompts(PACKAGE, language)
    return Form(said.word("tags.explanation"), said.word("tags.agreement"), said.word("words.view"))


class WordleWithCritic(GuessingGame[CriticState]):
    """Find the word from a clue and colours, with someone to ask before a guess counts."""

    name = "wordle_withcritic"
    title = "Wordle with critic"
    summary = "Find a hidden word of five letters in six guesses; a critic looks at each before it counts."
    roles = (GUESSER, CRITIC)
    state_type = CriticState
    clued = True

    def start(self, instance: WordleInstance, rng: Random) -> tuple[CriticState, Sequence[Say]]:
        """Brief both; they know the same clue."""
        state = CriticState(instance=instance, turn=GUESSER)
        said = self.said(state)
        parts = [
            said.fill("brief.guesser"),
            said.fill("brief.with_critic"),
            said.fill("brief.clue", clue=instance.clue),
            said.word("brief.first_proposal"),
        ]
        return state, [
            Say(GUESSER, "\n\n".join(parts), kind="brief"),
            Say(CRITIC, said.fill("brief.critic", clue=instance.clue), kind="brief"),
        ]

    def play(self, state: CriticState, text: str, rng: Random) -> tuple[CriticState, Sequence[Say]]:
        """Take a proposal, an answer of the critic, or the guess that counts."""
        if state.turn == CRITIC:
            return self._answer(state, self.parse(state, CRITIC, text))
        reply = self.parse(state, GUESSER, text)
        return self._decide(state, reply) if state.pending else self._propose(state, reply)

    def _propose(self, state: CriticState, reply: Reply) -> tuple[CriticState, Sequence[Say]]:
        ask = self.said(state).fill("ask.agree", number=state.round, rounds=ROUNDS, clue=state.instance.clue)
        proposals = (*state.proposals, reply.value)
        after = state.to(turn=CRITIC, proposals=proposals, why_proposed=reply.explanation)
        return after, [Say(CRITIC, self.form(state, GUESSER).write(*reply), GUESSER, "relay"), Say(CRITIC, ask)]

    def _answer(self, state: CriticState, reply: Reply) -> tuple[CriticState, Sequence[Say]]:
        said = self.said(state)
        agreed = reply.value == said.word("words.yes")
        after = state.to(turn=GUESSER, agreements=(*state.agreements, agreed), why_agreed=reply.explanation)
        return after, [
            Say(GUESSER, self.form(state, CRITIC).write(*reply), CRITIC, "relay"),
            Say(GUESSER, said.fill("ask.commit", clue=state.instance.clue)),
        ]

    def _decide(self, state: CriticState, reply: Reply) -> tuple[CriticState, Sequence[Say]]:
        said, guess = self.said(state), reply.value
        after, says = self.commit(state, guess, "ask.propose")
        colours = coloured(Try(guess, colour(guess, state.instance.target)), state.instance.language)
        says += [
            Say(CRITIC, said.fill("tell.committed", guess=guess), GUESSER, "relay"),
            Say(CRITIC, f"{said.word('tell.counted')}\n\n{colours}"),
        ]
        return after, says

    def form(self, state: CriticState, role: Role) -> Form:
        """The two lines that this role writes."""
        return (agreement_form if role == CRITIC else guess_form)(state.instance.language)

    def parse(self, state: CriticState, role: Role, text: str) -> Reply:
        """A guess, or the critic's explanation and its yes or no. Raises Illegal; a critic is never asked again."""
        if role != CRITIC:
            return super().parse(state, role, text)
        said = self.said(state)
        try:
            reply = self.form(state, role).read(text)
        except Malformed as broken:
            fault = broken.fault if broken.fault == "start" else f"critic_{broken.fault}"
            raise Illegal(said.word(f"error.{fault}")) from broken
        value = reply.value.lower()
        if value not in (said.word("words.yes"), said.word("words.no")):
            raise Illegal(said.word("error.critic_value"))
        return Reply(reply.explanation, value)

    def value_name(self, role: Role) -> str:
        """The guesser gives a guess, the critic its agreement."""
        return "agreement" if role == CRITIC else "guess"

    def _answers(self, state: CriticState) -> tuple[str, str]:
        said = self.said(state)
        return said.word("words.yes"), said.word("words.no")

    def fields(self, state: CriticState) -> tuple[Field, ...]:
        """A word of the guesser, yes or no of the critic, with an explanation if they like."""
        if state.turn != CRITIC:
            return super().fields(state)
        said = self.said(state)
        return (Field("agreement", said.word("board.agreement"), options=self._answers(state)), self.why(said))

    def shape(self, state: CriticState) -> Shape | None:
        """Of the critic: a neutral explanation, then yes or no."""
        if state.turn != CRITIC:
            return super().shape(state)
        form = agreement_form(state.instance.language)
        return Seq((Literal(form.write("", "")), Choice(self._answers(state), "agreement")))

    def question(self, state: CriticState) -> str:
        """Of the critic: the clue and the proposal; of the guesser: the clue."""
        if state.turn != CRITIC:
            return super().question(state)
        return self.said(state).fill("question.critic", clue=state.instance.clue, guess=state.pending)

    def examples(self, state: CriticState) -> tuple[Message, ...]:
        """Exchanges of another game for the role to speak."""
        return self.exchanges(state, "critic") if state.turn == CRITIC else super().examples(state)

    def panels(self, state: CriticState) -> Sequence[Panel]:
        """The proposal on the table, and what the critic said last."""
        said = self.said(state)
        found: list[Panel] = []
        if state.pending and state.turn is not None:
            items = (state.why_proposed,) if state.why_proposed else ()
            found.append(Card(said.word("board.proposal"), state.pending, items=items))
        if state.agreements and state.turn == GUESSER:
            answer = self._answers(state)[0 if state.agreements[-1] else 1]
            why = ((said.word("board.because"), state.why_agreed),) if state.why_agreed else ()
            found.append(Facts(((said.word("board.critic"), answer), *why)))
        return found

    def counted(self, match: Match) -> Sequence[Step]:
        """Every third legal step is a guess that counts."""
        return super().counted(match)[2::3]

    def scores(self, match: Match) -> Scores:
        """The measures of the other games, and what became of the critic's opinions."""
        scores, state = super().scores(match), match.state
        assert isinstance(state, CriticState)
        rounds = list(zip(state.proposals, state.agreements, state.guesses, strict=False))
        return Scores(scores.main, scores.turns, {**scores.metrics, **scoring.opinions(rounds)})

    def rules(self, language: str) -> str:
        """The rules for people."""
        head, _, score = super().rules(language).rpartition("\n\n")
        return f"{head}\n\n{prompts(PACKAGE, language).fill('people.rules_critic')}\n\n{score}"
