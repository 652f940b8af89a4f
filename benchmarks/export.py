"""Freezing and exporting 10,000 images with 50,000 boxes: seconds, and how much memory each way of export adds."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil

from benchmarks.installation import installation

IMAGES, BOXES = 10_000, 5
BUDGET = 15.0


def grow(seed_image: int, wanted: int) -> None:
    """Multiply one image, its object and its truth by SQL; each has a file of its own in the store."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH seed AS (SELECT * FROM extraction_image WHERE id = %(seed)s),
            blobs AS (
                INSERT INTO extraction_blob (namespace_id, sha256, size, mime_type, created_at)
                SELECT b.namespace_id, md5('a' || n) || md5('b' || n), b.size, b.mime_type, now()
                FROM extraction_blob b, seed, generate_series(1, %(wanted)s) AS n WHERE b.id = seed.working_id
                RETURNING id, sha256),
            images AS (
                INSERT INTO extraction_image (namespace_id, sha256, original_id, working_id, width, height, group_key,
                    split, created_at)
                SELECT seed.namespace_id, blobs.sha256, blobs.id, blobs.id, seed.width, seed.height, '',
                    CASE WHEN blobs.id %% 5 = 0 THEN 'holdout' ELSE 'train' END, now()
                FROM seed, blobs RETURNING id),
            objects AS (
                INSERT INTO extraction_object (bucket_id, public_id, key, property, metadata, source_url, image_id,
                    state, error, idempotency_key, unique_value, created_at, updated_at)
                SELECT o.bucket_id, 'obj_' || images.id, 'frame_' || images.id || '.jpg', 'image', '{}', '', images.id,
                    'READY', '', '', '', now(), now()
                FROM images, extraction_object o WHERE o.image_id = %(seed)s),
            reviews AS (
                INSERT INTO extraction_imagereview (image_id, completeness, declared, revision, updated_at)
                SELECT id, 'complete', false, 1, now() FROM images)
            INSERT INTO extraction_groundtruthbox (image_id, object_class_id, cx, cy, w, h, version, state, origin,
                evidence, created_at, updated_at)
            SELECT images.id, c.id, 30 + k * 50, 40 + random() * 150, 20, 30, 1, 'active', 'import', '', now(), now()
            FROM images, generate_series(0, %(boxes)s - 1) AS k,
                LATERAL (SELECT id FROM extraction_objectclass ORDER BY id OFFSET k %% 3 LIMIT 1) c
            """,
            {"seed": seed_image, "wanted": wanted, "boxes": BOXES},
        )
    _find_again(seed_image)


def _find_again(seed_image: int) -> None:
    """The next version's boxes, undecided: each lies on an object that is known."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH seed AS (SELECT * FROM extraction_detection WHERE image_id = %(seed)s ORDER BY id LIMIT 1),
            documents AS (
                INSERT INTO extraction_document (collection_id, object_id, image_id, slug, metadata, generation,
                    next_ordinal, detection_count, created_at, updated_at)
                SELECT seed.collection_id, o.id, o.image_id, 'bench_' || o.id, '{}', 1, 9, %(boxes)s, now(), now()
                FROM seed, extraction_object o WHERE o.image_id <> %(seed)s RETURNING id, image_id)
            INSERT INTO extraction_detection (document_id, ordinal, collection_id, image_id, extractor_version_id,
                generation, current, rank, object_class_id, confidence, cx, cy, w, h, decided_label, revision)
            SELECT d.id, row_number() OVER (PARTITION BY d.id), seed.collection_id, d.image_id,
                seed.extractor_version_id, 1, true, 1, t.object_class_id, 0.5, t.cx + 1, t.cy, t.w, t.h, '', 0
            FROM seed, documents d JOIN extraction_groundtruthbox t ON t.image_id = d.image_id
            """,
            {"seed": seed_image, "boxes": BOXES},
        )
        cursor.execute("ANALYZE")


class Peak:
    """How far this process's memory rises inside the block, in MiB."""

    def __enter__(self) -> Peak:
        self._process, self._over = psutil.Process(), Event()
        self._began = self._top = self._process.memory_info().rss
        self._thread = Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._top = max(self._top, self._process.memory_info().rss)

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()
        self.mib = (self._top - self._began) / 2**20


def timed(name: str, work: Any) -> tuple[float, float]:
    with Peak() as peak:
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
    print(f"{name}: {seconds:.1f} s, memory +{peak.mib:.0f} MiB", flush=True)
    return seconds, peak.mib


def main() -> None:
    with installation():
        from django.conf import settings

        from extraction.intake.models import Blob
        from mixcv.kernel import storage
        from mixcv.tenancy.actors import SYSTEM
        from review.datasets.domain import build_version, create_dataset
        from review.datasets.export import entries_of, export_folder, stream_zip
        from review.datasets.models import DatasetVersion
        from review.datasets.queries import plan_of
        from tests import factories as make

        namespace = make.make_namespace("bench")
        collection = make.make_collection(make.make_bucket(namespace))
        (document,) = make.make_detected(collection)
        seed = document.image
        grow(seed.pk, IMAGES)
        data = storage.read(seed.working.storage_name)
        for blob in Blob.objects.filter(namespace=namespace).exclude(pk=seed.working_id).iterator():
            storage.write(blob.storage_name, data)
        version = collection.extractor_version
        assert version is not None
        dataset = create_dataset(namespace=namespace, extractor=version.extractor, name="bench", by=SYSTEM)
        timed(f"plan over {IMAGES:,} images", lambda: plan_of(dataset))
        timed("freezing a version", lambda: build_version(dataset=dataset, by=SYSTEM))
        frozen = DatasetVersion.objects.get()
        print(f"{frozen.image_count:,} images, {frozen.box_count:,} boxes")
        target = Path(settings.MIXCV_HOME) / "export"

        def folder(links: bool) -> None:
            export_folder(version=frozen, target=target, links=links)
            shutil.rmtree(target)

        linked, _ = timed("YOLO folder, labels and links", lambda: folder(True))
        timed("YOLO folder, labels and copies", lambda: folder(False))
        rises = []
        for format in ("yolo", "coco"):
            size = 0

            def stream(format: str = format) -> None:
                nonlocal size
                for piece in stream_zip(entries_of(frozen, format)):
                    size += len(piece)

            rises.append(timed(f"{format} zip, streamed", stream)[1])
            print(f"  {size / 2**20:.0f} MiB")
        print(
            f"labels and links {linked:.1f} s (budget: {BUDGET:g} s); zips add at most {max(rises):.0f} MiB"
        )


if __name__ == "__main__":
    main()
