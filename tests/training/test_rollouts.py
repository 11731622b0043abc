"""Rollouts: token-exact masks in every game, groups, faults of partners, limits, and how they stand in the log."""

from __future__ import annotations

import itertools

import pytest
from letters import END, ME, Bots, BotSampler, Letters, playing, points

from games import catalog
from players.base import Call, Identity, PlayerError, Reply
from players.ports import Place
from store.filters import Filters
from store.history import replay
from store.log import Log
from store.perspectives import perspectives
from training.buffers import Buffer, Suffix
from training.decisions import Decision
from training.rollouts import counted, flat, record
from training.tokens import Template, TemplateMismatch

GAMES = ["taboo", "wordle", "wordle_withclue", "wordle_withcritic", "referencegame"]
SEATS = [(name, role) for name in GAMES for role in catalog.get(name).roles]


def play(made, game, role, many=2, step=0):
    instances = catalog.instances(game, split="train")[:many]
    rollouts = made.begin([one for one in points(game, role, instances) for _ in range(2)], step)
    made.play(rollouts, ME, step)
    return rollouts


def runs(buffer):
    """What carries loss, piece by piece."""
    together = itertools.groupby(zip(buffer.completion, buffer.mask, strict=True), key=lambda one: one[1])
    return [[token for token, _ in some] for mask, some in together if mask]


@pytest.mark.parametrize("bot", ["competent", "random"])
@pytest.mark.parametrize(("name", "role"), SEATS)
def test_the_learners_tokens_carry_loss_and_nobody_elses(name, role, bot):
    made = playing(BotSampler(bot))
    several = 0
    for one in play(made, catalog.get(name), role):
        assert one.match.over and one.buffer.mask[-1] == 1
        said = [step.text for step in one.match.steps if step.role == role]
        assert runs(one.buffer) == [[*map(ord, text), END] for text in said]
        heard = [{"role": m.role, "content": m.content} for m in one.match.heard[role]]
        last = max(at for at, message in enumerate(heard) if message["role"] == "assistant")
        rendered = Template(Letters()).ids(heard[: last + 1])
        assert (*one.buffer.prompt, *one.buffer.completion, ord("\n")) == rendered
        assert one.buffer.prompt[-3:] == [ord(letter) for letter in "<a "]
        assert len(one.buffer.completion) == len(one.buffer.mask) == len(one.buffer.logprobs)
        several += len(said) > 1
        assert one.turns == len(said) and one.tokens == sum(map(len, runs(one.buffer)))
    assert several or name == "referencegame" or (bot, name) == ("competent", "taboo")


def test_a_turn_that_was_cut_is_closed_without_loss():
    game = catalog.get("wordle")
    for one in play(playing(BotSampler(cut=True)), game, "guesser"):
        said = [step.text for step in one.match.steps]
        assert len(said) > 1 and runs(one.buffer) == [[*map(ord, text)] for text in said]
        closing = [mask for token, mask in zip(one.buffer.completion, one.buffer.mask, strict=True) if token == END]
        assert closing and not any(closing)
        heard = [{"role": m.role, "content": m.content} for m in one.match.heard["guesser"]]
        last = max(at for at, message in enumerate(heard) if message["role"] == "assistant")
        whole = [*one.buffer.prompt, *one.buffer.completion, END, ord("\n")]
        assert tuple(whole) == Template(Letters()).ids(heard[: last + 1])


@pytest.mark.parametrize(("broken", "told"), [("endless", "does not end a reply"), ("forgets", "earlier turns differ")])
def test_a_template_that_does_not_append_is_refused(broken, told):
    with pytest.raises(TemplateMismatch, match=told):
        Suffix(Template(Letters(broken)))


def test_siblings_share_the_deal_and_the_bots_luck_and_sample_differently():
    game, partner = catalog.get("taboo"), Bots()
    made = playing(BotSampler("random"), partner)
    one, two, other, _ = play(made, game, "guesser")
    assert one.start.seed == two.start.seed != other.start.seed
    assert one.luck == two.luck != other.luck and len(set(partner.seeds[:2])) == 1
    assert one.match.texts[1] != two.match.texts[1]
    frozen = playing(partner="smollm2")
    first, second = frozen.begin([one.decision] * 2, 0)
    assert first.luck != second.luck, "a partner that samples meets each sibling anew"


def test_everything_comes_from_seed_step_point_and_rollout():
    game = catalog.get("taboo")

    def texts(seed, step):
        return [one.match.texts for one in play(playing(BotSampler("random"), seed=seed), game, "guesser", step=step)]

    assert texts(3, 0) == texts(3, 0) != texts(3, 1) != texts(4, 1)


def test_a_rollout_ends_on_the_learners_token_where_no_turn_fits_any_more():
    game = catalog.get("wordle")
    whole = play(playing(), game, "guesser", many=1)[0].buffer
    length = len(whole.prompt) + len(whole.completion)
    made = playing(limit=length - 1, tokens=60)
    one = play(made, game, "guesser", many=1)[0]
    assert "would not fit" in one.cut and one.buffer.mask[-1] == 1 and not one.match.over
    assert made.reward(one) == 0.0
    made = playing(turns=1)
    one, _ = play(made, game, "guesser", many=1)
    assert one.cut == "after 1 turns" and one.turns == 1 and made.reward(one) == 0.0
    assert counted([one], [0.0])["rollouts/cut"] == 1.0
    made = playing(limit=60)
    one, two = play(made, game, "guesser", many=1)
    columns = made.columns([one, two])
    assert columns["completion_ids"] == [[END]] * 2 and columns["env_mask"] == [[0]] * 2
    assert columns["worth"] == [None, None]


class Clumsy(Bots):
    """Fails so many times at its first turn: by an error, or by breaking the form."""

    def __init__(self, times, text=None):
        super().__init__()
        self.times, self.text = times, text

    def answer(self, wave, seeds, seed):
        self.times -= 1
        if self.times < 0:
            return super().answer(wave, seeds, seed)
        wrong = PlayerError("server", "the server said 500; try again") if self.text is None else Reply(self.text)
        return [(wrong, [Call((), error="500")]) for _ in wave]


@pytest.mark.parametrize("text", [None, "this has no form"])
def test_a_partners_fault_is_retried_and_then_left_out(text):
    game = catalog.get("taboo")
    made = playing(seats=Clumsy(1, text))
    assert all(made.reward(one) is not None and not one.fault for one in play(made, game, "guesser"))
    made = playing(seats=Clumsy(2, text))
    rollouts = play(made, game, "guesser")
    assert [made.reward(one) for one in rollouts] == [None] * 4 and all(one.fault for one in rollouts)
    assert counted(rollouts, [None] * 4)["rollouts/left_out"] == 4
    assert all(one.turns == 0 and len(one.wasted) == 2 for one in rollouts)


def test_what_the_learner_breaks_is_worth_nothing():
    class Mumbler(BotSampler):
        def sample(self, wave, prompts, seed, *, frozen):
            return [[ord("?"), END] for _ in wave], None

    made = playing(Mumbler())
    rollouts = play(made, catalog.get("taboo"), "guesser")
    assert [made.reward(one) for one in rollouts] == [0.0] * 4
    assert counted(rollouts, [0.0] * 4)["rollouts/played"] == 0


async def test_rollouts_are_episodes_of_the_run(tmp_path):
    game = catalog.get("taboo")
    bot = Identity("bot", "bot:competent")
    with Log.open(tmp_path / "e.sqlite") as log:
        run = log.new_run("train", {})
        rollouts = play(playing(), game, "guesser")
        spoiled = play(playing(seats=Clumsy(2)), game, "guesser", many=1)[:1]
        for slot, one in enumerate([*rollouts, *spoiled]):
            await record(log.recorder, one, ME, lambda role: bot, Place(run, slot, "g"))
        sql = "SELECT e.id, e.slot, r.outcome FROM episodes e LEFT JOIN results r ON r.episode_id = e.id ORDER BY slot"
        rows = log.reader().execute(sql).fetchall()
        assert [outcome for _, _, outcome in rows] == [*(one.match.state.outcome for one in rollouts), None]
        for (id, _, _), one in zip(rows, rollouts, strict=False):
            logged = log.history.episode(id)
            assert list(logged.texts) == one.match.texts and logged.seats == {"guesser": ME, "describer": bot}
            assert replay(logged, game).state == one.match.state
        calls = log.reader().execute("SELECT token_ids IS NOT NULL, tokens_out FROM calls WHERE error = ''").fetchall()
        assert [given for given, _ in calls] == [1] * sum(one.turns for one in rollouts)
        assert sum(out for _, out in calls) == sum(one.tokens for one in rollouts)
        assert log.reader().execute("SELECT count(*) FROM failures").fetchone() == (1,)
        assert log.reader().execute("SELECT count(*) FROM calls WHERE error = '500'").fetchone() == (2,)
        logged = next(one for one in perspectives(log.reader(), Filters(), roles=["guesser"]) if one.places)
        clue = log.history.episode(logged.episode).texts[:1]
        instance = next(i for i in catalog.instances(game, split="train") if i.name == logged.instance)
        point = Decision(0, game, instance, "guesser", logged.seed, tuple(clue), logged.episode)
        made = playing()
        branch = made.begin([point], 0)
        made.play(branch, ME, 0)
        assert branch[0].start.ply == 1 and branch[0].match.texts[0] == clue[0]
        id = await record(log.recorder, branch[0], ME, lambda role: bot, Place(run, 9, "h"))
        row = log.reader().execute("SELECT parent_id, fork_ply FROM episodes WHERE id = ?", (id,)).fetchone()
        assert row == (logged.episode, 1) and list(log.history.episode(id).texts) == branch[0].match.texts


def test_a_reply_is_appended_as_it_was_sampled():
    suffix = Suffix(Template(Letters()))
    buffer = Buffer(suffix, 1000)
    game = catalog.get("wordle")
    match = points(game, "guesser", catalog.instances(game, split="train")[:1])[0].match()
    assert buffer.ask(match.heard["guesser"], 10) == list(
        suffix.template.ids([m._asdict() for m in match.heard["guesser"]], ask=True)
    )
    buffer.wrote([1, 2, 3], [-0.5, -0.25, -1.0])
    after = match.play("anything")
    if after.turn is not None:
        asked = buffer.ask(after.heard["guesser"], 10)
        assert asked is not None and asked[len(buffer.prompt) :][:4] == [1, 2, 3, END]
    assert buffer.mask[:3] == [1, 1, 1] and not any(buffer.mask[3:]) and buffer.logprobs[:3] == [-0.5, -0.25, -1.0]


@pytest.mark.parametrize(
    ("rewards", "share"),
    [([0.0, 1.0, 0.5, 0.5], 0.5), ([None, None, 1.0, None], 1.0), ([None, 1.0, 0.0, None], 1.0), ([0.0, 1.0], 0.0)],
)
def test_groups_that_teach_nothing(rewards, share):
    assert flat(rewards, 2) == share
