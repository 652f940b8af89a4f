"""Pages of detectors, collections and batches: who may do what, and what is not theirs."""

from __future__ import annotations

import pytest
from django.test import Client

from extraction.runs.models import Batch, Collection
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


def test_a_live_part_asks_again_only_while_the_batch_runs(collection: Collection, batch: Batch) -> None:
    manager = client_of(Role.MANAGER)
    live = f"/n/demo/batches/{batch.public_id}/live/"
    assert b"hx-trigger" not in manager.get(live).content
    manager.post(f"/n/demo/batches/{batch.public_id}/retry/")
    assert b'hx-trigger="every 1s"' in manager.get(live).content
