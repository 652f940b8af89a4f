"""Nearest neighbours: by the index as good as one by one, under filters too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone
from pgvector import HalfVector

from extraction.packages.models import Feature
from extraction.runs.models import Collection, Detection, Document, Embedding
from extraction.search import indexing, vectors
from extraction.search.stages.feature_search import want_index as wanted_by_search
from extraction.search.vectors import has_index, nearest
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.domain import cancel_job
from tests.extraction.search.searches import axis, feature_of, found_by, stage, uri_of
from tests.factories import found, make_bucket, make_collection, make_detected, make_namespace

MANY = 6000


def fill_up(collection: Collection, feature: Feature, *, many: int, dimension: int = 512) -> None:
    """`many` detections of one document, in clumps as real crops lie: a tenth of low confidence, some of lower."""
    document = make_detected(collection, 1, detections=[found()])[0]
    one = document.detections.get()
    rng = np.random.default_rng(5)
    middles = rng.normal(size=(60, dimension))
    points = middles[rng.integers(0, 60, many)] + 0.8 * rng.normal(size=(many, dimension))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    rows = Detection.objects.bulk_create(
        [
            Detection(
                document=document,
                ordinal=1 + n,
                collection=collection,
                image=document.image,
                extractor_version=one.extractor_version,
                rank=1 + n,
                object_class=one.object_class,
                confidence=0.01 if n % 100 == 0 else 0.05 if n % 10 == 0 else 0.9,
                cx=1,
                cy=1,
                w=1,
                h=1,
            )
            for n in range(many)
        ],
        batch_size=2000,
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY extraction_embedding (feature_id, detection_id, vector) FROM STDIN") as copy,
    ):
        for row, point in zip(rows, points, strict=True):
            copy.write_row((feature.pk, row.pk, HalfVector(point).to_text()))


@pytest.mark.django_db(transaction=True)
def test_the_index_finds_what_exact_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    collection = make_collection(make_bucket(make_namespace()))
    feature = feature_of(collection)
    fill_up(collection, feature, many=MANY)
    indexing.create_index(feature)
    assert has_index(feature)
    try:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE extraction_embedding")
            cursor.execute("ANALYZE extraction_detection")
        everything = Detection.objects.filter(collection=collection, current=True)
        rng = np.random.default_rng(9)
        for most in (1.0, 0.5, 0.02):
            rows = everything.filter(confidence__lt=most)
            shares = []
            for _ in range(10):
                near = np.asarray(Embedding.objects.order_by("?").first().vector) + 0.03 * rng.normal(
                    size=512
                )  # type: ignore[union-attr]
                asked: dict[str, Any] = {
                    "feature": feature,
                    "vector": near,
                    "unit": "detection",
                    "rows": rows,
                    "limit": 20,
                }
                monkeypatch.setattr(vectors, "EXACT_UP_TO", 50_000)
                exact = nearest(**asked)
                monkeypatch.setattr(vectors, "EXACT_UP_TO", 10)
                fast = nearest(**asked)
                assert fast.indexed
                assert not exact.indexed
                assert len(fast.found) == len(exact.found) == 20
                shares.append(len({key for key, _ in fast.found} & {key for key, _ in exact.found}) / 20)
            assert np.mean(shares) >= 0.95
        by_document = nearest(
            feature=feature, vector=axis(0), unit="document", rows=Document.objects.all(), limit=5
        )
        assert len(by_document.found) == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {vectors.index_name(feature)}")


@pytest.mark.django_db(transaction=True)
def test_a_filtered_search_goes_through_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    collection = make_collection(make_bucket(make_namespace()))
    feature = feature_of(collection)
    fill_up(collection, feature, many=1500)
    indexing.create_index(feature)
    monkeypatch.setattr(vectors, "EXACT_UP_TO", 10)
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "<=>" in sql:
            with connection.cursor() as cursor:
                cursor.cursor.execute(f"EXPLAIN {sql}", params)
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
        return execute(sql, params, many, context)

    rows = Detection.objects.filter(collection=collection, current=True, confidence__lt=0.5)
    try:
        with connection.execute_wrapper(explain):
            nearest(feature=feature, vector=axis(0), unit="detection", rows=rows, limit=20)
        assert vectors.index_name(feature) in plans[0]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {vectors.index_name(feature)}")


@pytest.mark.django_db(transaction=True)
def test_a_feature_that_outgrows_exact_search_gets_its_index(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(indexing.app, "send_task", lambda name, **kwargs: sent.append((name, kwargs)))
    monkeypatch.setattr(vectors, "EXACT_UP_TO", 2)
    assert wanted_by_search is indexing.want_index
    collection = make_collection(make_bucket(make_namespace()))
    make_detected(collection, 2)
    search = stage("feature_search", searches=[{"feature_uri": uri_of(collection), "query": axis(0)}])
    assert len(found_by(collection.namespace, search)) == 2
    found_by(collection.namespace, search)
    job = Job.objects.get(kind="vector_index")
    assert [one for one in sent if one[0] == indexing.TASK] == [
        (indexing.TASK, {"args": [job.pk], "queue": "cpu"})
    ]
    feature = feature_of(collection)
    try:
        indexing.build_index(job_id=job.pk)
        job.refresh_from_db()
        assert (job.state, job.error) == ("COMPLETED", "")
        assert has_index(feature)
        indexing.build_index(job_id=job.pk)
        assert len(found_by(collection.namespace, search)) == 2
        assert Job.objects.filter(kind="vector_index").count() == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {vectors.index_name(feature)}")


@pytest.fixture
def wanted(_unsent: None) -> tuple[Feature, Job]:
    """A feature whose index is wanted, and the job that is to build it."""
    feature = feature_of(make_collection(make_bucket(make_namespace())))
    indexing.want_index(feature)
    return feature, Job.objects.get(kind="vector_index")


@pytest.fixture(autouse=True)
def _unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's worker gets no job of these tests."""
    monkeypatch.setattr(indexing.app, "send_task", lambda *args, **kwargs: None)


@pytest.mark.django_db(transaction=True)
def test_a_build_that_nobody_began_is_cancelled_at_once(wanted: tuple[Feature, Job]) -> None:
    feature, job = wanted
    cancel_job(job=job, by=SYSTEM)
    job.refresh_from_db()
    assert (job.state, job.finished_at is not None) == ("CANCELED", True)
    indexing.build_index(job_id=job.pk)
    assert not has_index(feature)
    # What a person stopped does not begin again with the next search.
    indexing.want_index(feature)
    assert Job.objects.filter(kind="vector_index").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_build_stops_before_its_next_step(
    wanted: tuple[Feature, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    feature, job = wanted
    looked = indexing.has_index

    def cancelled_meanwhile(one: Feature) -> bool:
        cancel_job(job=Job.objects.get(pk=job.pk), by=SYSTEM)
        return looked(one)

    monkeypatch.setattr(indexing, "has_index", cancelled_meanwhile)
    indexing.build_index(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.cancel_requested, job.lease_until) == ("CANCELED", True, None)
    assert not looked(feature)


@pytest.mark.django_db(transaction=True)
def test_a_build_that_its_worker_left_is_cancelled_at_once(wanted: tuple[Feature, Job]) -> None:
    _, job = wanted
    past = timezone.now() - timedelta(minutes=1)
    Job.objects.filter(pk=job.pk).update(state="RUNNING", lease_until=past)
    cancel_job(job=Job.objects.get(pk=job.pk), by=SYSTEM)
    job.refresh_from_db()
    assert job.state == "CANCELED"
