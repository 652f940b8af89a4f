"""Saying by the API that nothing is missing on images."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.truth.models import ImageReview
from mixcv.kernel.models import Event
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def empty(collection):
    """A document on which the detector found nothing."""
    return make.make_detected(collection, detections=[])[0]


def complete(api, *documents, **more):
    body = {"document_ids": [f"doc_{one.slug}" for one in documents], **more}
    return [one["completeness"] for one in api("post", "/complete", body)["results"]]


def test_an_image_on_which_nothing_was_found_gets_whole(api, empty):
    assert complete(api, empty) == ["verified_empty"]
    box = {"x": 50, "y": 60, "w": 20, "h": 30}
    body = {"document_id": f"doc_{empty.slug}", "label": "missed"}
    api("post", "", {**body, "payload": {"true_class": "bus", "bbox": box}})
    assert complete(api, empty) == ["complete"]
    assert ImageReview.objects.get(image=empty.image).declared
    assert Event.objects.filter(type="image.completed").count() == 2


def test_several_at_once_and_detections_stand_for_their_images(api, document, empty, collection):
    body = {
        "document_ids": [f"doc_{document.slug}_det_0", f"doc_{empty.slug}"],
        "collection_id": collection.public_id,
    }
    answer = api("post", "/complete", body)
    assert [one["completeness"] for one in answer["results"]] == ["verified_empty", "verified_empty"]
    assert [one["document_id"] for one in answer["results"]] == body["document_ids"]


def test_an_unknown_document_refuses_all(api, empty):
    body = {"document_ids": [f"doc_{empty.slug}", "doc_nothing"]}
    assert "doc_nothing" in api("post", "/complete", body, status=404)["error"]["message"]
    assert not ImageReview.objects.filter(declared=True).exists()
    api("post", "/complete", {"document_ids": []}, status=422)


def test_as_many_queries_for_many_as_for_one(api, collection, django_assert_num_queries):
    documents = make.make_detected(collection, 3)
    complete(api, documents[1])  # the key's first call notes that it was used
    with CaptureQueriesContext(connection) as one:
        complete(api, documents[0])
    with CaptureQueriesContext(connection) as three:
        complete(api, *documents)
    assert len(three) == len(one)
