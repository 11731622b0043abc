"""Taboo for clemcore: three rounds of clue and guess, clues checked by stems, events logged as clembench logs them."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator
from typing import Any

from clemcore.backends import Model
from clemcore.clemgame import (
    DialogueGameMaster,
    GameBenchmark,
    GameError,
    GameMaster,
    ParseError,
    Player,
    RuleViolationError,
)
from nltk.stem.snowball import SnowballStemmer

STEM = SnowballStemmer("english").stem
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Scripted(Player):
    """Says the next text of the episode's script."""

    def __init__(self, model: Model, script: Iterator[str]) -> None:
        super().__init__(model)
        self.script = script

    def _custom_response(self, context: dict[str, Any]) -> str:
        return next(self.script)

    def __deepcopy__(self, memo: dict[int, Any]) -> Scripted:
        raise TypeError("a scripted player cannot be branched")


class Describer(Scripted):
    """Player 1."""


class Guesser(Scripted):
    """Player 2."""


def bare(text: str, tag: str) -> str:
    """A reply as it is compared: without tag, case and punctuation."""
    return text.replace(tag, "").strip().lower().translate(NO_PUNCTUATION)


class Master(DialogueGameMaster):
    """One episode. A wrong tag aborts, a forbidden stem loses."""

    def __init__(self, benchmark: TabooBenchmark, experiment: dict[str, Any], models: list[Model]) -> None:
        super().__init__(benchmark.game_spec, experiment, models)
        self.benchmark = benchmark
        self.rounds: int = experiment["max_turns"]

    def _on_setup(self, *, game_id: int, target_word: str, related_word: list[str]) -> None:
        self.target, self.related = target_word, related_word
        self.stems = self._stems()
        script = iter(self.benchmark.scripts[game_id])
        self.describer = Describer(self.player_models[0], script)
        self.guesser = Guesser(self.player_models[1], script)
        listed = "\n".join(f"- {word}" for word in related_word)
        brief: str = self.experiment["describer_initial_prompt"]
        brief = brief.replace("$target", target_word).replace("$related", listed).replace("$rounds", str(self.rounds))
        self.add_player(self.describer, initial_context=brief)
        told: str = self.experiment["guesser_initial_prompt"]
        self.add_player(self.guesser, initial_prompt=told.replace("$rounds", str(self.rounds)))

    def _parse_response(self, player: Player, response: str) -> str:
        tag = "CLUE:" if player is self.describer else "GUESS:"
        if not response.startswith(tag):
            raise ParseError(f"the reply does not start with {tag}", response)
        self.log_to_self("valid response", "continue")
        return response

    def _advance_game(self, player: Player, parsed_response: str) -> None:
        if player is self.describer:
            clue = bare(parsed_response, "CLUE:")
            self._check(clue)
            self.log_to_self("valid clue", clue)
            self.set_context_for(self.guesser, parsed_response)
            return
        guess = bare(parsed_response, "GUESS:")
        self.log_to_self("valid guess", guess)
        if guess == self.target:
            self.log_to_self("correct guess", "end game")
            self.state.succeed()
        else:
            self.set_context_for(self.describer, parsed_response)

    def _check(self, clue: str) -> None:
        """Compare the stems of all content words with those of the forbidden words."""
        if self.benchmark.faithful:
            self.stems = self._stems()
        words = [word for word in clue.split(" ") if word not in self.benchmark.words]
        for word, stem in zip(words, [STEM(word) for word in words], strict=True):
            if stem == self.stems[0]:
                raise RuleViolationError(f"the clue word {word} is the target", clue, "0")
            if stem in self.stems:
                raise RuleViolationError(f"the clue word {word} is a related word", clue, "1")

    def _stems(self) -> list[str]:
        return [STEM(word) for word in (self.target, *self.related)]

    def _on_parse_error(self, error: ParseError) -> None:
        self.state.abort()
        self.log_to_self("invalid format", "abort game")

    def _on_game_error(self, error: GameError) -> None:
        self.state.failed()
        self.log_to_self("invalid clue", error.reason)

    def _on_after_round(self) -> None:
        if self._does_game_proceed() and self.current_round + 1 >= self.rounds:
            self.state.failed()
            self.log_to_self("max rounds reached", str(self.rounds))

    def _on_after_game(self) -> None:
        for key, outcome in (("Aborted", "aborted"), ("Lose", "failure"), ("Success", "success")):
            self.log_key(key, int(self.state.outcome == outcome))


class TabooBenchmark(GameBenchmark):
    """The factory. `scripts` by game id, `words` (stop words) and `faithful` are set by the peer before play."""

    scripts: dict[int, list[str]]
    words: Collection[str]
    faithful: bool

    def create_game_master(self, experiment: dict[str, Any], player_models: list[Model]) -> GameMaster:
        return Master(self, experiment, player_models)

    @staticmethod
    def experiment(prompts: dict[str, str]) -> dict[str, Any]:
        """What all instances share."""
        return {
            "name": "bench",
            "max_turns": 3,
            "describer_initial_prompt": prompts["describer"],
            "guesser_initial_prompt": prompts["guesser"],
        }

    @staticmethod
    def instance(game_id: int, episode: dict[str, Any]) -> dict[str, Any]:
        """One instance."""
        return {"game_id": game_id, "target_word": episode["target"], "related_word": episode["related"]}
