"""Annotations over the API."""

from __future__ import annotations

import pytest

from extraction.truth.models import GroundTruthBox
from mixcv.tenancy.models import ApiKey
from review.verdicts.models import Annotation
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotate(client, namespace):
    headers = {"Authorization": f"Bearer {make.make_key(namespace, label='script')}", "X-Namespace": "demo"}

    def send(path="/v1/annotations", **body):
        return client.post(path, body, content_type="application/json", headers=headers)

    return send


def test_a_correction_keeps_all_that_was_sent(annotate, document):
    payload = {
        "predicted_class": "bus",
        "true_class": "delivery_van",
        "bbox": {"x": 150, "y": 110, "w": 180, "h": 120},
        "image_width": 320,
        "image_height": 240,
    }
    answer = annotate(
        document_id=f"doc_{document.slug}_det_2",
        collection_id="col_detected_objects",
        label="corrected",
        confidence=1.0,
        reasoning="It is a van.",
        payload=payload,
        retriever_id="ret_detection_review",
        execution_id="exec_review_batch_01",
    )
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["payload"] == payload
    assert (body["class"], body["predicted_class"]) == ("delivery_van", "bus")
    assert body["bbox"] == payload["bbox"]
    assert (body["retriever_id"], body["execution_id"]) == ("ret_detection_review", "exec_review_batch_01")
    key = ApiKey.objects.get()
    assert (body["actor_id"], body["actor_type"], body["version"]) == (f"key:script:{key.pk}", "api_key", 1)
    assert body["namespace_id"] == "ns_demo"
    assert GroundTruthBox.objects.get().object_class.name == "delivery_van"


def test_the_other_labels_need_only_what_they_are_about(annotate, document):
    ref = f"doc_{document.slug}"
    assert annotate(document_id=f"{ref}_det_0", label="confirmed").status_code == 200
    assert annotate(document_id=f"{ref}_det_1", label="false_positive").status_code == 200
    missed = annotate(
        document_id=ref,
        label="missed",
        payload={"true_class": "bus", "bbox": {"x": 30, "y": 30, "w": 20, "h": 20}},
    )
    assert missed.status_code == 200, missed.content
    assert missed.json()["document_id"] == ref
    listed = annotate("/v1/annotations/list", document_id=ref).json()
    assert listed["total_count"] == 3
    assert annotate("/v1/annotations/list", label="missed").json()["total_count"] == 1
    assert annotate("/v1/annotations/list", document_id=f"{ref}_det_0").json()["total_count"] == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"document_id": "doc_nope_det_0", "label": "confirmed"}, 404, "doc_nope_det_0"),
        ({"document_id": "{doc}_det_9", "label": "confirmed"}, 404, "_det_9"),
        ({"document_id": "{doc}_det_0", "label": "maybe"}, 422, "false_positive"),
        ({"document_id": "{doc}", "label": "confirmed"}, 422, "_det_0"),
        ({"document_id": "{doc}_det_0", "label": "corrected"}, 422, "true_class"),
        (
            {"document_id": "{doc}_det_0", "label": "corrected", "payload": {"predicted_class": "bus"}},
            422,
            "true_class",
        ),
        (
            {"document_id": "{doc}_det_0", "label": "corrected", "payload": {"true_class": 7}},
            422,
            "true_class",
        ),
        ({"document_id": "{doc}_det_0", "label": "corrected", "payload": {"bbox": {"x": 1}}}, 422, "payload"),
        (
            {
                "document_id": "{doc}_det_0",
                "label": "corrected",
                "payload": {"bbox": {"x": 9000, "y": 1, "w": 2, "h": 2}},
            },
            422,
            "outside the image",
        ),
        ({"document_id": "{doc}_det_0", "label": "confirmed", "confidence": 2}, 422, "confidence"),
        ({"document_id": "{doc}_det_0", "label": "confirmed", "colour": "red"}, 422, "Accepted"),
        ({"label": "confirmed"}, 422, "document_id"),
        ({"document_id": "{doc}_det_0", "label": "confirmed", "collection_id": "col_nope"}, 404, "col_nope"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(annotate, document, body, status, words):
    body = {
        key: value.format(doc=f"doc_{document.slug}") if isinstance(value, str) else value
        for key, value in body.items()
    }
    answer = annotate(**body)
    assert answer.status_code == status, answer.content
    assert words in answer.content.decode()
    assert not Annotation.objects.exists()


def test_an_id_of_two_collections_needs_the_collection(annotate, namespace, document, collection):
    twin = make.make_collection(collection.buckets.get(), "second_version")
    make.detect(twin, [document.object], [make.result(make.DEFAULT)])
    ref = f"doc_{document.slug}_det_0"
    answer = annotate(document_id=ref, label="confirmed")
    assert answer.status_code == 409
    assert "col_detected_objects, col_second_version" in answer.json()["error"]["message"]
    assert annotate(document_id=ref, label="confirmed", collection_id="second_version").status_code == 200


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_number_of_queries(annotate, collection, count, django_assert_num_queries):
    for document in make.make_detected(collection, count):
        annotate(document_id=f"doc_{document.slug}_det_0", label="confirmed")
    with django_assert_num_queries(3):
        assert annotate("/v1/annotations/list").json()["total_count"] == count
