"""The built-in package's own code, on results as ultralytics gives them."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from extraction.packages.builtin import builtin_packages


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As the host loads it: with the sdk on the path."""
    sdk = builtin_packages()["yolo"].parents[1] / "sdk"
    monkeypatch.setattr(sys, "path", [str(sdk), *sys.path])
    before = set(sys.modules)
    found = importlib.util.spec_from_file_location("builtin_yolo", builtin_packages()["yolo"] / "pipeline.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"engine", "shared"}:
            del sys.modules[name]


def result_of(*boxes: list[float]) -> Any:
    count = len(boxes)
    return SimpleNamespace(
        names={0: "cell"},
        boxes=SimpleNamespace(
            xywh=torch.tensor(boxes), cls=torch.zeros(count), conf=torch.linspace(0.9, 0.1, count)
        ),
    )


def test_a_box_clipped_to_nothing_costs_no_image(pipeline: Any) -> None:
    rows = pipeline._detections(
        result_of([20.0, 30.0, 10.0, 10.0], [24.7, 480.0, 49.4, 0.0], [0.0, 9.0, 0.0, 4.0])
    )
    assert [row["bbox"] for row in rows] == [{"x": 20.0, "y": 30.0, "w": 10.0, "h": 10.0}]
