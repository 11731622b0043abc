"""A tokenizer of characters, and a sampler that says what a bot says: rollouts without a model."""

from __future__ import annotations

from games.engine import luck
from players.base import Identity, Reply
from training.decisions import Decision
from training.recipe import Rollouts
from training.rollouts import Playing
from training.tokens import Template

END = 0xE001


class Letters:
    """Every character is a token; a private one ends a turn."""

    eos_token_id = END

    def __init__(self, broken=""):
        self.broken = broken

    def apply_chat_template(self, messages, *, add_generation_prompt, tokenize, return_dict):
        end = "." if self.broken == "endless" else chr(END)
        shown = [f"<{m['role'][0]} {m['content']}{end}\n" for m in messages]
        if self.broken == "forgets":
            last = max((at for at, m in enumerate(messages) if m["role"] == "user"), default=0)
            shown = [one.replace("two", "") if at < last - 2 else one for at, one in enumerate(shown)]
        return [ord(one) for one in "".join(shown) + ("<a " if add_generation_prompt else "")]


class BotSampler:
    """Says what a bot of the game says; every reply is cut before its end where `cut` says so."""

    def __init__(self, name="competent", cut=False):
        self.name, self.cut, self.asked = name, cut, []

    def sample(self, wave, prompts, seed, *, frozen):
        self.asked.append((frozen, [tuple(one) for one in prompts]))
        made = []
        for at, one in enumerate(wave):
            said = one.match.game.bots()[self.name](one.match.view(one.role), luck(seed + at, one.match.ply))
            made.append([*map(ord, said), *([] if self.cut else [END])])
        return made, None

    def text(self, ids):
        return "".join(chr(one) for one in ids if one != END)


class Bots:
    """Bots in the other seats."""

    def __init__(self, name="competent"):
        self.name, self.seeds = name, []

    def identity(self, at):
        return Identity("bot", f"bot:{self.name}")

    def answer(self, wave, seeds, seed):
        self.seeds += seeds
        return [
            (Reply(one.match.game.bots()[self.name](one.match.view(one.role), luck(its, one.match.ply))), [])
            for one, its in zip(wave, seeds, strict=True)
        ]


ME = Identity("model", "learner", "step 0")


def playing(sampler=None, seats=None, limit=100_000, seed=3, tokenizer=None, **wish):
    """Rollouts in groups of two with a bot's sampler, and bots as partners."""
    told = Rollouts(**{"group": 2, "partner": "bot:competent", "tokens": 400, **wish})
    return Playing(sampler or BotSampler(), Template(tokenizer or Letters()), seats or Bots(), told, limit, seed)


def points(game, role, instances):
    """Decision points of instances that nobody has played."""
    return [Decision(number, game, instance, role, 100 + number) for number, instance in enumerate(instances)]
