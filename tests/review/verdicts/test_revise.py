"""Annotations changed and deleted by their ids."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from extraction.classes.models import ObjectClass
from extraction.truth.models import GroundTruthBox
from mixcv.kernel.errors import Conflict, InvalidInput, NotFound
from mixcv.kernel.geometry import Box
from mixcv.kernel.models import Event
from mixcv.tenancy.actors import Actor
from review.verdicts.domain import (
    Revision,
    UnknownLabel,
    Verdict,
    define_label,
    delete_verdicts,
    record_verdicts,
    retract_verdicts,
    revise_verdicts,
)
from review.verdicts.models import Annotation, AnnotationVersion
from tests import factories as make

pytestmark = pytest.mark.django_db
INES, OLE = Actor("ines"), Actor("ole")


def record(namespace, verdict, by=INES):
    return record_verdicts(namespace=namespace, verdicts=[verdict], by=by)[0].annotation


def revise(namespace, row, by=INES, **changes):
    revision = Revision(row.public_id, changes)
    return revise_verdicts(namespace=namespace, revisions=[revision], by=by)[0]


def truth_of(document):
    rows = GroundTruthBox.objects.filter(image=document.image).order_by("pk")
    return [(row.object_class.name, row.state) for row in rows]


def missed(document, name="bus"):
    return Verdict(
        "missed",
        image_id=document.image_id,
        class_name=name,
        box=Box(50, 50, 20, 20),
        document_id=document.pk,
    )


def test_a_changed_label_is_a_new_version_and_truth_follows(namespace, document, boxes):
    row = record(namespace, Verdict("confirmed", boxes[2].pk, retriever_ref="ret_x"))
    outcome = revise(
        namespace,
        row,
        by=OLE,
        label="corrected",
        payload={"true_class": "tram", "bbox": {"x": 150, "y": 110, "w": 90, "h": 60}},
    )
    assert outcome.error is None
    row.refresh_from_db()
    assert (row.version, row.label, row.object_class.name, row.cx) == (2, "corrected", "tram", 150)
    assert (row.actor, row.retriever_ref) == ("ines", "ret_x")
    assert list(row.versions.values_list("version", "label", "actor")) == [
        (1, "confirmed", "ines"),
        (2, "corrected", "ole"),
    ]
    assert truth_of(document) == [("tram", "active")]
    assert ObjectClass.objects.get(name="tram").state == "proposed"
    assert list(Event.objects.filter(subject=row.public_id).values_list("type", "actor")) == [
        ("annotation.created", "ines"),
        ("annotation.updated", "ole"),
    ]


def test_a_note_alone_does_not_make_an_older_decision_the_latest(namespace, document, boxes):
    bus = boxes[2]
    first = record(namespace, Verdict("confirmed", bus.pk))
    record(namespace, Verdict("corrected", bus.pk, class_name="truck"), by=OLE)
    assert revise(namespace, first, reasoning="Seen by day.", confidence=0.5).error is None
    assert truth_of(document) == [("truck", "disputed")]
    bus.refresh_from_db()
    revision = bus.revision
    assert revise(namespace, first, metadata={"shift": 2}).error is None
    bus.refresh_from_db()
    assert (bus.decided_class.name, bus.revision) == ("truck", revision)
    assert revise(namespace, first, payload={"true_class": "bus"}).error is None
    assert truth_of(document) == [("bus", "disputed")]


def test_what_was_drawn_in_the_browser_keeps_its_class_and_box_under_a_note(namespace, document):
    row = record(namespace, missed(document))
    assert revise(namespace, row, reasoning="half hidden").error is None
    row.refresh_from_db()
    assert (row.object_class.name, row.cx, row.version) == ("bus", 50, 2)
    moved = {"true_class": "truck", "bbox": {"x": 60, "y": 60, "w": 20, "h": 20}}
    assert revise(namespace, row, payload=moved).error is None
    assert truth_of(document) == [("truck", "active")]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({}, InvalidInput, "at least one of label"),
        ({"label": "confirmd"}, UnknownLabel, "nearest is 'confirmed'"),
        ({"label": "corrected"}, InvalidInput, "true_class"),
        ({"label": "missed"}, InvalidInput, "cannot become missed"),
        ({"label": "blurred"}, InvalidInput, "cannot become blurred"),
        ({"payload": {"bbox": {"x": 1}}}, InvalidInput, "it must be a number of pixels"),
        ({"payload": {"bbox": {"x": 9000, "y": 1, "w": 2, "h": 2}}}, InvalidInput, "outside the image"),
        ({"payload": {"true_class": 7}}, InvalidInput, "true_class"),
        ({"payload": {"image_width": 0}}, InvalidInput, "image_width"),
        ({"confidence": 3}, InvalidInput, "0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_changes(namespace, boxes, changes, error, words):
    define_label(namespace=namespace, name="blurred", by=INES)
    row = record(namespace, Verdict("confirmed", boxes[0].pk))
    outcome = revise(namespace, row, **changes)
    assert isinstance(outcome.error, error)
    assert words in outcome.error.message or (
        words == "cannot become missed" and "class and its box" in outcome.error.message
    )
    row.refresh_from_db()
    assert (row.label, row.version) == ("confirmed", 1)


def test_a_verdict_does_not_become_a_missed_object(namespace, boxes):
    row = record(namespace, Verdict("confirmed", boxes[0].pk))
    payload = {"true_class": "bus", "bbox": {"x": 50, "y": 50, "w": 20, "h": 20}}
    outcome = revise(namespace, row, label="missed", payload=payload)
    assert "cannot become missed" in outcome.error.message


def test_two_missed_objects_do_not_become_one_twice(namespace, document):
    first, second = record(namespace, missed(document)), record(namespace, missed(document, "truck"))
    outcome = revise(
        namespace, second, payload={"true_class": "bus", "bbox": {"x": 50, "y": 50, "w": 20, "h": 20}}
    )
    assert isinstance(outcome.error, Conflict)
    assert first.public_id in outcome.error.message


def test_two_changes_of_one_annotation_in_one_call_are_two_versions(namespace, boxes):
    row = record(namespace, Verdict("confirmed", boxes[0].pk))
    revisions = [
        Revision(row.public_id, {"label": "false_positive"}),
        Revision("ann_nope", {"label": "confirmed"}),
        Revision(row.public_id, {"reasoning": "a shadow"}),
    ]
    outcomes = revise_verdicts(namespace=namespace, revisions=revisions, by=INES)
    assert [one.error is None for one in outcomes] == [True, False, True]
    assert isinstance(outcomes[1].error, NotFound)
    row.refresh_from_db()
    assert (row.label, row.reasoning, row.version) == ("false_positive", "a shadow", 3)


def test_a_deleted_annotation_holds_no_more_and_its_versions_stay(namespace, document, boxes):
    bus = boxes[2]
    row = record(namespace, Verdict("confirmed", bus.pk))
    record(namespace, Verdict("corrected", bus.pk, class_name="truck"))
    outcomes = delete_verdicts(namespace=namespace, annotation_ids=[row.public_id] * 2, by=OLE)
    assert outcomes[0].error is None
    assert isinstance(outcomes[1].error, NotFound)
    bus.refresh_from_db()
    assert bus.decided_label == ""
    assert truth_of(document) == [("truck", "removed")]
    assert list(AnnotationVersion.objects.values_list("version", "actor", "takes_back")) == [
        (1, "ines", False),
        (2, "ines", False),
        (3, "ole", True),
    ]
    assert Event.objects.filter(type="annotation.deleted", subject=row.public_id).exists()
    assert isinstance(
        retract_verdicts(namespace=namespace, annotation_ids=[row.public_id], by=INES)[0].error, NotFound
    )
    again = record(namespace, Verdict("confirmed", bus.pk))
    assert again.public_id != row.public_id


def test_deleting_one_of_two_opinions_lets_the_other_stand(namespace, document, boxes):
    bus = boxes[2]
    record(namespace, Verdict("confirmed", bus.pk))
    wrong = record(namespace, Verdict("corrected", bus.pk, class_name="truck"), by=OLE)
    delete_verdicts(namespace=namespace, annotation_ids=[wrong.public_id], by=INES)
    assert truth_of(document) == [("bus", "active")]


def test_another_namespace_changes_and_deletes_nothing(namespace, boxes):
    row = record(namespace, Verdict("confirmed", boxes[0].pk))
    other = make.make_namespace("other")
    assert isinstance(revise(other, row, label="false_positive").error, NotFound)
    outcome = delete_verdicts(namespace=other, annotation_ids=[row.public_id], by=INES)[0]
    assert isinstance(outcome.error, NotFound)


def test_many_take_the_same_number_of_statements_as_a_few(namespace, django_assert_max_num_queries):
    collection = make.make_collection(make.make_bucket(namespace))
    documents = make.make_detected(collection, 10)
    boxes = [box for document in documents for box in make.detections_of(document)]
    verdicts = [*(Verdict("confirmed", box.pk) for box in boxes), *(missed(one) for one in documents)]
    rows = [one.annotation for one in record_verdicts(namespace=namespace, verdicts=verdicts, by=INES)]
    payload = {"true_class": "truck", "bbox": {"x": 70, "y": 50, "w": 20, "h": 20}}
    with django_assert_max_num_queries(40):
        outcomes = revise_verdicts(
            namespace=namespace,
            revisions=[Revision(row.public_id, {"payload": payload}) for row in rows],
            by=INES,
        )
    assert all(one.error is None for one in outcomes)
    with django_assert_max_num_queries(40):
        outcomes = delete_verdicts(namespace=namespace, annotation_ids=[r.public_id for r in rows], by=INES)
    assert all(one.error is None for one in outcomes)
    assert not Annotation.objects.filter(deleted_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_two_people_who_change_and_decide_at_once_do_not_lock_each_other_out():
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace))
    boxes = [box.pk for one in make.make_detected(collection, 6) for box in make.detections_of(one)]
    verdicts = [Verdict("confirmed", key) for key in boxes]
    refs = [
        one.annotation.public_id for one in record_verdicts(namespace=namespace, verdicts=verdicts, by=INES)
    ]
    errors = []

    def in_a_thread(work):
        def run():
            try:
                for _ in range(5):
                    work()
            except Exception as error:
                errors.append(error)
            finally:
                connection.close()

        return threading.Thread(target=run)

    def change(ids):
        revisions = [Revision(ref, {"label": "false_positive"}) for ref in ids]
        revise_verdicts(namespace=namespace, revisions=revisions, by=OLE)

    threads = [
        in_a_thread(lambda: change(refs)),
        in_a_thread(lambda: change(refs[::-1])),
        in_a_thread(lambda: record_verdicts(namespace=namespace, verdicts=verdicts[::-1], by=OLE)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Annotation.objects.filter(deleted_at=None).count() == 2 * len(boxes)
    assert set(Annotation.objects.filter(actor="ines").values_list("version", flat=True)) == {11}


@pytest.mark.django_db(transaction=True)
def test_new_classes_on_both_sides_do_not_lock_each_other_out():
    """Drawing and changing missed objects of one image, each with classes that nobody knows yet."""
    namespace = make.make_namespace()
    document = make.make_detected(make.make_collection(make.make_bucket(namespace)))[0]
    row = record(namespace, missed(document))
    errors = []

    def draw():
        for n in range(20):
            record(namespace, missed(document, f"drawn {n}"), by=OLE)

    def change():
        for n in range(20):
            payload = {"true_class": f"changed {n}", "bbox": {"x": 50, "y": 50, "w": 20, "h": 20}}
            outcome = revise(namespace, row, payload=payload)
            assert outcome.error is None

    def run(work):
        try:
            work()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in (draw, change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert GroundTruthBox.objects.filter(state="active").count() == 21
