"""How images are divided, and what ultralytics is given. Tables over values."""

from __future__ import annotations

import pytest

from review.training.folder import share


def images(*groups):
    return [(f"{n}.jpg", group, f"hash{n}") for n, group in enumerate(groups)]


@pytest.mark.parametrize(
    ("groups", "number", "by"),
    [
        ([""] * 2, 1, "image"),
        ([""] * 40, 4, "image"),
        (["a"] * 10 + ["b"] * 10 + ["c"] * 80, 10, "group"),
        # One camera alone: whole groups cannot be spared.
        (["a"] * 30, 3, "image"),
        ([f"g{n}" for n in range(100)], 10, "group"),
    ],
)
def test_a_tenth_validates_in_whole_groups_where_there_are_some(groups, number, by):
    rows = images(*groups)
    taken, how = share(rows, 0)
    assert (len(taken), how) == (number, by)
    assert taken == share(rows, 0)[0]
    if by == "group":
        mine = {group for name, group, _ in rows if name in taken}
        assert not mine & {group for name, group, _ in rows if name not in taken}


def test_at_most_a_quarter_is_taken_off_and_the_seed_decides_which():
    rows = images(*[f"g{n // 3}" for n in range(60)])
    found = {frozenset(share(rows, seed)[0]) for seed in range(20)}
    assert len(found) > 5
    assert all(6 <= len(one) <= 15 for one in found)
