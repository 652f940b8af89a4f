"""Two versions of a detector over the same images."""

from __future__ import annotations

from extraction.runs.models import Document
from extraction.truth.domain import declare_complete
from extraction.truth.models import DetectionMatch
from extraction.truth.rematch import rematch
from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import Actor
from review.queues.models import Queue, QueueItem
from review.verdicts.domain import Verdict, record_verdicts, retract_verdicts
from tests import factories as make

INES, OLE = Actor("ines"), Actor("ole")
BUS, PERSON, TRUCK = (100, 100, 60, 40), (200, 60, 20, 60), (60, 200, 40, 20)


def first_look(namespace, count=1, detections=None):
    """Documents of version 1.0.0 of the detector `street`."""
    collection = make.make_collection(
        make.make_bucket(namespace), "first", version=make.make_version(namespace, "street", "1.0.0")
    )
    found = detections or [make.found("bus", 0.9, BUS), make.found("person", 0.4, PERSON)]
    return make.make_detected(collection, count, detections=found)


def next_look(documents, detections, version="2.0.0", name=""):
    """The same images' documents of a later version."""
    bucket = documents[0].object.bucket
    collection = make.make_collection(
        bucket, name or f"look {version}", version=make.make_version(bucket.namespace, "street", version)
    )
    objects = [one.object for one in documents]
    make.detect(collection, objects, [make.result(detections) for _ in objects])
    return list(Document.objects.filter(collection=collection).order_by("pk"))


def say(document, label, *keys, by=INES, **more):
    outcomes = record_verdicts(
        namespace=document.collection.namespace,
        verdicts=[Verdict(label, key, **more) for key in keys],
        by=by,
    )
    assert all(one.error is None for one in outcomes), outcomes
    return [one.annotation for one in outcomes]


def draw(document, name, box, by=INES):
    verdict = Verdict(
        "missed", image_id=document.image_id, class_name=name, box=Box(*box), document_id=document.pk
    )
    return record_verdicts(namespace=document.collection.namespace, verdicts=[verdict], by=by)[0].annotation


def take_back(annotation, by=INES):
    outcomes = retract_verdicts(namespace=annotation.namespace, annotation_ids=[annotation.public_id], by=by)
    assert outcomes[0].error is None


def box(document, name):
    return document.detections.get(current=True, object_class__name=name)


def confirm_all(documents, by=INES):
    for document in documents:
        say(document, "confirmed", *(one.pk for one in make.detections_of(document)), by=by)


def settle():
    """What the task does."""
    while rematch():
        pass


def states(document):
    """What holds for each detection, surest first: label, class, and whether a match says so."""
    matched = set(DetectionMatch.objects.values_list("detection_id", flat=True))
    return [
        (one.decided_label, one.decided_class.name if one.decided_class else "", one.pk in matched)
        for one in make.detections_of(document)
    ]


def queue_of(document, kind="doubtful"):
    return Queue.objects.get(collection=document.collection, kind=kind)


def waiting(document, kind="doubtful"):
    """What waits: class, reason; the counts of all queues are those of their items."""
    exact()
    items = QueueItem.objects.filter(queue=queue_of(document, kind), state="waiting").order_by("score", "pk")
    return [(i.detection.object_class.name if i.detection else "", i.reason) for i in items]


def exact():
    for queue in Queue.objects.all():
        for state, count in (("waiting", queue.waiting_count), ("done", queue.done_count)):
            assert count == QueueItem.objects.filter(queue=queue, state=state).count(), (queue, state)


__all__ = ["declare_complete"]
