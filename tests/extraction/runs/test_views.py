"""Pages of detectors, collections and batches: who may do what, and what is not theirs."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.intake.models import Object
from extraction.packages.models import ExtractorVersion
from extraction.runs import domain
from extraction.runs.domain import create_batch, submit_batch
from extraction.runs.models import Batch, Collection
from extraction.runs.queries import batch_progress, progress_of
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from tests import factories

pytestmark = pytest.mark.django_db


def client_of(role: Role) -> Client:
    client = Client()
    client.force_login(factories.make_user(factories.make_namespace("demo"), role=role))
    return client


@pytest.fixture
def collection() -> Collection:
    return factories.make_collection(
        factories.make_bucket(factories.make_namespace("demo"), "yard"), "street"
    )


@pytest.fixture
def batch(collection: Collection) -> Batch:
    objects = factories.make_objects(collection.buckets.get(), 2)
    return factories.detect(collection, objects, [factories.result(), factories.result(error="No picture.")])


def posts(collection: Collection, batch: Batch) -> list[str]:
    assert collection.extractor_version
    version = collection.extractor_version.public_id
    return [
        f"detectors/{version}/promote/",
        f"detectors/{version}/retire/",
        f"collections/{collection.public_id}/batch/",
        f"batches/{batch.public_id}/retry/",
        f"batches/{batch.public_id}/cancel/",
    ]


def gets(collection: Collection, batch: Batch) -> list[str]:
    return [
        "detectors/",
        "detectors/state/",
        f"collections/{collection.public_id}/",
        "batches/",
        f"batches/{batch.public_id}/",
        f"batches/{batch.public_id}/live/",
    ]


def test_a_reviewer_sees_all_and_changes_nothing(collection: Collection, batch: Batch) -> None:
    reviewer = client_of(Role.REVIEWER)
    assert {reviewer.get(f"/n/demo/{path}").status_code for path in gets(collection, batch)} == {200}
    assert {reviewer.post(f"/n/demo/{path}").status_code for path in posts(collection, batch)} == {403}
    page = reviewer.get(f"/n/demo/batches/{batch.public_id}/").content
    assert b"Retry failed" not in page
    form = {"name": "mine", "version": collection.extractor_version_id, "bucket": collection.buckets.get().pk}
    reviewer.post("/n/demo/detectors/", form)
    assert not Collection.objects.filter(name="mine").exists()


def test_what_is_anothers_is_not_there(collection: Collection, batch: Batch) -> None:
    factories.make_namespace("other")
    stranger = Client()
    stranger.force_login(factories.make_user(factories.make_namespace("other"), role=Role.ADMIN))
    for path in gets(collection, batch)[2:3] + gets(collection, batch)[4:]:
        assert stranger.get(f"/n/other/{path}").status_code == 404
    assert {stranger.post(f"/n/other/{path}").status_code for path in posts(collection, batch)} == {404}
    assert {stranger.get(f"/n/demo/{path}").status_code for path in gets(collection, batch)} == {404}


def test_a_manager_starts_retries_and_stops(collection: Collection, batch: Batch) -> None:
    manager = client_of(Role.MANAGER)
    assert manager.post(f"/n/demo/batches/{batch.public_id}/retry/").status_code == 302
    batch.refresh_from_db()
    assert batch.state == Batch.State.PROCESSING
    assert manager.post(f"/n/demo/batches/{batch.public_id}/cancel/").status_code == 302
    again = manager.post(f"/n/demo/batches/{batch.public_id}/cancel/")
    assert again.status_code == 409
    assert b"nothing left to stop" in again.content
    started = manager.post(f"/n/demo/collections/{collection.public_id}/batch/", {"bucket": "bkt_yard"})
    assert started.status_code == 302
    assert Batch.objects.count() == 2
    elsewhere = manager.post(f"/n/demo/collections/{collection.public_id}/batch/", {"bucket": "bkt_nowhere"})
    assert elsewhere.status_code == 404


def test_a_collection_is_made_and_its_faults_are_told(collection: Collection) -> None:
    manager = client_of(Role.MANAGER)
    form = {
        "name": "night",
        "version": collection.extractor_version_id,
        "bucket": collection.buckets.get().pk,
    }
    assert manager.post("/n/demo/detectors/", form).headers["Location"] == "/n/demo/collections/col_night/"
    twice = manager.post("/n/demo/detectors/", form)
    assert twice.status_code == 422
    assert b"Choose another name" in twice.content
    assert manager.post("/n/demo/detectors/", form | {"name": "x"}).status_code == 422
    assert manager.post("/n/demo/detectors/", form | {"bucket": 99999}).status_code == 422


def test_the_form_for_a_collection_offers_what_is_ready_first(collection: Collection) -> None:
    namespace = collection.namespace
    for name, state in (("aaa", "failed"), ("bbb", "registered"), ("zzz", "ready")):
        version = factories.make_version(namespace, name)
        ExtractorVersion.objects.filter(pk=version.pk).update(state=state)
    version = ExtractorVersion.objects.get(extractor__name="zzz")
    version.extractor.production = version
    version.extractor.save()
    factories.make_bucket(namespace, "attic")
    page = client_of(Role.MANAGER).get("/n/demo/detectors/?bucket=bkt_yard").content.decode()
    offered = re.findall(r"<option[^>]*>([^<]+)</option>", page)
    assert offered[0] == "zzz 1.0.0, in production"
    assert offered[-4:] == ["bbb 1.0.0, not deployed", "aaa 1.0.0, failed", "attic", "yard"]
    assert re.search(r"<option[^>]*selected[^>]*>yard<", page)
    assert 'id="collections"' in page


def test_a_collection_that_has_seen_all_says_so(collection: Collection, batch: Batch) -> None:
    manager = client_of(Role.MANAGER)
    page = manager.get("/n/demo/collections/col_street/").content.decode()
    assert "1 of 2 to do" in page
    assert "that is all of them now" not in page
    Object.objects.filter(documents=None).delete()
    page = manager.get("/n/demo/collections/col_street/").content.decode()
    assert "0 of 2 to do" in page
    assert "that is all of them now" in page
    assert 'class="btn quiet"' in page
    assert 'href="/n/demo/images/yard/"' in page


def test_failed_images_of_a_batch_lead_to_their_pages(collection: Collection, batch: Batch) -> None:
    failed = batch.items.get(state="FAILED")
    page = client_of(Role.MANAGER).get(f"/n/demo/batches/{batch.public_id}/").content.decode()
    assert f'href="/n/demo/images/yard/{failed.object.public_id}/"' in page


def test_a_live_part_asks_again_only_while_the_batch_runs(collection: Collection, batch: Batch) -> None:
    manager = client_of(Role.MANAGER)
    live = f"/n/demo/batches/{batch.public_id}/live/"
    assert b"hx-trigger" not in manager.get(live).content
    manager.post(f"/n/demo/batches/{batch.public_id}/retry/")
    assert b'hx-trigger="every 1s"' in manager.get(live).content


def grow() -> None:
    """One more of all: a detector, a bucket, images, a collection, a batch that is over and one that waits."""
    namespace = factories.make_namespace("demo")
    grown = factories.make_collection(factories.make_bucket(namespace))
    factories.make_detected(grown, 1)
    for collection in Collection.objects.all():
        bucket = collection.buckets.get()
        factories.make_objects(bucket, 2)
        batches = [domain.create_batch(bucket=bucket, collections=[collection, grown]) for _ in range(2)]
        domain.cancel_batch(batch=domain.submit_batch(batch=batches[0]), by=SYSTEM)
        domain.submit_batch(batch=batches[1])
    ExtractorVersion.objects.update(state=ExtractorVersion.State.FAILED)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "home/running/",
        "review/",
        "images/",
        "images/yard/",
        "detectors/",
        "detectors/state/",
        "collections/col_street/",
        "batches/",
    ],
)
def test_more_rows_take_no_more_queries(collection: Collection, page: str) -> None:
    client = client_of(Role.MANAGER)
    counts = []
    for more in (1, 2):
        for _ in range(more):
            grow()
        client.get(f"/n/demo/{page}")  # the session's first visit writes
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/n/demo/{page}").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("over", [True, False])
def test_a_batch_of_more_collections_takes_no_more_queries(collection: Collection, over: bool) -> None:
    client = client_of(Role.MANAGER)
    counts = []
    for more in (1, 3):
        collections = [
            collection,
            *(factories.make_collection(collection.buckets.get()) for _ in range(more - 1)),
        ]
        factories.make_objects(collection.buckets.get(), more)
        row = domain.create_batch(bucket=collection.buckets.get(), collections=collections)
        domain.submit_batch(batch=row)
        row.items.update(state="FAILED", reason="No picture.")
        if over:
            domain.finish_if_done(row)
        else:
            row.items.update(state="PENDING")
            ExtractorVersion.objects.update(state=ExtractorVersion.State.FAILED)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/n/demo/batches/{row.public_id}/").status_code == 200
        counts.append(len(queries))
        ExtractorVersion.objects.update(state=ExtractorVersion.State.READY)
    assert counts[0] == counts[1]


def test_the_progress_of_many_is_that_of_each(collection: Collection, batch: Batch) -> None:
    objects = factories.make_objects(collection.buckets.get(), 3)
    waiting = domain.submit_batch(
        batch=domain.create_batch(
            bucket=collection.buckets.get(),
            collections=[collection],
            object_ids=[o.public_id for o in objects],
        )
    )
    empty = domain.create_batch(bucket=factories.make_bucket(collection.namespace), collections=[collection])
    ExtractorVersion.objects.update(state=ExtractorVersion.State.FAILED)
    found = progress_of([batch, waiting, empty])
    assert found == {one.pk: batch_progress(one) for one in (batch, waiting, empty)}
    assert (found[batch.pk]["done"], found[batch.pk]["failed"], found[batch.pk]["waits_for"]) == (1, 1, "")
    assert found[waiting.pk]["waits_for"] == str(collection.extractor_version)
    assert (found[waiting.pk]["pending"], found[waiting.pk]["total"], found[empty.pk]["total"]) == (3, 3, 0)


@pytest.mark.parametrize(
    ("state", "words"),
    [("ready", "1 task running"), ("deploying", "1 task running"), ("failed", "1 task waits for a detector")],
)
def test_the_bar_tells_work_from_waiting_for_a_detector(
    collection: Collection, state: str, words: str
) -> None:
    bucket = collection.buckets.get()
    factories.make_objects(bucket, 1)
    batch = create_batch(bucket=bucket, collections=[collection])
    submit_batch(batch=batch)
    ExtractorVersion.objects.update(state=state)
    assert words in client_of(Role.MANAGER).get("/n/demo/batches/").content.decode()
