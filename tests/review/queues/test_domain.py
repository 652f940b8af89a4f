"""Queues: what waits, who gets which image, what two people never share."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from extraction.classes.domain import ensure_classes
from extraction.packages.models import ExtractorVersion
from extraction.search.models import Execution
from extraction.truth.models import ImageReview
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import SYSTEM, person
from review.queues import domain as queues
from review.queues.models import QueueItem
from review.queues.queries import class_choices, pace, waiting_queues, work_on
from review.verdicts.domain import Verdict, record_verdicts, retract_verdicts
from review.verdicts.models import Annotation
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(make.make_bucket(namespace))


def one_box(confidence):
    return (make.found("bus", confidence),)


def test_only_doubtful_boxes_wait_least_sure_first(collection, namespace):
    for confidence in (0.65, 0.3, 0.9, 0.5):
        make.make_detected(collection, detections=one_box(confidence))
    queue = make.queue_of(collection)
    user = make.make_user(namespace)
    assert queue.waiting_count == 3
    seen = []
    while image := queues.next_image(queue=queue, user=user, exclude=[i.pk for i in seen]):
        seen.append(image)
    scores = [QueueItem.objects.get(image=image).score for image in seen]
    assert scores == [0.3, 0.5, 0.65]


def test_an_image_that_somebody_has_open_is_nobody_elses(collection, namespace):
    make.make_detected(collection, 2)
    queue = make.queue_of(collection)
    ines, ole, una = (make.make_user(namespace) for _ in range(3))
    first = queues.next_image(queue=queue, user=ines)
    second = queues.next_image(queue=queue, user=ole)
    assert first.pk != second.pk
    assert queues.next_image(queue=queue, user=una) is None
    assert queues.next_image(queue=queue, user=ines).pk == first.pk
    assert not queues.renew_lease(image=first, user=ole)
    queues.release_lease(images=[first], user=ines)
    assert queues.next_image(queue=queue, user=una).pk == first.pk


def test_behind_any_number_of_open_images_the_free_one_is_found(collection, namespace):
    make.make_detected(collection, 30, detections=one_box(0.3))
    last = make.make_detected(collection, detections=one_box(0.6))[0]
    queue = make.queue_of(collection)
    ines, ole = make.make_user(namespace), make.make_user(namespace)
    held: list[int] = []
    for _ in range(30):
        held.append(queues.next_image(queue=queue, user=ines, exclude=held).pk)
    assert queues.next_image(queue=queue, user=ole).pk == last.image_id


def test_a_lease_that_ran_out_is_free(collection, namespace):
    make.make_detected(collection, 1)
    queue = make.queue_of(collection)
    ines, ole = make.make_user(namespace), make.make_user(namespace)
    image = queues.next_image(queue=queue, user=ines)
    ImageReview.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert queues.next_image(queue=queue, user=ole).pk == image.pk
    assert not queues.renew_lease(image=image, user=ines)


def test_a_skipped_image_comes_last(collection, namespace):
    for confidence in (0.3, 0.5):
        make.make_detected(collection, detections=one_box(confidence))
    queue = make.queue_of(collection)
    user = make.make_user(namespace)
    first = queues.next_image(queue=queue, user=user)
    queues.skip_image(queue=queue, image=first, user=user)
    second = queues.next_image(queue=queue, user=user)
    assert second.pk != first.pk
    assert queues.next_image(queue=queue, user=user, exclude=[second.pk]).pk == first.pk


def test_a_new_generation_takes_the_old_ones_place(collection):
    document = make.make_detected(collection)[0]
    make.detect(collection, [document.object], [make.result(one_box(0.4))], dedup="replace")
    queue = make.queue_of(collection)
    assert queue.waiting_count == 1
    states = QueueItem.objects.filter(queue=queue).order_by("pk").values_list("state", flat=True)
    assert sorted(states) == ["superseded", "superseded", "waiting"]


def test_another_threshold_lets_more_or_fewer_wait(collection):
    make.make_detected(collection, 2)
    queue = make.queue_of(collection)
    assert queue.waiting_count == 4
    assert queues.set_threshold(queue=queue, below=0.5, by=SYSTEM).waiting_count == 2
    queue = queues.set_threshold(queue=queue, below=0.95, by=SYSTEM)
    assert (queue.waiting_count, queue.items.count()) == (6, 6)
    condition = queue.retriever.stages[0]["config"]["parameters"]["filters"]["AND"][0]
    assert condition["value"] == 0.95
    with pytest.raises(InvalidInput):
        queues.set_threshold(queue=queue, below=1.5, by=SYSTEM)


def test_a_sitting_is_an_execution_of_the_queues_retriever(collection, namespace):
    queue = make.queue_of(collection)
    execution = queues.open_queue(queue=queue, user=make.make_user(namespace, name="ines"))
    row = Execution.objects.get(public_id=execution.public_id)
    assert (row.retriever, row.actor) == (queue.retriever, "ines")


def test_a_reviewer_sees_waiting_boxes_first_with_their_reason(collection, namespace):
    document = make.make_detected(collection)[0]
    work = work_on(make.queue_of(collection), document.image, make.make_user(namespace))
    assert [(box.class_name, box.waits) for box in work.boxes] == [
        ("bus", True),
        ("person", True),
        ("truck", False),
    ]
    assert work.boxes[0].reason == "0.43 · between bus and truck"
    assert work.boxes[1].reason == "0.62 · under 0.70"


def test_a_detector_that_is_not_up_says_so(collection, namespace):
    ExtractorVersion.objects.update(state="failed", error="The weights file x.pt is not here.")
    make.make_objects(collection.buckets.get())
    card = waiting_queues(namespace)[0]
    assert (card.running, card.problem) == (False, "The weights file x.pt is not here.")


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_number_of_queries(namespace, count, django_assert_num_queries):
    bucket = make.make_bucket(namespace)
    for _ in range(count):
        make.make_detected(make.make_collection(bucket))
    with django_assert_num_queries(5):
        cards = waiting_queues(namespace)
    assert [len(card.thumbs) for card in cards] == [2] * count


@pytest.mark.django_db(transaction=True)
def test_four_people_at_once_never_get_the_same_image(namespace):
    collection = make.make_collection(make.make_bucket(namespace))
    make.make_detected(collection, 12)
    queue = make.queue_of(collection)
    users = [make.make_user(namespace) for _ in range(4)]
    got: dict[int, list[int]] = {user.pk: [] for user in users}

    def sit(user) -> None:
        try:
            while image := queues.next_image(queue=queue, user=user, exclude=got[user.pk]):
                got[user.pk].append(image.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=sit, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [key for keys in got.values() for key in keys]
    assert len(everything) == len(set(everything)) == 12


def test_the_detectors_own_classes_come_first_then_the_commonest(collection, namespace):
    ensure_classes(namespace=namespace, names=["aardvark", "zebra"])
    document = make.make_detected(collection)[0]
    verdict = Verdict("missed", image_id=document.image_id, class_name="zebra", box=Box(20, 20, 10, 10))
    record_verdicts(namespace=namespace, verdicts=[verdict], by=SYSTEM)
    names = [choice["name"] for choice in class_choices(make.queue_of(collection))]
    assert names == ["bus", "person", "truck", "zebra", "aardvark"]


def test_taking_back_a_verdict_on_a_superseded_box_brings_nothing_back(collection, namespace):
    document = make.make_detected(collection)[0]
    box = make.detections_of(document)[-1]
    row = record_verdicts(namespace=namespace, verdicts=[Verdict("confirmed", box.pk)], by=SYSTEM)[
        0
    ].annotation
    make.detect(collection, [document.object], [make.result()], dedup="replace")
    retract_verdicts(namespace=namespace, annotation_ids=[row.public_id], by=SYSTEM)
    queue = make.queue_of(collection)
    assert (queue.waiting_count, queue.done_count) == (0, 0)
    assert queues.next_image(queue=queue, user=make.make_user(namespace)) is None


def test_the_pace_leaves_pauses_out_and_says_nothing_too_early(collection, namespace):
    user = make.make_user(namespace)
    boxes = [
        box for document in make.make_detected(collection, 4) for box in make.detections_of(document)[1:]
    ]
    queue = make.queue_of(collection)
    record_verdicts(
        namespace=namespace, verdicts=[Verdict("confirmed", box.pk) for box in boxes[:6]], by=person(user)
    )
    rows = list(Annotation.objects.order_by("pk"))
    # Ten seconds apart, with a pause of four minutes in the middle.
    for row, seconds in zip(rows, (310, 300, 290, 50, 40, 30), strict=True):
        Annotation.objects.filter(pk=row.pk).update(updated_at=timezone.now() - timedelta(seconds=seconds))
    assert pace(queue, user).per_minute == pytest.approx(60 * 5 / 70, rel=0.01)
    Annotation.objects.filter(pk__in=[row.pk for row in rows[:2]]).delete()
    assert pace(queue, user).per_minute is None


# ---- boxes drawn at random


def test_a_share_of_all_boxes_is_drawn_at_random_among_the_doubtful(collection, settings):
    settings.MIXCV_AUDIT_SHARE = 0.3
    make.make_detected(collection, 60)
    queue = make.queue_of(collection)
    items = queue.items.select_related("detection")
    drawn = [item for item in items if item.source == "audit"]
    assert 30 <= len(drawn) <= 80  # of 180 boxes
    assert any(item.detection.confidence > queue.doubtful_below for item in drawn)
    assert any(item.detection.confidence < queue.doubtful_below for item in drawn)
    assert all(0 <= item.score < queue.doubtful_below for item in drawn)
    others = [item for item in items if item.source == "queue"]
    assert all(item.detection.confidence < queue.doubtful_below for item in others)
    assert queue.waiting_count == len(items)


def test_the_draw_stands_when_the_threshold_moves(collection, settings):
    settings.MIXCV_AUDIT_SHARE = 0.3
    make.make_detected(collection, 20)
    queue = make.queue_of(collection)
    before = set(queue.items.filter(source="audit").values_list("detection_id", flat=True))
    for below in (0.2, 0.9, 0.7):
        queues.set_threshold(queue=queue, below=below, by=SYSTEM)
    assert set(queue.items.filter(source="audit").values_list("detection_id", flat=True)) == before
    queue.refresh_from_db()
    assert queue.waiting_count == queue.items.filter(state="waiting").count()


def test_a_box_that_was_drawn_says_so(collection, settings):
    settings.MIXCV_AUDIT_SHARE = 1
    make.make_detected(collection, 1)
    queue = make.queue_of(collection)
    boxes = work_on(queue, queue.items.first().image, make.make_user(queue.namespace)).boxes
    assert {box.reason for box in boxes} == {f"{box.confidence:.2f} · drawn at random" for box in boxes}
