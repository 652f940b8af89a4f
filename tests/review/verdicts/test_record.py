"""Verdicts: what is written, what follows, what is refused."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from extraction.classes.models import ObjectClass
from extraction.truth.models import GroundTruthBox, ImageReview
from mixcv.kernel.errors import InvalidInput, NotFound
from mixcv.kernel.geometry import Box
from mixcv.kernel.models import Event
from mixcv.tenancy.actors import Actor
from review.queues.models import QueueItem
from review.verdicts.domain import StaleVerdict, UnknownLabel, Verdict, record_verdicts, retract_verdicts
from review.verdicts.models import Annotation, AnnotationVersion
from tests import factories as make

pytestmark = pytest.mark.django_db
INES, OLE = Actor("ines"), Actor("ole")


def record(namespace, *verdicts, by=INES):
    return record_verdicts(namespace=namespace, verdicts=list(verdicts), by=by)


def truth_of(document):
    rows = GroundTruthBox.objects.filter(image=document.image).order_by("pk")
    return [(row.object_class.name, row.state) for row in rows]


def test_the_four_verdicts_become_truth_history_and_events(namespace, document, boxes):
    truck, person, bus = boxes
    outcomes = record(
        namespace,
        Verdict("confirmed", truck.pk, seconds=1.5, retriever_ref="ret_x", execution_ref="exec_y"),
        Verdict("false_positive", person.pk, reasoning="a shadow"),
        Verdict("corrected", bus.pk, class_name="truck", box=Box(150, 118, 190, 110)),
        Verdict("missed", image_id=document.image_id, class_name="person", box=Box(20, 20, 10, 30)),
    )
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert truth_of(document) == [("truck", "active"), ("truck", "active"), ("person", "active")]
    corrected = GroundTruthBox.objects.get(detection=bus)
    assert (corrected.cx, corrected.cy, corrected.w, corrected.h) == (150, 118, 190, 110)
    confirmed = Annotation.objects.get(label="confirmed")
    assert (confirmed.object_class.name, confirmed.predicted_confidence) == ("truck", 0.91)
    assert (confirmed.retriever_ref, confirmed.execution_ref, confirmed.seconds) == ("ret_x", "exec_y", 1.5)
    assert AnnotationVersion.objects.count() == 4
    assert Event.objects.filter(type="annotation.created").count() == 4
    bus.refresh_from_db()
    assert (bus.decided_label, bus.decided_class.name, bus.revision) == ("corrected", "truck", 1)
    assert ImageReview.objects.get(image=document.image).completeness == "complete"


def test_a_second_verdict_of_the_same_person_is_a_new_version(namespace, document, boxes):
    bus = boxes[2]
    first = record(namespace, Verdict("confirmed", bus.pk))[0].annotation
    again = record(namespace, Verdict("false_positive", bus.pk))[0]
    assert (again.created, again.annotation.public_id, again.annotation.version) == (
        False,
        first.public_id,
        2,
    )
    labels = list(AnnotationVersion.objects.order_by("version").values_list("label", flat=True))
    assert labels == ["confirmed", "false_positive"]
    assert truth_of(document) == [("bus", "removed")]
    seqs = Event.objects.filter(subject=first.public_id).order_by("subject_seq")
    assert list(seqs.values_list("type", "subject_seq")) == [
        ("annotation.created", 1),
        ("annotation.updated", 2),
    ]


def test_two_verdicts_on_one_detection_in_one_call_are_two_versions(namespace, boxes):
    bus = boxes[2]
    record(namespace, Verdict("confirmed", bus.pk), Verdict("corrected", bus.pk, class_name="truck"))
    row = Annotation.objects.get()
    assert (row.label, row.version, row.versions.count()) == ("corrected", 2, 2)


def test_the_latest_of_two_people_stands_and_the_box_is_disputed(namespace, document, boxes):
    bus = boxes[2]
    record(namespace, Verdict("confirmed", bus.pk))
    record(namespace, Verdict("corrected", bus.pk, class_name="truck"), by=OLE)
    assert truth_of(document) == [("truck", "disputed")]
    record(namespace, Verdict("corrected", bus.pk, class_name="truck"))
    assert truth_of(document) == [("truck", "active")]


def test_a_stale_verdict_is_refused_with_what_changed(namespace, boxes):
    bus = boxes[2]
    record(namespace, Verdict("corrected", bus.pk, class_name="truck", revision=0), by=OLE)
    outcome = record(namespace, Verdict("confirmed", bus.pk, revision=0))[0]
    assert isinstance(outcome.error, StaleVerdict)
    details = outcome.error.details
    assert (details["by"], details["label"], details["class"], details["revision"]) == (
        "ole",
        "corrected",
        "truck",
        1,
    )
    assert Annotation.objects.count() == 1


def test_a_faulty_verdict_costs_the_others_nothing(namespace, boxes):
    outcomes = record(
        namespace,
        Verdict("confirmed", boxes[0].pk),
        Verdict("maybe", boxes[1].pk),
        Verdict("confirmed", boxes[2].pk),
    )
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert Annotation.objects.count() == 2


@pytest.mark.parametrize(
    ("verdict", "error", "words"),
    [
        (lambda d: Verdict("maybe", d.pk), UnknownLabel, "confirmed, corrected, false_positive, missed"),
        (lambda d: Verdict("corrected", d.pk), InvalidInput, "true_class"),
        (lambda d: Verdict("missed", image_id=d.image_id, class_name="bus"), InvalidInput, "its box"),
        (lambda d: Verdict("confirmed", d.pk, box=Box(5000, 5, 10, 10)), InvalidInput, "320 × 240"),
        (lambda d: Verdict("confirmed", d.pk, box=Box(float("nan"), 5, 10, 10)), InvalidInput, "not finite"),
        (lambda d: Verdict("confirmed", d.pk, box=Box(5, 5, 0, 10)), InvalidInput, "no area"),
        (lambda d: Verdict("corrected", d.pk, class_name=" "), InvalidInput, "1 to 200"),
        (lambda d: Verdict("confirmed", d.pk, confidence=1.5), InvalidInput, "0 to 1"),
        (lambda d: Verdict("confirmed", 10**9), NotFound, "does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(namespace, boxes, verdict, error, words):
    outcome = record(namespace, verdict(boxes[0]))[0]
    assert isinstance(outcome.error, error)
    assert words in outcome.error.message
    assert not Annotation.objects.exists()


def test_another_namespace_cannot_decide_here(boxes):
    outcome = record(make.make_namespace("other"), Verdict("confirmed", boxes[0].pk))[0]
    assert isinstance(outcome.error, NotFound)


def test_a_box_over_the_border_is_clipped(namespace, document):
    record(namespace, Verdict("missed", image_id=document.image_id, class_name="bus", box=Box(0, 0, 20, 20)))
    row = GroundTruthBox.objects.get()
    assert (row.cx, row.cy, row.w, row.h) == (5, 5, 10, 10)


def test_an_unknown_class_is_proposed(namespace, boxes):
    record(namespace, Verdict("corrected", boxes[2].pk, class_name="tram"))
    assert ObjectClass.objects.get(name="tram").state == "proposed"


def test_a_missed_object_sent_twice_is_one(namespace, document):
    verdict = Verdict("missed", image_id=document.image_id, class_name="bus", box=Box(50, 50, 20, 20))
    record(namespace, verdict)
    record(namespace, verdict)
    assert Annotation.objects.get().version == 2
    assert truth_of(document) == [("bus", "active")]


def test_deciding_ticks_off_the_queue_and_undo_brings_it_back(namespace, document, boxes):
    queue = make.queue_of(document.collection)
    assert (queue.waiting_count, queue.done_count) == (2, 0)
    bus = boxes[2]
    annotation = record(namespace, Verdict("confirmed", bus.pk))[0].annotation
    queue.refresh_from_db()
    assert (queue.waiting_count, queue.done_count) == (1, 1)
    outcome = retract_verdicts(namespace=namespace, annotation_ids=[annotation.public_id], by=INES)[0]
    assert outcome.error is None
    queue.refresh_from_db()
    assert (queue.waiting_count, queue.done_count) == (2, 0)
    bus.refresh_from_db()
    assert (bus.decided_label, bus.revision) == ("", 2)
    assert truth_of(document) == [("bus", "removed")]
    assert QueueItem.objects.get(detection=bus).state == "waiting"
    assert Annotation.objects.get().deleted_at is not None
    assert Event.objects.filter(type="annotation.deleted").exists()


def test_undo_goes_back_one_version_at_a_time(namespace, boxes):
    bus = boxes[2]
    ref = record(namespace, Verdict("confirmed", bus.pk))[0].annotation.public_id
    record(namespace, Verdict("false_positive", bus.pk))
    retract_verdicts(namespace=namespace, annotation_ids=[ref], by=INES)
    bus.refresh_from_db()
    assert bus.decided_label == "confirmed"
    record(namespace, Verdict("corrected", bus.pk, class_name="truck"))
    retract_verdicts(namespace=namespace, annotation_ids=[ref], by=INES)
    retract_verdicts(namespace=namespace, annotation_ids=[ref], by=INES)
    bus.refresh_from_db()
    assert bus.decided_label == ""
    assert record(namespace, Verdict("confirmed", bus.pk))[0].created


def test_nobody_takes_back_what_is_anothers(namespace, boxes):
    ref = record(namespace, Verdict("confirmed", boxes[0].pk))[0].annotation.public_id
    outcome = retract_verdicts(namespace=namespace, annotation_ids=[ref], by=OLE)[0]
    assert isinstance(outcome.error, NotFound)


def test_all_rejected_is_verified_empty(namespace, document, boxes):
    record(namespace, *(Verdict("false_positive", box.pk) for box in boxes))
    assert ImageReview.objects.get(image=document.image).completeness == "verified_empty"


def test_a_bulk_takes_the_same_number_of_queries_as_a_few(namespace, django_assert_max_num_queries):
    collection = make.make_collection(make.make_bucket(namespace))
    documents = make.make_detected(collection, 20)
    verdicts = [
        Verdict("confirmed", box.pk) for document in documents for box in make.detections_of(document)
    ]
    with django_assert_max_num_queries(32):
        outcomes = record(namespace, *verdicts)
    assert all(outcome.error is None for outcome in outcomes)


@pytest.mark.django_db(transaction=True)
def test_an_undo_beside_anothers_verdict_leaves_the_others_standing():
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace))
    for document in make.make_detected(collection, 6):
        bus = make.detections_of(document)[2]
        ref = record(namespace, Verdict("confirmed", bus.pk))[0].annotation.public_id

        def decide(key=bus.pk) -> None:
            try:
                record(namespace, Verdict("corrected", key, class_name="truck"), by=OLE)
            finally:
                connection.close()

        other = threading.Thread(target=decide)
        other.start()
        retract_verdicts(namespace=namespace, annotation_ids=[ref], by=INES)
        other.join()
        bus.refresh_from_db()
        assert (bus.decided_label, bus.decided_class.name) == ("corrected", "truck")
        assert truth_of(document) == [("truck", "active")]
    queue = make.queue_of(collection)
    assert (queue.waiting_count, queue.done_count) == (6, 6)
