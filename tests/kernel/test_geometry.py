"""Boxes survive every form that they pass through."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box, clip, iou, parse_bbox

sides = st.integers(1, 20_000)
shares = st.floats(0.001, 0.999)


@given(sides, sides, shares, shares, shares, shares)
def test_detection_to_annotation_to_yolo_and_back_is_exact(width, height, x, y, w, h):
    box = Box(x * width, y * height, w * width, h * height)
    back = Box.from_yolo(*parse_bbox(box.as_bbox()).as_yolo(width, height), width, height)
    assert all(
        math.isclose(a, b, abs_tol=1e-6)
        for a, b in zip((box.cx, box.cy, box.w, box.h), (back.cx, back.cy, back.w, back.h), strict=True)
    )


@given(sides, sides, st.floats(-2, 3), st.floats(-2, 3), st.floats(0.01, 4), st.floats(0.01, 4))
def test_a_clipped_box_lies_on_the_image(width, height, x, y, w, h):
    try:
        box = clip(Box(x * width, y * height, w * width, h * height), width, height)
    except InvalidInput:
        return
    left, top, right, bottom = box.corners
    slack = 1e-6 * max(width, height)
    assert left >= -slack
    assert top >= -slack
    assert right <= width + slack
    assert bottom <= height + slack
    assert box.w > 0
    assert box.h > 0


def test_a_box_inside_stays_bit_for_bit():
    box = Box(0.1 + 0.2, 7.7, 0.3, 0.7)
    assert clip(box, 100, 100) is box


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2, 3, 4], "object"),
        ({"x": 1, "y": 2, "w": 3}, "h of the box is None"),
        ({"x": "1", "y": 2, "w": 3, "h": 4}, "x of the box is '1'"),
        ({"x": True, "y": 2, "w": 3, "h": 4}, "x of the box is True"),
        ({"x": 1, "y": 10**400, "w": 3, "h": 4}, "y of the box is too large"),
    ],
)
def test_a_payload_that_is_no_box_is_refused_by_its_key(value, words):
    with pytest.raises(InvalidInput, match=words):
        parse_bbox(value)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (Box(5, 5, 10, 10), Box(5, 5, 10, 10), 1.0),
        (Box(5, 5, 10, 10), Box(10, 5, 10, 10), 1 / 3),
        (Box(5, 5, 10, 10), Box(50, 50, 10, 10), 0.0),
    ],
)
def test_iou(a, b, expected):
    assert iou(a, b) == pytest.approx(expected)
