"""What the oracle decides, in which order, and what it costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.flywheel.oracle import (
    DRAW,
    LOOK,
    NAME,
    SAME_OBJECT,
    WELL_PLACED,
    WHOLE,
    Seen,
    as_annotation,
    cost,
    in_our_order,
    judge,
)
from benchmarks.flywheel.truths import Thing
from mixcv.kernel.geometry import Box, iou

THREE = Thing("3", Box(100, 100, 40, 60))


def seen(name, box, confidence=0.5, number=0):
    return Seen(f"doc_a_det_{number}", name, confidence, box)


@pytest.mark.parametrize(
    ("detection", "labels", "seconds"),
    [
        # as it is
        (seen("3", THREE.box), ["confirmed"], LOOK),
        # a little off is good enough (IoU 0.82)
        (seen("3", Box(104, 100, 40, 60)), ["confirmed"], LOOK),
        # the right place, another class
        (seen("8", THREE.box), ["corrected"], LOOK + NAME),
        # badly placed (IoU 0.6)
        (seen("3", Box(110, 100, 40, 60)), ["corrected"], LOOK + DRAW),
        # badly placed and of another class
        (seen("8", Box(110, 100, 40, 60)), ["corrected"], LOOK + DRAW + NAME),
        # covers it by less than half: means something else, and the object is missed
        (seen("3", Box(125, 100, 40, 60)), ["false_positive", "missed"], LOOK + DRAW + NAME),
    ],
)
def test_it_judges_a_box_by_class_and_place(detection, labels, seconds):
    decisions = judge([detection], [THREE])
    assert [one.label for one in decisions] == labels
    assert sum(one.seconds for one in decisions) == pytest.approx(seconds)
    assert all(one.thing == THREE for one in decisions if one.label in {"corrected", "missed"})


def test_an_object_has_one_box_that_of_its_class_first():
    nearer = seen("8", Box(101, 100, 40, 60), number=0)
    named = seen("3", Box(105, 100, 40, 60), number=1)
    twice = seen("3", Box(108, 100, 40, 60), number=2)
    assert [one.label for one in judge([nearer, named, twice], [THREE])] == [
        "false_positive",
        "confirmed",
        "false_positive",
    ]


def test_an_image_without_a_box_costs_a_look_and_its_missed_objects():
    decisions = judge([], [THREE, Thing("1", Box(20, 20, 10, 10))])
    assert [one.label for one in decisions] == ["missed", "missed"]
    assert cost(decisions) == (3, pytest.approx(2 * (DRAW + NAME) + WHOLE))
    assert cost([]) == (1, WHOLE)


def test_annotations_name_the_detection_or_the_image():
    missed, wrong = judge([], [THREE])[0], judge([seen("8", THREE.box)], [THREE])[0]
    refused = judge([seen("8", Box(400, 400, 9, 9))], [])[0]
    bbox = {"x": 100, "y": 100, "w": 40, "h": 60}
    about = {"collection_id": "col_a"}
    truth = {"payload": {"true_class": "3", "bbox": bbox}}
    assert as_annotation(missed, "doc_a", "col_a") == {
        "document_id": "doc_a",
        "label": "missed",
        **about,
        **truth,
    }
    assert as_annotation(wrong, "doc_a", "col_a") == {
        "document_id": "doc_a_det_0",
        "label": "corrected",
        **about,
        **truth,
    }
    assert as_annotation(refused, "doc_a", "col_a") == {
        "document_id": "doc_a_det_0",
        "label": "false_positive",
        **about,
    }


def test_our_order_is_the_doubtful_then_the_empty_then_the_rest():
    assert in_our_order(["b", "a", "b"], ["e"], ["a", "s", "e", "b"]) == ["b", "a", "e", "s"]


BOX = st.builds(Box, st.floats(20, 300), st.floats(20, 200), st.floats(4, 80), st.floats(4, 80))
NAMES = st.sampled_from("123")


@given(
    st.lists(st.builds(Seen, st.just("doc_a_det_0"), NAMES, st.floats(0, 1), BOX), max_size=6),
    st.lists(st.builds(Thing, NAMES, BOX), max_size=6),
)
def test_every_box_and_every_object_is_answered_once(detections, things):
    decisions = judge(detections, things)
    labels = [one.label for one in decisions]
    assert len(decisions) == len(detections) + labels.count("missed")
    assert "missed" not in labels[: len(detections)]
    kept = sum(label in {"confirmed", "corrected", "missed"} for label in labels)
    assert kept == len(things)
    for one, decision in zip(detections, decisions, strict=False):
        if decision.label == "confirmed":
            fits = [iou(one.box, thing.box) for thing in things if thing.class_name == one.class_name]
            assert max(fits) >= WELL_PLACED
        elif decision.label == "corrected":
            assert iou(one.box, decision.thing.box) >= SAME_OBJECT
