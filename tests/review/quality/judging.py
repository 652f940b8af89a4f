"""Verdicts to count."""

from __future__ import annotations

from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import Actor
from review.verdicts.domain import Verdict, record_verdicts
from tests import factories as make

INES, OLE = Actor("ines"), Actor("ole")


def record(namespace, *verdicts, by=INES, source="api"):
    outcomes = record_verdicts(namespace=namespace, verdicts=list(verdicts), by=by, source=source)
    assert all(one.error is None for one in outcomes), outcomes
    return [one.annotation for one in outcomes]


def decided(namespace, collection):
    """Some verdicts of two people, from a queue and an audit, on 6 images of 3 boxes: truck, person, bus."""
    documents = make.make_detected(collection, 6)
    for n, document in enumerate(documents):
        document.metadata = {"camera_id": f"cam{n % 2}", "place": {"floor": n % 3}}
        document.save()
        truck, person, bus = make.detections_of(document)
        record(namespace, Verdict("confirmed", truck.pk, retriever_ref="ret_a"), source="queue")
        record(namespace, Verdict("false_positive", person.pk), by=OLE, source="audit")
        if n % 2:
            record(namespace, Verdict("corrected", bus.pk, class_name="truck", retriever_ref="ret_b"))
    record(
        namespace,
        Verdict(
            "missed",
            image_id=documents[0].image_id,
            class_name="person",
            box=Box(20, 20, 9, 9),
            collection_id=collection.pk,
            document_id=documents[0].pk,
        ),
    )
    return documents
