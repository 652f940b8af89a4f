"""What payloads say of truth, what is wrong with them, and what they are warned of."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extraction.truth.models import GroundTruthBox
from mixcv.kernel.errors import DomainError
from mixcv.kernel.geometry import Box
from review.verdicts.api.bodies import AnnotationBody, plain_creation
from review.verdicts.domain.payload import read_payload, warnings_of
from review.verdicts.models import Label

pytestmark = pytest.mark.django_db

BBOX = {"x": 160, "y": 100, "w": 60, "h": 40}


@pytest.mark.parametrize(
    ("label", "payload", "expected"),
    [
        ("confirmed", {"true_class": "bus", "bbox": BBOX}, ("bus", Box(160, 100, 60, 40))),
        ("confirmed", {"predicted_class": "car"}, (None, None)),  # the detection's own stands
        ("corrected", {"predicted_class": "car", "true_class": " van "}, ("van", None)),
        ("corrected", {"predicted_class": "car"}, (None, None)),
        ("false_positive", {"true_class": "bus", "bbox": BBOX}, (None, Box(160, 100, 60, 40))),
        ("missed", {"predicted_class": "car", "bbox": BBOX}, ("car", Box(160, 100, 60, 40))),
        ("missed", {"bbox": None, "true_class": None}, (None, None)),
        ("blurred", {"true_class": 7, "bbox": "none"}, (None, None)),  # kept, not read
    ],
)
def test_truth_is_what_the_payload_gives(label, payload, expected):
    assert read_payload(label, payload) == expected


@pytest.mark.parametrize(
    "payload",
    [
        {"true_class": ""},
        {"true_class": "x" * 201},
        {"predicted_class": ["car"]},
        {"bbox": [1, 2, 3, 4]},
        {"bbox": {"x": 1, "y": 2, "w": "3", "h": 4}},
        {"image_width": "1920"},
        {"image_height": True},
        {"image_height": -1},
    ],
)
@pytest.mark.parametrize("label", Label.values)
def test_a_value_of_a_wrong_kind_is_refused_by_name(label, payload):
    with pytest.raises(DomainError) as caught:
        read_payload(label, payload)
    assert caught.value.field.startswith(f"payload.{next(iter(payload))}")


VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
JSON = VALUE | st.lists(VALUE, max_size=2) | st.fixed_dictionaries(dict.fromkeys("xywh", VALUE))
KEYS = st.sampled_from(["true_class", "predicted_class", "bbox", "image_width", "image_height", "note"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from([*Label.values, "blurred"]), st.dictionaries(KEYS, JSON, max_size=3))
def test_any_payload_is_read_or_refused_in_words(label, payload):
    with suppress(DomainError):
        read_payload(label, payload)
    assert all(warnings_of(label, payload, predicted_class="bus", width=320, height=240))


TEXT = st.text(max_size=4) | st.sampled_from(["doc_a", " doc_a", "a\x00", "é", "x" * 121, "x" * 301, ""])
ITEM = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("document_id", "collection_id", "label", "reasoning", "retriever_id"), TEXT | VALUE),
        "confidence": st.sampled_from([0.0, 1.0, 0.5, 1.5, -0.1, 1, True, "0.5", None]),
        "payload": st.sampled_from([{}, {"a": [1]}, None, [], "x"]),
        "metadata": st.sampled_from([{}, {"a": None}, 3]),
        "colour": st.just("red"),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ITEM)
def test_the_quick_way_reads_as_the_form_does(item):
    quick = plain_creation(item)
    form = AnnotationBody(data=item)
    if quick is not None:
        assert form.is_valid(), form.errors
        assert quick == form.validated_data


def test_the_quick_way_is_taken():
    item = {"document_id": "doc_a_det_0", "label": "confirmed", "confidence": 1.0, "payload": {"a": 1}}
    assert plain_creation(item) == item


def test_the_servers_own_values_stand_beside_what_was_sent(api, document):
    payload = {
        "predicted_class": "car",
        "true_class": "delivery_van",
        "bbox": BBOX,
        "image_width": 1920,
        "image_height": 1080,
        "camera": {"lens": 3},
    }
    body = {"document_id": f"doc_{document.slug}_det_2", "label": "corrected", "payload": payload}
    answer = api("post", "", body)
    assert answer["payload"] == payload
    assert (answer["predicted_class"], answer["class"], answer["bbox"]) == ("bus", "delivery_van", BBOX)
    assert (answer["image_width"], answer["image_height"]) == (320, 240)
    assert len(answer["warnings"]) == 3
    assert [word in " ".join(answer["warnings"]) for word in ("'bus'", "320", "240")] == [True] * 3
    same = {"predicted_class": "bus", "true_class": "bus", "image_width": 320, "image_height": 240.0}
    body |= {"label": "confirmed", "payload": same}
    assert api("post", "", body)["warnings"] == []


def test_a_confirmation_of_another_class_is_truth_and_warned_of(api, document):
    ref = f"doc_{document.slug}_det_2"
    answer = api("post", "", {"document_id": ref, "label": "confirmed", "payload": {"true_class": "tram"}})
    assert answer["class"] == "tram"
    assert "the label is corrected" in answer["warnings"][0]
    truth = GroundTruthBox.objects.get()
    assert (truth.object_class.name, truth.cx) == ("tram", 160)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"true_class": "bus"}, "class and its box"),
        ({"bbox": BBOX}, "class and its box"),
        ({"true_class": "bus", "bbox": BBOX | {"w": 0}}, "no area"),
    ],
)
def test_a_missed_object_needs_both(api, document, payload, words):
    body = {"document_id": f"doc_{document.slug}", "label": "missed", "payload": payload}
    assert words in api("post", "", body, status=422)["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"payload": {"note": "\x00"}},
        {"reasoning": "x" * 5001},
        {"reasoning": "\x00"},
        {"retriever_id": "x" * 201},
        {"metadata": []},
        {"payload": "none"},
        {"confidence": "high"},
    ],
)
def test_what_no_column_holds_is_refused(api, document, body):
    api("post", "", {"document_id": f"doc_{document.slug}_det_0", "label": "confirmed", **body}, status=422)


def test_malformed_bodies_are_clear_refusals(api):
    for method, path in (
        ("post", ""),
        ("post", "/bulk"),
        ("post", "/list"),
        ("post", "/labels"),
        ("patch", "/ann_x"),
    ):
        answer = getattr(api.client, method)(
            f"/v1/annotations{path}", "{nope", content_type="application/json", headers=api.headers
        )
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]
