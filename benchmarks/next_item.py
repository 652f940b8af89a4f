"""The next image of a queue at 10,000 and at 1,000,000 waiting boxes: server time of the lookup with its lease."""

from __future__ import annotations

import time

from benchmarks.installation import installation

CALLS = 200
SIZES = (10_000, 1_000_000)


def grow(collection_id: int, queue_id: int, seed_detection: int, wanted: int) -> None:
    """Multiply one detection and its item by SQL: images of four boxes each."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM review_queueitem WHERE queue_id = %s", [queue_id])
        have = cursor.fetchone()[0]
        cursor.execute(
            """
            WITH seed AS (SELECT * FROM extraction_detection WHERE id = %(seed)s),
            images AS (
                INSERT INTO extraction_image (namespace_id, sha256, original_id, working_id, width, height,
                    group_key, split, created_at)
                SELECT m.namespace_id, md5('i' || n) || md5('j' || n), m.original_id, m.working_id, m.width, m.height,
                    '', 'train', now()
                FROM extraction_image m, seed, generate_series(%(have)s, %(wanted)s - 1, 4) AS n
                WHERE m.id = seed.image_id RETURNING id),
            boxes AS (
                INSERT INTO extraction_detection (document_id, ordinal, collection_id, image_id, extractor_version_id,
                    generation, current, rank, object_class_id, confidence, cx, cy, w, h, decided_label, revision)
                SELECT seed.document_id, 1000 + images.id * 4 + k, seed.collection_id, images.id,
                    seed.extractor_version_id, 1, true, k, seed.object_class_id, random() * 0.7, 50, 50, 20, 20, '', 0
                FROM seed, images, generate_series(0, 3) AS k RETURNING id, image_id, confidence)
            INSERT INTO review_queueitem (queue_id, detection_id, image_id, score, reason, state, source, created_at)
            SELECT %(queue)s, id, image_id, confidence, '', 'waiting', 'queue', now() FROM boxes
            """,
            {"seed": seed_detection, "have": have, "wanted": wanted, "queue": queue_id},
        )
        cursor.execute("UPDATE review_queue SET waiting_count = %s WHERE id = %s", [wanted, queue_id])
        cursor.execute("ANALYZE")


def main() -> None:
    with installation():
        from extraction.runs.models import Detection
        from review.queues.domain import next_image
        from review.queues.queries import work_on
        from tests import factories as make

        namespace = make.make_namespace("bench")
        collection = make.make_collection(make.make_bucket(namespace))
        make.make_detected(collection)
        queue, seed = make.queue_of(collection), Detection.objects.order_by("pk")[0].pk
        user = make.make_user(namespace)
        tails = []
        for size in SIZES:
            grow(collection.pk, queue.pk, seed, size)
            times = []
            seen: list[int] = []
            for _ in range(CALLS):
                began = time.perf_counter()
                image = next_image(queue=queue, user=user, exclude=seen[-20:])
                times.append(time.perf_counter() - began)
                assert image is not None
                seen.append(image.pk)
            tails.append(sorted(times)[int(CALLS * 0.95)])
            print(
                f"next image with its lease at {size:,} waiting boxes: p95 {tails[-1] * 1000:.1f} ms",
                flush=True,
            )
        first = Detection.objects.get(pk=seed).image
        began = time.perf_counter()
        for _ in range(50):
            work_on(queue, first, user)
        print(f"all that a reviewer needs of an image: {(time.perf_counter() - began) * 20:.1f} ms")
        print(f"ratio {tails[1] / tails[0]:.2f} (budgets: 50 ms and 1.5)")


if __name__ == "__main__":
    main()
