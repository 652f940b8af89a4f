from __future__ import annotations

import pytest

from review.training.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, chart_of, nice_top


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (0.03, 0.04), (0.9, 1), (1.0, 1), (1.2, 2), (3.9, 4), (7, 8), (9, 10), (81, 100)],
)
def test_the_scale_ends_at_a_round_number(value, top):
    assert nice_top(value) == pytest.approx(top)


def test_curves_grow_into_the_axis_and_gaps_part_them():
    chart = chart_of("mAP", {"map": ("mAP50-95", [0.0, 0.5, None, 1.0])}, epochs=10, best=4, top=1.0)
    curve = chart.curves[0]
    assert len(curve.parts) == 2
    assert curve.parts[0].startswith(f"{LEFT + 6:.1f},{HEIGHT - BOTTOM:.1f}")
    assert curve.last is not None
    assert (curve.last.y, curve.last.title) == (TOP, "mAP50-95, epoch 4: 1.000")
    assert chart.mark == curve.last.x < WIDTH - RIGHT
    assert [tick.text for tick in chart.x_ticks] == ["1", "2", "4", "6", "8", "10"]


def test_one_epoch_and_none_have_a_chart_as_well():
    assert chart_of("Loss", {"train": ("training", [2.5])}, epochs=1).curves[0].last is not None
    assert chart_of("Loss", {"train": ("training", [])}, epochs=1).curves[0].last is None


def test_a_spike_does_not_press_the_curves_to_the_axis():
    chart = chart_of("Loss", {"val": ("validation", [570.0, *[4.0, 3.0, 2.5, 2.0, 1.8, 1.5]])}, epochs=7)
    assert float(chart.y_ticks[-1].text) <= 20
    assert chart.curves[0].parts[0].split()[0].endswith(f",{TOP:.1f}"), "the spike ends at the scale's top"
