"""The table, the picture and the last line."""

from __future__ import annotations

import json

import pytest

from benchmarks.flywheel.arm import ALL, OURS, RANDOM, Measured
from benchmarks.flywheel.report import Results, keep, kept, last_line, plot, progress, table


def measured(decisions, figure, **more):
    values = {
        "version": "2.0.0",
        "seconds": decisions * 3.0,
        "images": decisions // 10,
        "first_map50_95": 0.2,
        "gain": (figure - 0.2, figure - 0.25, figure - 0.15),
        "validation": 0.4,
        "took": {"train": 12.0},
    }
    return Measured(decisions=decisions, map50_95=figure, **(values | more))


@pytest.fixture
def results():
    found = Results("cells")
    for seed, less in ((1, 0.0), (2, 0.1)):
        for number in (1, 2):
            found.add(OURS, seed, measured(100 * number + seed, 0.2 + 0.2 * number - less))
            found.add(RANDOM, seed, measured(100 * number, 0.1 + 0.2 * number - less))
        found.add(ALL, seed, measured(900, 0.8 - less))
    return found


def test_the_last_line_has_means_over_the_seeds(results):
    assert json.loads(last_line(results)) == {
        "dataset": "cells",
        "rounds": [
            {"decisions": 102, "seconds": 304, "map50_95": 0.35, "random_map50_95": 0.25},
            {"decisions": 202, "seconds": 604, "map50_95": 0.55, "random_map50_95": 0.45},
        ],
        "all_data_map50_95": 0.75,
    }


def test_the_table_shows_every_seed(results):
    rows = table(results).splitlines()
    assert len(rows) == 2 + 1 + 2 * 2 + 1
    assert "0.400, 0.300" in rows[3]
    assert rows[-1].startswith("| all | all | 900 | 45 min | 90 | 0.750 (0.800, 0.700) |")


def test_the_picture_is_the_same_bytes_again_and_has_no_background(results, tmp_path):
    for name in ("a.svg", "b.svg"):
        plot(results, tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "fill: #ffffff" not in text
    assert "#4c8dd6" in text


def test_a_round_is_one_line():
    line = progress(OURS, 1, 2, measured(200, 0.5))
    assert "\n" not in line
    assert "+0.300 (+0.250 to +0.350) over version 1" in line


def test_what_is_kept_comes_back(results, tmp_path):
    keep(results, tmp_path / "out")
    assert kept(tmp_path / "out" / "cells.json") == results
