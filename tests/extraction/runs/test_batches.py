"""Batches and what workers write of them."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from extraction.packages.models import ExtractorVersion
from extraction.runs import domain as runs
from extraction.runs.domain.process import chunk_images
from extraction.runs.models import Batch, BatchItem, Detection, Document, Embedding
from extraction.runs.queries import batch_progress
from mixcv.kernel.errors import Conflict, InvalidInput, NotFound
from mixcv.kernel.models import Event, Job
from mixcv.tenancy.actors import SYSTEM
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection():
    bucket = make.make_bucket(make.make_namespace())
    return make.make_collection(bucket)


def test_it_stores_boxes_to_the_last_bit_with_vectors_and_counts(collection):
    objects = make.make_objects(collection.buckets.get(), 2)
    box = (100.123456789, 77.7, 33.3333333333, 41.0000000001)
    batch = make.detect(
        collection,
        objects,
        [make.result([make.found("bus", 0.6, box), make.found("person", 0.9)]), make.result()],
    )
    assert batch.state == Batch.State.COMPLETED
    assert (batch.item_count, batch.done_count) == (2, 2)
    first = Document.objects.get(object=objects[0])
    surest, other = first.detections.order_by("rank")
    assert (surest.object_class.name, surest.confidence, surest.ordinal) == ("person", 0.9, 0)
    assert (other.cx, other.cy, other.w, other.h) == box
    assert first.top_confidence == 0.9
    assert Document.objects.get(object=objects[1]).top_confidence is None
    assert Embedding.objects.filter(detection__document=first).count() == 2
    collection.refresh_from_db()
    assert (collection.document_count, collection.detection_count) == (2, 2)
    assert Event.objects.filter(type="batch.completed", subject=batch.public_id).count() == 1
    assert Job.objects.get(subject=batch.public_id).state == Job.State.COMPLETED


def test_it_leaves_out_a_vector_of_nan(collection):
    objects = make.make_objects(collection.buckets.get(), 1)
    answer = make.result([make.found(), make.found("person", 0.9)])
    answer.crop_embedding[1] = float("nan")
    make.detect(collection, objects, [answer])
    assert Embedding.objects.count() == 1


def test_one_bad_image_fails_alone_with_its_reason(collection):
    objects = make.make_objects(collection.buckets.get(), 4)
    answers = [make.result([make.found()]) for _ in objects]
    answers[2] = make.result(error="the picture cannot be read")
    batch = make.detect(collection, objects, answers)
    assert batch.state == Batch.State.COMPLETED_WITH_ERRORS
    assert (batch.done_count, batch.failed_count) == (3, 1)
    item = BatchItem.objects.get(state=BatchItem.State.FAILED)
    assert (item.object_id, item.reason) == (objects[2].pk, "the picture cannot be read")


def test_failed_items_are_retried_and_the_batch_finishes_again(collection):
    objects = make.make_objects(collection.buckets.get(), 2)
    batch = make.detect(collection, objects, [make.result(error="no"), make.result()])
    assert runs.retry_failed(batch=batch, by=SYSTEM) == 1
    items = runs.claim_items(collection_id=collection.pk, worker="test", limit=9)
    assert [item.object_id for item in items] == [objects[0].pk]
    runs.write_chunk(collection=collection, worker="test", items=items, results=[make.result([make.found()])])
    assert runs.finish_if_done(batch)
    batch.refresh_from_db()
    assert (batch.state, batch.done_count, batch.failed_count) == (Batch.State.COMPLETED, 2, 0)
    with pytest.raises(Conflict, match="No item of this batch failed"):
        runs.retry_failed(batch=batch, by=SYSTEM)


def test_an_explicit_batch_over_done_objects_completes_with_skipped_items(collection):
    objects = make.make_objects(collection.buckets.get(), 2)
    make.detect(collection, objects, [make.result([make.found()])] * 2)
    again = runs.submit_batch(batch=runs.create_batch(bucket=objects[0].bucket, collections=[collection]))
    assert (again.state, again.skipped_count) == (Batch.State.COMPLETED, 2)
    assert Detection.objects.count() == 2


def test_replace_makes_a_new_generation_whose_ordinals_go_on(collection):
    objects = make.make_objects(collection.buckets.get(), 1)
    make.detect(collection, objects, [make.result([make.found(), make.found("person", 0.9)])])
    make.detect(collection, objects, [make.result([make.found("truck", 0.8)])], dedup="replace")
    document = Document.objects.get()
    assert (document.generation, document.detection_count) == (2, 1)
    rows = list(
        document.detections.order_by("ordinal").values_list("ordinal", "current", "generation", "rank")
    )
    assert rows == [(0, False, 1, 0), (1, False, 1, 1), (2, True, 2, 0)]
    collection.refresh_from_db()
    assert (collection.document_count, collection.detection_count) == (1, 1)


def test_what_a_worker_lost_its_lease_of_is_not_written_by_it(collection):
    objects = make.make_objects(collection.buckets.get(), 1)
    batch = runs.create_batch(bucket=objects[0].bucket, collections=[collection])
    runs.submit_batch(batch=batch)
    slow = runs.claim_items(collection_id=collection.pk, worker="slow", limit=1)
    BatchItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runs.sweep_leases() == [collection.pk]
    fast = runs.claim_items(collection_id=collection.pk, worker="fast", limit=1)
    assert fast[0].attempt == 2
    answer = [make.result([make.found()])]
    assert runs.write_chunk(collection=collection, worker="slow", items=slow, results=answer) == 0
    assert runs.write_chunk(collection=collection, worker="fast", items=fast, results=answer) == 1
    assert Detection.objects.count() == 1


def test_an_image_that_takes_its_worker_along_fails_after_three_tries(collection):
    objects = make.make_objects(collection.buckets.get(), 1)
    batch = runs.submit_batch(batch=runs.create_batch(bucket=objects[0].bucket, collections=[collection]))
    for _ in range(3):
        assert len(runs.claim_items(collection_id=collection.pk, worker="w", limit=5)) == 1
        BatchItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        runs.sweep_leases()
    batch.refresh_from_db()
    assert batch.state == Batch.State.FAILED
    assert "three times" in BatchItem.objects.get().reason


def test_two_workers_never_claim_the_same_item(collection):
    make.make_objects(collection.buckets.get(), 10)
    runs.submit_batch(batch=runs.create_batch(bucket=collection.buckets.get(), collections=[collection]))
    first = runs.claim_items(collection_id=collection.pk, worker="a", limit=6)
    second = runs.claim_items(collection_id=collection.pk, worker="b", limit=6)
    assert (len(first), len(second)) == (6, 4)
    assert not {item.item_id for item in first} & {item.item_id for item in second}


def test_cancelling_stops_what_waits_and_what_runs(collection):
    objects = make.make_objects(collection.buckets.get(), 2)
    batch = runs.submit_batch(batch=runs.create_batch(bucket=objects[0].bucket, collections=[collection]))
    held = runs.claim_items(collection_id=collection.pk, worker="w", limit=1)
    batch = runs.cancel_batch(batch=batch, by=SYSTEM)
    assert batch.state == Batch.State.CANCELED
    assert (
        runs.write_chunk(collection=collection, worker="w", items=held, results=[make.result([make.found()])])
        == 0
    )
    assert not Detection.objects.exists()
    with pytest.raises(Conflict):
        runs.cancel_batch(batch=batch, by=SYSTEM)


def test_new_objects_gather_in_one_open_batch():
    bucket = make.make_bucket(make.make_namespace())
    collection = make.make_collection(bucket, enabled=True)
    make.make_objects(bucket, 2)
    make.make_objects(bucket, 3)
    batch = Batch.objects.get()
    assert (batch.automatic, batch.state, batch.item_count) == (True, Batch.State.OPEN, 5)
    assert runs.claim_items(collection_id=collection.pk, worker="w", limit=9) == []
    assert runs.close_batch(batch_id=batch.pk)
    assert not runs.close_batch(batch_id=batch.pk)
    assert len(runs.claim_items(collection_id=collection.pk, worker="w", limit=9)) == 5
    make.make_objects(bucket, 1)
    assert Batch.objects.filter(state=Batch.State.OPEN).count() == 1


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("frame_001.jpg", "frame_001"),
        ("Caf\u00e9 1.JPG", "caf\u00e9_1"),
        ("a/b/c.d.png", "c_d"),
        ("???.png", "_"),
    ],
)
def test_documents_are_named_after_their_files(collection, name, slug):
    bucket = collection.buckets.get()
    outcome = make.add_objects(
        bucket=bucket, incoming=[make.Incoming(name=name, data=make.picture())], by=SYSTEM
    )[0]
    make.detect(collection, [outcome.object], [make.result()])
    assert Document.objects.get().slug == slug


def test_a_second_document_of_a_name_gets_a_suffix(collection):
    bucket = collection.buckets.get()
    names = ["frame_001.jpg", "frame_001.jpg", "x_det_3.jpg"]
    incoming = [make.Incoming(name=name, data=make.picture()) for name in names]
    objects = [outcome.object for outcome in make.add_objects(bucket=bucket, incoming=incoming, by=SYSTEM)]
    make.detect(collection, objects, [make.result()] * 3)
    slugs = list(Document.objects.order_by("pk").values_list("slug", flat=True))
    assert slugs[0] == "frame_001"
    assert slugs[1].startswith("frame_001_")
    assert slugs[2].startswith("x_det_3_")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"object_ids": ["obj_nope"]}, NotFound, "obj_nope"),
        ({"dedup": "twice"}, InvalidInput, "skip, replace, force"),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused(collection, arguments, error, words):
    with pytest.raises(error, match=words):
        runs.create_batch(bucket=collection.buckets.get(), collections=[collection], **arguments)


def test_an_empty_batch_is_refused_in_words(collection):
    batch = runs.create_batch(bucket=collection.buckets.get(), collections=[collection])
    with pytest.raises(InvalidInput, match="Upload images"):
        runs.submit_batch(batch=batch)


def out_of_workers_reach(collection) -> None:
    """The session's real worker leaves alone what a detector that is not up would have to do."""
    ExtractorVersion.objects.filter(collections=collection).update(state="registered")


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_share_the_items_without_overlap():
    bucket = make.make_bucket(make.make_namespace())
    collection = make.make_collection(bucket)
    out_of_workers_reach(collection)
    make.make_objects(bucket, 40)
    runs.submit_batch(batch=runs.create_batch(bucket=bucket, collections=[collection]))
    claimed: list[int] = []
    together = threading.Barrier(4)

    def work(name: str) -> None:
        try:
            together.wait()
            while items := runs.claim_items(collection_id=collection.pk, worker=name, limit=3):
                claimed.extend(item.item_id for item in items)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 40


def test_a_batch_whose_detector_is_down_says_what_it_waits_for(collection):
    objects = make.make_objects(collection.buckets.get())
    batch = runs.submit_batch(batch=runs.create_batch(bucket=objects[0].bucket, collections=[collection]))
    assert batch_progress(batch)["waits_for"] == ""
    ExtractorVersion.objects.update(state="failed")
    assert batch_progress(batch)["waits_for"] == str(collection.extractor_version)


@pytest.mark.parametrize("dedup", ["replace", "force"])
def test_two_batches_that_ask_for_the_same_again_make_one_generation_a_chunk(collection, dedup):
    objects = make.make_objects(collection.buckets.get())
    make.detect(collection, objects, [make.result([make.found()])])
    for _ in range(2):
        batch = runs.create_batch(bucket=objects[0].bucket, collections=[collection], dedup=dedup)
        runs.submit_batch(batch=batch)
    items = runs.claim_items(collection_id=collection.pk, worker="w", limit=9)
    answers = [make.result([make.found("person")])] * 2
    assert runs.write_chunk(collection=collection, worker="w", items=items, results=answers) == 1
    assert Document.objects.get().generation == 2
    assert Detection.objects.filter(current=True).count() == 1


def test_a_retired_detectors_batches_end(collection):
    objects = make.make_objects(collection.buckets.get())
    batch = runs.submit_batch(batch=runs.create_batch(bucket=objects[0].bucket, collections=[collection]))
    draft = runs.create_batch(bucket=objects[0].bucket, collections=[collection], dedup="force")
    ExtractorVersion.objects.update(state="retired")
    assert runs.sweep_leases() == []
    batch.refresh_from_db()
    assert batch.state == Batch.State.FAILED
    assert BatchItem.objects.get(batch=batch).reason == "its detector was retired"
    with pytest.raises(Conflict, match="retired"):
        runs.submit_batch(batch=draft)


def test_work_of_a_detector_that_is_down_wakes_nobody(collection):
    make.make_objects(collection.buckets.get())
    runs.submit_batch(batch=runs.create_batch(bucket=collection.buckets.get(), collections=[collection]))
    assert runs.sweep_leases() == [collection.pk]
    ExtractorVersion.objects.update(state="failed")
    assert runs.sweep_leases() == []


@pytest.mark.django_db(transaction=True)
def test_stopping_a_batch_while_a_chunk_is_written_locks_nothing_up():
    bucket = make.make_bucket(make.make_namespace())
    collection = make.make_collection(bucket)
    out_of_workers_reach(collection)
    make.make_objects(bucket, 20)
    faults = []
    for _ in range(6):
        batch = runs.submit_batch(
            batch=runs.create_batch(bucket=bucket, collections=[collection], dedup="force")
        )
        items = runs.claim_items(collection_id=collection.pk, worker="w", limit=20)

        def write(items=items) -> None:
            try:
                answers = [make.result([make.found()]) for _ in items]
                runs.write_chunk(collection=collection, worker="w", items=items, results=answers)
            except Exception as error:
                faults.append(error)
            finally:
                connection.close()

        writer = threading.Thread(target=write)
        writer.start()
        with contextlib.suppress(Conflict):
            runs.cancel_batch(batch=batch, by=SYSTEM)
        writer.join()
    assert faults == []


@pytest.mark.django_db(transaction=True)
def test_an_upload_beside_a_closing_batch_is_never_lost():
    bucket = make.make_bucket(make.make_namespace())
    out_of_workers_reach(make.make_collection(bucket, enabled=True))
    over = threading.Event()

    def close() -> None:
        try:
            while not over.is_set():
                for key in list(Batch.objects.filter(state=Batch.State.OPEN).values_list("pk", flat=True)):
                    runs.close_batch(batch_id=key)
        finally:
            connection.close()

    closer = threading.Thread(target=close)
    closer.start()
    for _ in range(15):
        make.make_objects(bucket, 1)
    over.set()
    closer.join()
    items = BatchItem.objects.filter(batch__state__in=[Batch.State.OPEN, Batch.State.PROCESSING])
    assert items.count() == 15
    assert all(batch.item_count == batch.items.count() for batch in Batch.objects.all())


@pytest.mark.parametrize(("size", "images"), [(256, 32), (416, 32), (640, 16)])
def test_a_detector_that_sees_images_large_gets_fewer_at_once(collection, settings, size, images):
    settings.MIXCV_CHUNK_IMAGES = 32
    collection.parameters = {"image_size": size}
    assert chunk_images(collection) == images
