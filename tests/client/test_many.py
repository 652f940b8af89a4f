"""100,000 annotations in 100 calls, with answers lost and the server killed and started in the middle."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.db.models import Sum

from extraction.runs.models import Detection
from extraction.truth.models import GroundTruthBox
from mixcv.client import Client, Page
from mixcv.kernel.models import Event
from review.queues.models import QueueItem
from review.verdicts.models import Annotation, AnnotationCount, AnnotationVersion
from tests import factories as make
from tests.client.lossy import Lossy
from tests.client.serving import WebServer

CALLS, EACH, BOXES = 100, 1000, 4

GROW = """
    WITH seed AS (SELECT * FROM extraction_document WHERE id = %(document)s),
    numbers AS (SELECT n FROM generate_series(1, %(images)s) AS n),
    images AS (
        INSERT INTO extraction_image (namespace_id, sha256, original_id, working_id, width, height, group_key, split,
            created_at)
        SELECT m.namespace_id, lpad(n::text, 64, 'f'), m.original_id, m.working_id, m.width, m.height, '', 'train',
            now()
        FROM extraction_image m, seed, numbers WHERE m.id = seed.image_id
        RETURNING id, ltrim(sha256, 'f')::int AS n),
    objects AS (
        INSERT INTO extraction_object (bucket_id, public_id, key, property, metadata, source_url, image_id, state,
            error, idempotency_key, unique_value, created_at, updated_at)
        SELECT o.bucket_id, 'obj_' || images.n, images.n || '.jpg', 'image', '{}', '', images.id, o.state, '',
            '', '', now(), now()
        FROM extraction_object o, seed, images WHERE o.id = seed.object_id
        RETURNING id, image_id),
    documents AS (
        INSERT INTO extraction_document (collection_id, object_id, image_id, slug, metadata, generation, next_ordinal,
            detection_count, created_at, updated_at)
        SELECT seed.collection_id, objects.id, images.id, 'many_' || images.n, '{}', 1, %(boxes)s, %(boxes)s,
            now(), now()
        FROM seed, objects JOIN images ON images.id = objects.image_id
        RETURNING id, image_id),
    found AS (
        INSERT INTO extraction_detection (document_id, ordinal, collection_id, image_id, extractor_version_id,
            generation, current, rank, object_class_id, confidence, cx, cy, w, h, decided_label, revision)
        SELECT documents.id, k, d.collection_id, documents.image_id, d.extractor_version_id, 1, true, k,
            d.object_class_id, 0.6, 20 + 40 * k, 50, 20, 20, '', 0
        FROM documents, generate_series(0, %(boxes)s - 1) AS k, extraction_detection d WHERE d.id = %(detection)s
        RETURNING id, image_id, confidence)
    INSERT INTO review_queueitem (queue_id, detection_id, image_id, score, reason, state, source, created_at)
    SELECT %(queue)s, id, image_id, confidence, '', 'waiting', 'queue', now() FROM found
"""


def grow(queue_id: int) -> list[str]:
    """Detections for all calls, made by SQL out of the one there is; their ids."""
    seed = Detection.objects.select_related("document").get()
    images = CALLS * EACH // BOXES
    numbers = {"document": seed.document_id, "detection": seed.pk, "images": images, "boxes": BOXES}
    with connection.cursor() as cursor:
        cursor.execute(GROW, {**numbers, "queue": queue_id})
        cursor.execute("ANALYZE")
    return [f"doc_many_{n}_det_{k}" for n in range(1, images + 1) for k in range(BOXES)]


def check_rows(told: set[str]) -> None:
    """One annotation of one version for each detection, and everything that goes with it once."""
    every = CALLS * EACH
    rows = Annotation.objects.all()
    assert rows.count() == len(told) == every
    assert not rows.exclude(version=1).exists()
    assert AnnotationVersion.objects.count() == every
    assert AnnotationCount.objects.aggregate(n=Sum("n"))["n"] == every
    assert Detection.objects.filter(decided_label="confirmed").count() == every
    assert GroundTruthBox.objects.filter(state="active").count() == every
    assert Event.objects.filter(type="annotation.created").count() == every
    assert not QueueItem.objects.filter(state="waiting").exclude(detection__decided_label="").exists()


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_doubled(server: WebServer) -> None:
    namespace = make.make_namespace("shop")
    collection = make.make_collection(make.make_bucket(namespace), "many")
    make.make_detected(collection, detections=[make.found("bus", 0.6)])
    refs = grow(make.queue_of(collection).pk)
    lossy = Lossy(every=9)
    client = Client(api_key=make.make_key(namespace), base_url=server.url, transport=lossy, max_wait=120)
    done = 0
    counted = threading.Lock()

    def call(number: int) -> Page:
        nonlocal done
        part = refs[number * EACH : (number + 1) * EACH]
        answer = client.annotations.bulk(
            create=[{"document_id": ref, "collection_id": "col_many", "label": "confirmed"} for ref in part]
        )
        with counted:
            done += 1
        return answer

    began = time.monotonic()
    kills = []
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(call, number) for number in range(CALLS)]
        for share in (0.25, 0.6):
            while done < CALLS * share:
                assert not any(one.done() and one.exception() for one in calls)
                time.sleep(0.02)
            server.kill()
            kills.append(done)
            server.start()
        answers = [one.result() for one in calls]
    took = time.monotonic() - began
    print(
        f"{CALLS * EACH:,} annotations in {took:.0f} s, killed after {kills} calls, "
        f"{lossy.lost} answers lost, {lossy.replayed} given again"
    )
    assert all(CALLS > number > 0 for number in kills)
    assert lossy.lost >= 10
    assert lossy.replayed >= lossy.lost
    assert all(row.success for answer in answers for row in answer)
    check_rows({row.annotation_id for answer in answers for row in answer})
    stats = client.annotations.stats(collection_id="col_many")
    assert (stats.total, stats.by_label["confirmed"]) == (CALLS * EACH, CALLS * EACH)
