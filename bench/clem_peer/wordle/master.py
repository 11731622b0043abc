"""Wordle for clemcore: six guesses of two tagged lines, colours after each, events logged as clembench logs them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from clemcore.backends import Model
from clemcore.clemgame import DialogueGameMaster, GameBenchmark, GameError, GameMaster, ParseError, Player

EXPLANATION = re.compile(r"explanation:\s*([^\n]*)", re.IGNORECASE)
GUESS = re.compile(r"guess:\s*([^\n]*)", re.IGNORECASE)
LENGTH = 5


class Guesser(Player):
    """Says the next text of the episode's script."""

    def __init__(self, model: Model, script: Iterator[str]) -> None:
        super().__init__(model)
        self.script = script

    def _custom_response(self, context: dict[str, Any]) -> str:
        return next(self.script)

    def __deepcopy__(self, memo: dict[int, Any]) -> Guesser:
        raise TypeError("a scripted player cannot be branched")


def coloured(guess: str, target: str) -> str:
    """`c<red> r<green> …`: greens first, then yellows use up what letters are left."""
    colours = ["red"] * LENGTH
    left = list(target)
    for place, letter in enumerate(guess):
        if letter == target[place]:
            colours[place] = "green"
            left.remove(letter)
    for place, letter in enumerate(guess):
        if colours[place] != "green" and letter in left:
            colours[place] = "yellow"
            left.remove(letter)
    return " ".join(f"{letter}<{colour}>" for letter, colour in zip(guess, colours, strict=True))


class Master(DialogueGameMaster):
    """One episode. A broken form, a wrong length and, here, an unknown word abort."""

    def __init__(self, benchmark: WordleBenchmark, experiment: dict[str, Any], models: list[Model]) -> None:
        super().__init__(benchmark.game_spec, experiment, models)
        self.benchmark = benchmark
        self.rounds: int = experiment["common_config"]["n_turns"]

    def _on_setup(self, *, game_id: int, target_word: str, target_word_difficulty: str) -> None:
        self.target, self.difficulty = target_word, target_word_difficulty
        self.guesses: list[str] = []
        self.guesser = Guesser(self.player_models[0], iter(self.benchmark.scripts[game_id]))
        self.add_player(self.guesser, initial_context=self.experiment["guesser_prompt"])

    def _parse_response(self, player: Player, response: str) -> str:
        head = EXPLANATION.match(response)
        if head is None:
            raise ParseError("the reply does not start with explanation:", response, "INVALID_START_WORD")
        found = GUESS.findall(response, head.end())
        if len(found) != 1:
            raise ParseError("there is not exactly one guess", response, "INVALID_FORMAT")
        guess = found[0].strip().lower()
        if not guess.isalpha():
            raise ParseError("the guess is not one word of letters", response, "NOT_LETTERS")
        if len(guess) != LENGTH:
            raise ParseError("the guess has not five letters", response, "INVALID_WORD_LENGTH")
        self.log_to_self("parse", {"explanation": head[1].strip(), "guess": guess})
        return guess

    def _advance_game(self, player: Player, parsed_response: str) -> None:
        guess = parsed_response
        if guess not in self.benchmark.words:
            raise GameError("the guess is no known word", guess, "NOT_VALID_WORD_FOR_GAME")
        self.guesses.append(guess)
        feedback = coloured(guess, self.target)
        attempt = len(self.guesses)
        content = f"attempts: {attempt}\ntarget_word = {self.target}\nguess: {guess}\nguess_feedback: {feedback}"
        self.log_to_self("metadata", content)
        if guess == self.target:
            self.log_to_self("correct guess", "end game")
            self.state.succeed()
        elif attempt >= self.rounds:
            self.log_to_self("max rounds reached", str(self.rounds))
            self.state.failed()
        else:
            self.set_context_for(player, f"guess_feedback: {feedback}\n\n{self.experiment['again_prompt']}")

    def _on_parse_error(self, error: ParseError) -> None:
        self.state.abort()
        self.log_to_self("invalid format", error.reason)

    def _on_game_error(self, error: GameError) -> None:
        self.state.abort()
        self.log_to_self("invalid word", error.reason)

    def _on_after_game(self) -> None:
        for key, outcome in (("Aborted", "aborted"), ("Lose", "failure"), ("Success", "success")):
            self.log_key(key, int(self.state.outcome == outcome))
        self.log_key("Guesser Guesses", self.guesses)


class WordleBenchmark(GameBenchmark):
    """The factory. `scripts` by game id, `words` (allowed guesses) and `faithful` are set by the peer before play."""

    scripts: dict[int, list[str]]
    words: Collection[str]
    faithful: bool

    def create_game_master(self, experiment: dict[str, Any], player_models: list[Model]) -> GameMaster:
        return Master(self, experiment, player_models)

    @staticmethod
    def experiment(prompts: dict[str, str]) -> dict[str, Any]:
        """What all instances share; clembench keeps its word list here as well."""
        return {
            "name": "bench",
            "common_config": {"n_turns": 6, "max_word_length": LENGTH},
            "use_clue": False,
            "use_critic": False,
            "guesser_prompt": prompts["guesser"],
            "again_prompt": prompts["again"],
        }

    @staticmethod
    def instance(game_id: int, episode: dict[str, Any]) -> dict[str, Any]:
        """One instance."""
        return {"game_id": game_id, "target_word": episode["target"], "target_word_difficulty": "high"}
