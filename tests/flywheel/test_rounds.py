"""The flywheel as a person starts it: a real installation, real trainings, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.flywheel.truths import digits, pack
from tests.processes import PROJECT, kill_all, processes_of, wait_until

pytestmark = pytest.mark.slow
SECONDS = 600
ONE = ("--rounds", "1", "--seeds", "1")


class Flywheel:
    """`python -m benchmarks.flywheel`, with its data and what it writes in a folder of the test's own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.log = folder / "flywheel.log"
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.flywheel", "--out", str(folder / "out"), *arguments],
                cwd=PROJECT,
                env={**os.environ, "TMPDIR": str(folder)},
                stdout=output,
                stderr=output,
            )

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def results(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The last line, and all that was measured."""
        assert self.popen.wait(SECONDS) == 0, self.text()
        (kept,) = (self.folder / "out").glob("*.json")
        return json.loads(self.text().splitlines()[-1]), json.loads(kept.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    # Sockets stand in it, whose paths may be 107 characters long.
    yield tmp_path
    kill_all(processes_of(tmp_path))


def test_one_round_on_the_demo_makes_a_better_version_in_five_minutes(folder: Path) -> None:
    """As many scenes as the demo has to train on, all reviewed; freeze, train, deploy, measure. Version 1 knows seven
    of the ten digits."""
    flywheel = Flywheel(folder, *ONE, "--orders", "all", "--pool", "90", "--holdout", "30", "--epochs", "30")
    last, kept = flywheel.results()
    (measured,) = kept["arms"]["all 1"]
    print(f"\n{flywheel.text()}")
    difference, low, high = measured["gain"]
    assert low > 0
    assert low <= difference <= high
    assert measured["map50_95"] > measured["first_map50_95"]
    assert measured["took"]["train"] + measured["took"]["measure"] <= 300
    assert last["rounds"] == []  # no order was asked for
    assert processes_of(folder) == []


def test_all_orders_on_a_folder_of_truth_end_with_one_line_of_json(folder: Path) -> None:
    """Small and hardly trained: what it gives is of no interest, that it goes through is."""
    source = folder / "desk"
    scenes = digits(folder / "scenes", pool=8, holdout=3)
    for part, pictures in (("train", scenes.pool), ("test", scenes.holdout)):
        archive = pack(folder / f"{part}.zip", pictures, scenes.classes, part=part, truth=True)
        subprocess.run([sys.executable, "-m", "zipfile", "-e", str(archive), str(source)], check=True)
    parts = {"train": "images/train", "test": "images/test", "names": dict(enumerate(scenes.classes))}
    (source / "data.yaml").write_text(yaml.safe_dump(parts))
    arguments = ["--rounds", "1", "--seeds", "1", "--decisions", "30", "--epochs", "1", "--imgsz", "256"]
    flywheel = Flywheel(folder, "--dataset", str(source), *arguments)
    last, kept = flywheel.results()
    assert set(last) == {"dataset", "rounds", "all_data_map50_95"}
    assert last["dataset"] == "desk"
    (only,) = last["rounds"]
    assert set(only) == {"decisions", "seconds", "map50_95", "random_map50_95"}
    assert only["decisions"] >= 30
    assert only["seconds"] > 0
    for figure in (only["map50_95"], only["random_map50_95"], last["all_data_map50_95"]):
        assert 0 <= figure <= 1
    assert set(kept["arms"]) == {"ours 1", "random 1", "all 1"}
    assert kept["arms"]["all 1"][0]["images"] == 8
    assert (folder / "out" / "desk.svg").read_text().startswith("<?xml")
    assert processes_of(folder) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_all_it_started(folder: Path, sent: signal.Signals) -> None:
    flywheel = Flywheel(folder, "--rounds", "1", "--seeds", "1", "--pool", "4", "--holdout", "2")
    wait_until(
        lambda: "serving at" in flywheel.text() or flywheel.popen.poll() is not None,
        seconds=120,
        what="it to serve",
    )
    assert flywheel.popen.poll() is None, flywheel.text()
    time.sleep(2)  # into the work
    flywheel.popen.send_signal(sent)
    assert flywheel.popen.wait(60) == 130
    assert "Traceback" not in flywheel.text()
    assert processes_of(folder) == []
    assert not list(folder.glob("mixcv-flywheel-*"))
