"""Bulk calls of 1,000 annotations against COPY into a bare table of the same columns; statistics over 1,000,000."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.installation import installation

if TYPE_CHECKING:
    from extraction.runs.models import Collection, Document
    from mixcv.tenancy.models import Namespace

VERDICTS = 1000
ROUNDS = 5
STORED = 1_000_000
CLASSES = 80
DAYS = 365
TRIES = 7

QUICK: tuple[dict[str, str], ...] = (
    {},
    {"collection_id": "col_bench"},
    {"label": "corrected"},
    {"group_by": "label"},
    {"group_by": "class"},
    {"interval": "day"},
    {"group_by": "extractor_version"},
    {"group_by": "source", "interval": "week"},
    {"created_after": "2026-03-03T10:30:00Z", "created_before": "2026-09-09T09:09:09Z"},
)
SLOWER: tuple[dict[str, str], ...] = (
    {"group_by": "reviewer"},
    {"group_by": "retriever"},
    {"group_by": "metadata.camera_id"},
    {"group_by": "retriever", "interval": "week"},
    {"interval": "hour", "created_after": "2026-08-01T00:00:00Z"},
)


def main() -> None:
    with installation():
        from django.test import Client

        from tests import factories as make

        namespace = make.make_namespace("bench")
        collection = make.make_collection(make.make_bucket(namespace), "bench")
        headers = {"Authorization": f"Bearer {make.make_key(namespace)}"}
        client = Client(headers=headers)
        bulk(client, collection)
        fill(namespace)
        for title, budget, queries in (("by the counts", 200, QUICK), ("by the rows", 2000, SLOWER)):
            for query in queries:
                took = _median(client, query)
                asked = ", ".join(f"{name}={value}" for name, value in query.items()) or "all"
                print(
                    f"statistics of {STORED:,} {title} ({asked}): {took:.0f} ms (budget {budget} ms)",
                    flush=True,
                )


def bulk(client: Any, collection: Collection) -> None:
    """Creates, repeats, changes and deletes 1,000 in one call each, over the API."""
    from tests import factories as make

    times: dict[str, list[float]] = {"create": [], "repeat": [], "update": [], "delete": []}
    copies = []
    for _ in range(ROUNDS):
        operations = list(_operations(make.make_detected(collection, VERDICTS // 3 + 1)))[:VERDICTS]
        refs = _timed(client, times["create"], {"create": operations})
        copies.append(_copy())
        assert _timed(client, times["repeat"], {"create": operations}) == refs
        changes = [{"annotation_id": ref, "label": "confirmed"} for ref in refs]
        _timed(client, times["update"], {"update": changes})
        _timed(client, times["delete"], {"delete": refs})
    bare = statistics.median(copies)
    for name, took in times.items():
        middle = statistics.median(took)
        print(
            f"bulk {name} of {VERDICTS:,} with history, truth, queue, counts and events: {middle:.2f} s, "
            f"{VERDICTS / middle:,.0f} a second (budget 1 s); COPY into a bare table of the same columns {bare:.3f} s, "
            f"{VERDICTS / bare:,.0f} a second; ratio {middle / bare:.0f}",
            flush=True,
        )


def _operations(documents: list[Document]) -> Iterator[dict[str, Any]]:
    for document in documents:
        for ordinal in range(3):
            yield {
                "document_id": f"doc_{document.slug}_det_{ordinal}",
                "collection_id": "col_bench",
                "label": "corrected",
                "confidence": 1.0,
                "payload": {"true_class": "truck", "bbox": {"x": 60, "y": 60, "w": 20, "h": 20}},
                "retriever_id": "ret_detection_review",
                "execution_id": "exec_review_batch_01",
            }


def _timed(client: Any, times: list[float], body: dict[str, Any]) -> list[str]:
    began = time.perf_counter()
    answer = client.post("/v1/annotations/bulk", body, content_type="application/json").json()
    times.append(time.perf_counter() - began)
    assert answer["failed"] == 0, answer["results"][0]
    return [one["annotation_id"] for one in answer["results"]]


def _copy() -> float:
    """The rows of the last call into a table without keys, checks and indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE bare (LIKE review_annotation)")
        cursor.execute("SELECT * FROM review_annotation ORDER BY id DESC LIMIT %s", [VERDICTS])
        rows = cursor.fetchall()
        began = time.perf_counter()
        with cursor.copy("COPY bare FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        took = time.perf_counter() - began
        cursor.execute("DROP TABLE bare")
    return took


def fill(namespace: Namespace) -> None:
    """Annotations of a year by SQL: 80 classes, two versions, ten reviewers, five retrievers, some days not folded."""
    from django.db import connection

    from extraction.classes.domain import ensure_classes
    from tests import factories as make

    classes = ensure_classes(namespace=namespace, names=[f"class {n}" for n in range(CLASSES)])
    versions = [make.make_version(namespace, "bench", number).pk for number in ("1.0.0", "2.0.0")]
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE extraction_document SET metadata = jsonb_build_object('camera_id', 'cam' || mod(id, 12),
                'at', '2026-05-03T14:30:00Z', 'note', repeat('x', 60))"""
        )
        cursor.execute(
            """
            WITH places AS (
                SELECT row_number() OVER (ORDER BY id) - 1 AS place, id, image_id, collection_id, count(*) OVER () AS n
                FROM extraction_document),
            made AS (
                SELECT g, random() AS r,
                    (%(classes)s::bigint[])[1 + (random() * random() * %(count)s)::int %% %(count)s] AS c,
                    (%(versions)s::bigint[])[1 + (g > %(stored)s / 2)::int] AS v,
                    '2026-01-01Z'::timestamptz + random() * %(days)s * interval '1 day' AS at
                FROM generate_series(1, %(stored)s) AS g)
            INSERT INTO review_annotation (public_id, namespace_id, image_id, collection_id, document_id,
                predicted_class_id, object_class_id, cx, cy, w, h, confidence, reasoning, payload, metadata, label,
                actor, actor_type, source, retriever_ref, execution_ref, stage_name, extractor_version_id, version,
                created_at, updated_at, decided_at)
            SELECT 'ann_bench' || g, %(namespace)s, p.image_id, p.collection_id, p.id, c, c, 60, 60, 20, 20, 1, '',
                '{"true_class": "truck", "bbox": {"x": 60, "y": 60, "w": 20, "h": 20}}', '{}',
                CASE WHEN r < 0.68 THEN 'confirmed' WHEN r < 0.87 THEN 'corrected' WHEN r < 0.96 THEN 'false_positive'
                    ELSE 'missed' END,
                'person' || g %% 10, 'user', CASE WHEN g %% 20 = 0 THEN 'audit' ELSE 'queue' END, 'ret_' || g %% 5,
                'exec_' || g %% 500, 'doubtful', v, 1, at, at, at
            FROM made JOIN places p ON p.place = g %% p.n
            """,
            {
                "classes": [row.pk for row in classes.values()],
                "versions": versions,
                "count": CLASSES,
                "days": DAYS,
                "stored": STORED,
                "namespace": namespace.pk,
            },
        )
    _count()


def _count() -> None:
    """What the verbs would have counted, folded, and what one minute of bulk uploads leaves for the next folding."""
    from django.db import connection

    from review.verdicts.domain import fold_counts

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO review_annotationcount (namespace_id, collection_id, day, label, object_class_id,
                extractor_version_id, source, n, folded)
            SELECT namespace_id, collection_id, (created_at AT TIME ZONE 'UTC')::date, label, predicted_class_id,
                extractor_version_id, source, count(*), false
            FROM review_annotation WHERE public_id LIKE 'ann_bench%' GROUP BY 1, 2, 3, 4, 5, 6, 7
            """
        )
        while fold_counts():
            pass
        cursor.execute(
            """
            INSERT INTO review_annotationcount (namespace_id, collection_id, day, label, object_class_id,
                extractor_version_id, source, n, folded)
            SELECT namespace_id, collection_id, day, label, object_class_id, extractor_version_id, source, k, false
            FROM review_annotationcount, (VALUES (1), (-1)) AS pair(k) WHERE folded ORDER BY id LIMIT 20000
            """
        )
        cursor.execute("SELECT count(*) FROM review_annotationcount")
        print(f"{STORED:,} annotations are {cursor.fetchone()[0]:,} rows of counts", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _median(client: Any, query: dict[str, str]) -> float:
    """Milliseconds of a call over the API."""
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = client.get("/v1/annotations/stats", query)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.content
    return statistics.median(times)


if __name__ == "__main__":
    main()
