"""Two callers at once, with real connections: nobody is thrown out, and each change is there."""

from __future__ import annotations

import pytest
from django.test import Client

from mixcv.tenancy.actors import Actor
from review.verdicts.domain import Revision, Verdict, define_label, record_verdicts, revise_verdicts
from review.verdicts.models import Annotation
from tests import factories as make
from tests.review.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
INES, OLE = Actor("ines"), Actor("ole")
LOCKS_DETECTIONS = r"extraction_detection.*FOR (NO KEY )?UPDATE"
LOCKS_ANNOTATIONS = r"review_annotation.*FOR (NO KEY )?UPDATE"


def annotations(namespace, documents, label="confirmed", by=INES):
    verdicts = [Verdict(label, make.detections_of(one)[0].pk) for one in documents]
    return [one.annotation for one in record_verdicts(namespace=namespace, verdicts=verdicts, by=by)]


def send(key, body, name):
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": name}
    return (
        Client().post("/v1/annotations/bulk", body, content_type="application/json", headers=headers).json()
    )


@pytest.mark.parametrize("kind", ["update", "delete"])
def test_two_keyed_bulk_calls_that_cross_each_other(namespace, kind):
    collection = make.make_collection(make.make_bucket(namespace))
    documents = make.make_detected(collection, 2)
    rows = annotations(namespace, documents)
    keys = [make.make_key(namespace, label=name) for name in ("one", "two")]

    def body(new, old):
        ref = rows[old].public_id
        return {
            "create": [{"document_id": f"doc_{documents[new].slug}_det_0", "label": "confirmed"}],
            kind: [{"annotation_id": ref, "label": "false_positive"}] if kind == "update" else [ref],
        }

    answers = at_once(
        lambda: send(keys[0], body(0, 1), "k0"),
        lambda: send(keys[1], body(1, 0), "k1"),
        before=LOCKS_DETECTIONS,
        nth=2,
    )
    assert [one.get("succeeded") for one in answers] == [2, 2], answers


def test_two_keyed_bulk_calls_about_two_queues_that_cross_each_other(namespace):
    """Other detections each, so that only the queues and the images' states stand between them."""
    collections = [make.make_collection(make.make_bucket(namespace)) for _ in range(2)]
    documents = [make.make_detected(one)[0] for one in collections]
    boxes = [make.detections_of(one) for one in documents]
    old = [
        one.annotation
        for one in record_verdicts(
            namespace=namespace, verdicts=[Verdict("confirmed", mine[1].pk) for mine in boxes], by=INES
        )
    ]
    keys = [make.make_key(namespace, label=name) for name in ("one", "two")]

    def body(new, changed):
        return {
            "create": [{"document_id": f"doc_{documents[new].slug}_det_0", "label": "confirmed"}],
            "update": [{"annotation_id": old[changed].public_id, "label": "false_positive"}],
        }

    answers = at_once(
        lambda: send(keys[0], body(0, 1), "k0"),
        lambda: send(keys[1], body(1, 0), "k1"),
        before="extraction_imagereview",
        nth=2,
    )
    assert [one.get("succeeded") for one in answers] == [2, 2], answers


def test_two_who_change_one_actors_words_about_two_boxes_of_an_image(namespace):
    for name in ("blurred", "dark"):
        define_label(namespace=namespace, name=name, by=INES)
    document = make.make_detected(make.make_collection(make.make_bucket(namespace)))[0]
    boxes = make.detections_of(document)[:2]
    rows = [
        one.annotation
        for one in record_verdicts(
            namespace=namespace, verdicts=[Verdict("blurred", box.pk) for box in boxes], by=INES
        )
    ]

    def change(row):
        revision = Revision(row.public_id, {"payload": {"seen": "twice"}})
        return revise_verdicts(namespace=namespace, revisions=[revision], by=OLE)[0]

    outcomes = at_once(lambda: change(rows[0]), lambda: change(rows[1]), before=LOCKS_ANNOTATIONS, nth=2)
    assert [getattr(one, "error", one) for one in outcomes] == [None, None]
    assert set(Annotation.objects.values_list("version", flat=True)) == {2}


def test_two_who_would_make_missed_objects_of_verdicts_are_both_told(namespace):
    """What is refused takes no lock of an image out of turn."""
    document = make.make_detected(make.make_collection(make.make_bucket(namespace)))[0]
    payload = {"true_class": "bus", "bbox": {"x": 50, "y": 50, "w": 20, "h": 20}}
    boxes = make.detections_of(document)[:2]
    rows = [
        one.annotation
        for one in record_verdicts(
            namespace=namespace, verdicts=[Verdict("confirmed", box.pk) for box in boxes], by=INES
        )
    ]

    def change(row):
        revision = Revision(row.public_id, {"label": "missed", "payload": payload})
        return revise_verdicts(namespace=namespace, revisions=[revision], by=OLE)[0]

    outcomes = at_once(*(lambda row=row: change(row) for row in rows), before=LOCKS_ANNOTATIONS, nth=2)
    assert ["cannot become missed" in one.error.message for one in outcomes] == [True, True]
