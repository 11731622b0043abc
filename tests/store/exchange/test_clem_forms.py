"""Forms that published trees of clembench have and its newest games do not: old seats, TextArena, local models."""

from __future__ import annotations

from clem_trees import ABORTED, call, episode, interactions, put, scores

from games.engine import Message
from store.exchange.clembench import import_clembench
from store.exchange.clembench_out import export_clembench
from store.filters import Filters
from store.keep import check


def only(log):
    (row,) = log.queries.recent(2)
    return log.queries.detail(row.id)


def files(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_oldest_logs_list_seats_otherwise_than_they_speak(log, tmp_path):
    """`Player_1` in the list and `Player 1` in the events, told by their model alone; a file per experiment."""
    log_ = interactions([[">1 draw", "<1 Instruction: DONE", "!parse: DONE", ">2 DONE", "<2 a grid"]])
    log_ = {"players": {"GM": "Game master for x", "Player_1": "gpt-9", "Player_2": "gpt-9"}, "turns": log_["turns"]}
    root = tmp_path / "gpt-9-t0.0--gpt-9-t0.0"
    experiment = root / "imagegame" / "0_small_grids"
    put(experiment / "experiment_small_grids.json", {"name": "small_grids", "timestamp": "2023-11-22T01:16:15.882793"})
    scored = {"turn scores": {"0": {"F1": 20.0}}, "episode scores": {"Success": 0, "Lose": 1, "Main Score": 80.0}}
    episode(experiment / "episode_0", log_, {"game_id": 0}, scored, above=False)
    done = import_clembench(log, tmp_path)
    found = only(log)
    assert (done.episodes, done.refused) == (1, [])
    assert found.row.seats == {"Player 1": "gpt-9", "Player 2": "gpt-9"}
    assert [(turn.role, turn.text) for turn in found.turns] == [
        ("Player 1", "Instruction: DONE"),
        ("Player 2", "a grid"),
    ]
    assert (found.row.outcome, found.row.main) == ("failure", 80.0)
    assert log.reader().execute("SELECT experiment FROM instances").fetchall() == [("small_grids",)]
    assert log.reader().execute("SELECT created_at FROM runs").fetchall() == [("2023-11-22T01:16:15.882Z",)]
    export_clembench(log, Filters(), tmp_path / "out")
    assert files(tmp_path / "out" / root.name) == files(root)
    assert check(log).ok


def test_a_role_with_its_model_after_a_comma(log, tmp_path):
    players = {"GM": "Game master for taboo", "Player 1": "WordDescriber, gpt-9", "Player 2": "WordGuesser, gpt-9"}
    episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000", interactions(players=players))
    import_clembench(log, tmp_path)
    assert set(only(log).row.seats) == {"WordDescriber", "WordGuesser"}


def test_moves_that_textarena_sends_back_are_violations(log, tmp_path):
    """As many as clembench counts: it notes nothing but the end, whose `rewards` tell of the last move."""
    players = {"GM": {}, "Player 0": {"game_role": "Player 0", "model_name": "m"}}
    again = "[GAME] You attempted an invalid move. Reason: a wall! Please resubmit a valid move and remember the rules."
    rewards = "role: Player 0\ninvalid_move: {}\nturn_count: 2\nreason: {}\nreward: 0.5"
    lost = [[">0 [GAME] a lake", "<0 [down]", f">0 {again}", "<0 [up]"]]
    lost += [[">0 [GAME] You moved up.", "<0 [left]", f">0 {again}", "<0 [left]"]]
    lost[-1].append("!rewards: " + rewards.format(True, "Invalid Move: a wall!"))
    fell = [[">0 [GAME] a lake", "<0 [down]", "!rewards: " + rewards.format(False, "You fell into a hole!")]]
    lake = tmp_path / "m" / "ta_lake" / "Lake-v0"
    episode(lake / "instance_00000", interactions(lost, players, "ta_lake"), scored=scores(ABORTED))
    fallen = {"Aborted": 0, "Lose": 0, "Success": 0, "Main Score": 12.5}
    episode(lake / "instance_00001", interactions(fell, players, "ta_lake", number=1), scored=scores(fallen))
    import_clembench(log, tmp_path)
    found = {row.outcome: log.queries.detail(row.id) for row in log.queries.recent(5)}
    assert [turn.verdict for turn in found["aborted"].turns] == ["illegal", "ok", "illegal", "illegal"]
    assert found["aborted"].turns[3].note == "invalid move: a wall!"
    assert (found["aborted"].row.reason, found["failure"].row.reason) == ("invalid move", "You fell into a hole!")
    assert [turn.verdict for turn in found["failure"].turns] == ["ok"]
    assert found["failure"].row.main == 12.5


def test_what_a_local_model_said_is_told_apart_from_its_prompt(log, tmp_path):
    """Its whole response begins with the prompt, in the marks of its chat template; `clem_player` has the answer."""
    prompt = "<|im_start|>user\ndescribe APPLE<|im_end|>\n<|im_start|>assistant\n"
    raw = {"response": f"{prompt}CLUE: a fruit<|im_end|>", "clem_player": {"response": "CLUE: a fruit"}}
    asked = {"meta": {"player_name": "Player 1"}, "calls": [call({"inputs": prompt, "temperature": 0.0}, raw)]}
    folder = tmp_path / "m" / "taboo" / "high_en" / "instance_00000"
    episode(folder, requests={"player_1.requests.json": asked})
    assert import_clembench(log, tmp_path).refused == []
    (made,) = only(log).calls
    assert (made.text, made.turn) == ("CLUE: a fruit", only(log).turns[0].id)
    assert log.queries.conversation(made.prompt_hash) == [Message("user", prompt)]
