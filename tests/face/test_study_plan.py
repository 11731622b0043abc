"""The design of a study: cells filled evenly, nobody the same content twice."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playpen_tui.study_plan import Cell, Design, Material, TooLittle


def design(games=2, roles=2, partners=2, pool=12, episodes=4, seed=1, family=1):
    cells = [
        Cell(f"g{game}", f"r{role}", f"p{partner}")
        for game in range(games)
        for role in range(roles)
        for partner in range(partners)
    ]
    pools = {f"g{game}": [Material(f"i{n}", f"k{n // family}") for n in range(pool)] for game in range(games)}
    return Design(cells, pools, episodes, seed)


shapes = st.builds(
    design, st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.integers(8, 14), st.integers(1, 8),
    st.integers(0, 2**31),
)  # fmt: skip


@given(shapes, st.integers(1, 25))
@settings(max_examples=60)
def test_cells_are_filled_evenly_at_every_moment(found, places):
    filled = Counter(dict.fromkeys(found.cells, 0))
    for plan in found.plans(places):
        for trial in plan:
            filled[trial.cell] += 1
        assert max(filled.values()) - min(filled.values()) <= 1


@given(shapes, st.integers(1, 25))
@settings(max_examples=60)
def test_nobody_meets_a_content_twice_and_a_cell_only_where_it_has_to_be(found, places):
    keys = {(game, one.name): one.key for game, pool in found.pools.items() for one in pool}
    for plan in found.plans(places):
        met = [keys[trial.cell.game, trial.instance] for trial in plan]
        assert len(met) == len(set(met)) == found.episodes
        most = -(-found.episodes // len(found.cells))
        assert max(Counter(trial.cell for trial in plan).values()) <= most


@given(shapes)
@settings(max_examples=40)
def test_a_plan_depends_on_seed_and_place_alone(found):
    plans = found.plans(6)
    assert found.plans(6) == plans and found.plan(3) == plans[3] and found.plans(4) == plans[:4]
    assert all(0 <= trial.seed < 2**31 for plan in plans for trial in plan)


def test_instances_of_a_cell_are_used_evenly():
    used = Counter((trial.cell, trial.instance) for plan in design(pool=6, episodes=4).plans(24) for trial in plan)
    assert len(used) == 8 * 6 and max(used.values()) - min(used.values()) <= 2


def test_another_seed_is_another_order():
    assert design(seed=1).plans(8) != design(seed=2).plans(8)


def test_too_few_contents_are_said():
    with pytest.raises(TooLittle, match="g0 has too few instances of different content"):
        design(games=1, pool=8, episodes=5, family=2).plans(1)
    assert len(design(games=1, pool=8, episodes=4, family=2).plans(3)) == 3
