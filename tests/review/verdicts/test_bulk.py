"""Bulk calls: each operation by itself, in few statements, and twice as good as once."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.truth.models import GroundTruthBox
from review.verdicts.models import Annotation, AnnotationVersion
from tests import factories as make
from tests.review.verdicts.calling import Caller

pytestmark = pytest.mark.django_db


def mixed(ref, old, gone):
    """Good and faulty operations of each kind."""
    return {
        "create": [
            {
                "document_id": f"{ref}_det_0",
                "collection_id": "col_detected_objects",
                "label": "confirmed",
                "payload": {"true_class": "truck", "predicted_class": "car", "image_width": 1920},
            },
            {"document_id": "doc_det_001", "collection_id": "col_detected_objects", "label": "confirmed"},
            {"document_id": f"{ref}_det_2", "label": "maybe"},
            {"document_id": f"{ref}_det_2", "label": "corrected"},
            {"label": "confirmed"},
            {"document_id": f"{ref}_det_2", "label": "confirmed", "colour": "red"},
            {"document_id": f"{ref}_det_2", "label": "confirmed", "payload": {"bbox": 3}},
        ],
        "update": [
            {"annotation_id": old, "label": "false_positive"},
            {"annotation_id": "ann_nope", "label": "confirmed"},
            {"annotation_id": old},
            {"annotation_id": old, "confidence": 7},
        ],
        "delete": [gone, gone, "ann_nope"],
    }


def test_each_operation_has_a_result_of_its_own(api, document):
    ref = f"doc_{document.slug}"
    old = api("post", "", {"document_id": f"{ref}_det_2", "label": "confirmed"})["annotation_id"]
    gone = api("post", "", {"document_id": f"{ref}_det_1", "label": "confirmed"})["annotation_id"]
    body = api("post", "/bulk", mixed(ref, old, gone))
    results = body["results"]
    assert [(one["operation"], one["index"]) for one in results] == [
        *(("create", n) for n in range(7)),
        *(("update", n) for n in range(4)),
        *(("delete", n) for n in range(3)),
    ]
    assert [one["success"] for one in results] == [
        *(True, False, False, False, False, False, False),
        *(True, False, False, False),
        *(True, False, False),
    ]
    counters = {
        name: body[name] for name in ("total", "succeeded", "failed", "created", "updated", "deleted")
    }
    assert counters == {
        "total": 14,
        "succeeded": 3,
        "failed": 11,
        "created": 1,
        "updated": 1,
        "deleted": 1,
    }
    errors = [one["error"] for one in results]
    assert "doc_det_001" in errors[1]
    assert "nearest is" in errors[2]
    assert "true_class" in errors[3]
    assert "document_id" in errors[4]
    assert "colour" in errors[5]
    assert "bbox" in results[6]["error"] or "box" in results[6]["error"]
    assert "ann_nope" in errors[8]
    assert results[1]["code"] == "not_found"
    assert results[1]["annotation_id"] is None
    assert len(results[0]["warnings"]) == 2
    assert Annotation.objects.get(public_id=old).label == "false_positive"
    assert Annotation.objects.filter(deleted_at=None).count() == 2


def test_a_repeated_call_doubles_nothing(api, document):
    ref = f"doc_{document.slug}"
    call = {
        "create": [
            {"document_id": f"{ref}_det_0", "label": "confirmed"},
            {
                "document_id": ref,
                "label": "missed",
                "payload": {"true_class": "bus", "bbox": {"x": 30, "y": 30, "w": 20, "h": 20}},
            },
        ]
    }
    first, second = api("post", "/bulk", call), api("post", "/bulk", call)
    ids = [[one["annotation_id"] for one in body["results"]] for body in (first, second)]
    assert ids[0] == ids[1]
    assert (Annotation.objects.count(), AnnotationVersion.objects.count()) == (2, 4)
    assert GroundTruthBox.objects.count() == 2


@pytest.mark.parametrize("scopes", [["read", "write"], ["write"], ["delete", "write"], ["admin"]])
def test_deleting_in_bulk_needs_the_scope_delete(client, namespace, api, document, scopes):
    ref = f"doc_{document.slug}"
    gone = api("post", "", {"document_id": f"{ref}_det_0", "label": "confirmed"})["annotation_id"]
    key = Caller(client, make.make_key(namespace, label="narrow", scopes=scopes))
    create = [{"document_id": f"{ref}_det_1", "label": "confirmed"}]
    if {"delete", "admin"} & set(scopes):
        assert key("post", "/bulk", {"create": create, "delete": [gone]})["deleted"] == 1
        return
    refused = key("post", "/bulk", {"create": create, "delete": [gone]}, status=403)
    assert "needs delete" in refused["error"]["message"]
    assert Annotation.objects.filter(deleted_at=None).count() == 1
    assert key("post", "/bulk", {"create": create, "delete": []})["created"] == 1


def test_one_annotation_in_all_three_lists(api, document):
    """They happen in turn: the later sees what the earlier did, and truth and queue are those of the last."""
    ref = f"doc_{document.slug}_det_0"
    row = api("post", "", {"document_id": ref, "label": "confirmed"})["annotation_id"]
    create = [{"document_id": ref, "label": "corrected", "payload": {"true_class": "bus"}}]
    update = [{"annotation_id": row, "label": "corrected", "payload": {"true_class": "tram"}}]
    api("post", "/bulk", {"create": create, "update": update})
    assert GroundTruthBox.objects.get().object_class.name == "tram"
    answer = api("post", "/bulk", {"create": create, "update": update, "delete": [row]})
    assert answer["succeeded"] == 3
    assert Annotation.objects.get().version == 6
    assert AnnotationVersion.objects.count() == 6
    truth, box = GroundTruthBox.objects.get(), make.detections_of(document)[0]
    assert (truth.state, box.decided_label) == ("removed", "")


def test_an_idempotency_key_answers_as_the_first_time(api, document):
    call = {"create": [{"document_id": f"doc_{document.slug}_det_0", "label": "confirmed"}]}
    api.headers["Idempotency-Key"] = "k1"
    assert api("post", "/bulk", call) == api("post", "/bulk", call)
    assert AnnotationVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"create": [{}] * 1001}, "1000"),
        ({"create": ["doc_x"]}, "JSON object"),
        ({"create": {"document_id": "doc_x"}}, "list"),
        ({"delete": [7, {}]}, "delete"),
        ({"upsert": []}, "create, delete, update"),
        ([], "JSON object"),
    ],
)
def test_a_body_that_is_none_is_refused_whole(api, body, words):
    assert words in str(api("post", "/bulk", body, status=422))


def test_an_empty_call_does_nothing(api):
    assert api("post", "/bulk", {})["total"] == 0


def bodies(documents):
    for document in documents:
        for ordinal in range(3):
            yield {
                "document_id": f"doc_{document.slug}_det_{ordinal}",
                "collection_id": "col_detected_objects",
                "label": "corrected",
                "payload": {"true_class": "truck", "bbox": {"x": 60, "y": 60, "w": 20, "h": 20}},
                "retriever_id": "ret_x",
            }


def statements(api, body):
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answer = api("post", "/bulk", body)
    assert answer["failed"] == 0
    return len(seen), answer


def test_a_thousand_take_as_many_statements_as_ten(api, collection):
    documents = make.make_detected(collection, 336)
    everything = list(bodies(documents))
    statements(api, {"create": everything[1000:]})  # the class is known, the key's last use is written
    few, made = statements(api, {"create": everything[:10]})
    many, all_made = statements(api, {"create": everything[10:1000]})
    assert few == many
    ids = [one["annotation_id"] for answer in (made, all_made) for one in answer["results"]]
    many, again = statements(api, {"create": everything[:1000]})
    assert many < 40
    assert [one["annotation_id"] for one in again["results"]] == ids
    few, _ = statements(api, {"update": [{"annotation_id": ref, "label": "confirmed"} for ref in ids[:10]]})
    many, _ = statements(api, {"update": [{"annotation_id": ref, "label": "confirmed"} for ref in ids]})
    assert few == many
    few, _ = statements(api, {"delete": ids[:10]})
    many, _ = statements(api, {"delete": ids[10:]})
    assert few == many
    assert max(few, many) < 40


@pytest.mark.django_db(transaction=True)
def test_the_same_call_twice_at_once_and_another_actors_beside_it():
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace), "detected_objects")
    documents = make.make_detected(collection, 12)
    call = {
        "create": [
            *bodies(documents),
            *(
                {
                    "document_id": f"doc_{one.slug}",
                    "label": "missed",
                    "payload": {"true_class": "bus", "bbox": {"x": 30, "y": 30, "w": 20, "h": 20}},
                }
                for one in documents
            ),
        ]
    }
    turned = {"create": call["create"][::-1]}
    keys = [make.make_key(namespace, label=name) for name in ("one", "two")]
    answers = []

    def send(key, body):
        try:
            answer = Client().post(
                "/v1/annotations/bulk",
                body,
                content_type="application/json",
                headers={"Authorization": f"Bearer {key}"},
            )
            answers.append(answer)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=send, args=args)
        for args in ((keys[0], call), (keys[0], turned), (keys[1], call), (keys[1], turned))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status_code for one in answers] == [200] * 4
    assert all(one.json()["failed"] == 0 for one in answers)
    operations = len(call["create"])
    assert Annotation.objects.count() == 2 * operations
    assert AnnotationVersion.objects.count() == 4 * operations
    # Two people drew the same missed objects: each has an annotation of its own.
    assert GroundTruthBox.objects.filter(detection__isnull=False).count() == 36
