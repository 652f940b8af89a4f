"""The client against a server process: every resource once, and what the server refuses."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from extraction.intake.models import Bucket, Object
from extraction.packages.models import ExtractorVersion, RegistryModel
from extraction.runs.models import Detection
from extraction.search.models import Execution
from mixcv.client import ApiError, Client
from mixcv.tenancy.models import ApiKey, Namespace
from review.verdicts.models import Annotation
from tests import factories as make
from tests.client.lossy import Lossy
from tests.client.serving import WebServer
from tests.extraction.packages import packages


@pytest.fixture
def namespace(transactional_db: None) -> Namespace:
    return make.make_namespace("shop")


@pytest.fixture
def client(server: WebServer, namespace: Namespace) -> Client:
    return Client(api_key=make.make_key(namespace), base_url=server.url, max_wait=5)


def image(folder: Path, name: str, seed: int) -> Path:
    path = folder / name
    path.write_bytes(make.picture(seed=seed))
    return path


def detected(namespace: Namespace, images: int = 1) -> str:
    """A collection with detections, without a worker."""
    collection = make.make_collection(make.make_bucket(namespace, "cameras"), "seen")
    make.make_detected(collection, images)
    return collection.public_id


def test_who_asks_and_what_it_opens(client: Client, namespace: Namespace) -> None:
    assert client.me().default_namespace_id == namespace.public_id
    assert [row.namespace_name for row in client.namespaces.list().items] == ["shop"]
    made = client.namespaces.create("yard", description="behind the house")
    assert client.namespaces.get("yard").namespace_id == made.namespace_id
    assert client.namespaces.update("yard", description="north").description == "north"
    client.within("yard").buckets.create("only there")
    assert [row.bucket_name for row in client.within("yard").buckets.list()] == ["only there"]
    assert len(client.buckets.list()) == 0
    assert sorted(row.namespace_name for row in client.namespaces.iterate()) == ["shop", "yard"]


def test_buckets_and_objects(client: Client, tmp_path: Path) -> None:
    schema = {"properties": {"image": {"type": "image", "required": True}, "camera_id": {"type": "text"}}}
    bucket = client.buckets.create(name="shelf", bucket_schema=schema, metadata={"floor": 2})
    assert bucket.bucket_id == "bkt_shelf"
    assert client.buckets.update("shelf", description="left").description == "left"
    files = [image(tmp_path, f"{name}.jpg", seed) for seed, name in enumerate(("one", "two"))]
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    one, bad, two = client.buckets.objects.upload(
        "shelf", files=[files[0], broken, files[1]], metadata={"camera_id": "a"}
    )
    assert (one.key, two.key, one.metadata) == ("one.jpg", "two.jpg", {"camera_id": "a"})
    assert bad.error["code"]
    (alone,) = client.buckets.objects.upload("shelf", files=[image(tmp_path, "alone.jpg", 9)])
    confirmed = client.buckets.uploads.send("shelf", image(tmp_path, "sent.jpg", 10), metadata={"n": 1})
    assert confirmed.status == "COMPLETED"
    assert client.buckets.objects.get("shelf", confirmed.object_id).metadata == {"n": 1}
    assert [row.status for row in client.buckets.uploads.list("shelf")] == ["COMPLETED"]
    listed = client.buckets.objects.list("shelf")
    assert [row.key for row in listed] == ["sent.jpg", "alone.jpg", "two.jpg", "one.jpg"]
    assert client.buckets.objects.update("shelf", alone.object_id, metadata={"camera_id": "b"})[
        "metadata"
    ] == {"camera_id": "b"}
    found = client.buckets.objects.list(
        "shelf", filters={"field": "metadata.camera_id", "operator": "eq", "value": "b"}
    )
    assert [row.object_id for row in found] == [alone.object_id]
    client.buckets.objects.delete("shelf", alone.object_id)
    assert client.buckets.get("shelf").object_count == 3
    client.buckets.delete("shelf", force=True)
    assert not Bucket.objects.exists()


def test_objects_by_address(client: Client) -> None:
    client.buckets.create("shelf")
    blobs = [{"property": "image", "type": "image", "data": {"url": "https://example.org/a.jpg"}}]
    one = client.buckets.objects.create("shelf", blobs=blobs, idempotency_key="first")
    again = client.buckets.objects.create("shelf", blobs=blobs, idempotency_key="first")
    assert again.object_id == one.object_id
    other = [{"property": "image", "type": "image", "data": {"url": "https://example.org/b.jpg"}}]
    many = client.buckets.objects.create_many("shelf", objects=[{"blobs": other}, {"blobs": []}])
    assert (many.succeeded_count, many.failed_count) == (1, 1)
    assert Object.objects.count() == 2


def test_collections_batches_and_tasks(client: Client, namespace: Namespace, tmp_path: Path) -> None:
    make.make_version(namespace, "finder")
    client.buckets.create("shelf")
    collection = client.collections.create(
        name="found",
        feature_extractor={"feature_extractor_name": "finder", "version": "1.0.0"},
        source={"type": "bucket", "bucket_ids": ["shelf"]},
        enabled=False,
    )
    assert collection.collection_id == "col_found"
    assert client.collections.update("found", description="d").description == "d"
    (one,) = client.buckets.objects.upload("shelf", files=[image(tmp_path, "one.jpg", 1)])
    batch = client.batches.create(
        "shelf", collection_ids=["found"], object_ids=[one.object_id], batch_name="b"
    )
    assert batch.status == "DRAFT"
    submitted = client.batches.submit("shelf", batch.batch_id)
    assert client.tasks.get(submitted.task_id).status in {"PENDING", "IN_PROGRESS"}
    client.tasks.cancel(submitted.task_id)
    assert client.batches.wait(batch.batch_id, every=0.1).status == "CANCELED"
    assert client.tasks.wait(submitted.task_id, every=0.1).status == "CANCELED"
    assert [row.batch_id for row in client.batches.list("shelf")] == [batch.batch_id]
    assert [row.task_id for row in client.tasks.list(status="CANCELED")] == [submitted.task_id]
    assert client.batches.audit("shelf", batch.batch_id).status == "CANCELED"
    assert len(client.batches.failed_documents("shelf", batch.batch_id)) == 0
    client.batches.delete("shelf", batch.batch_id)
    client.collections.delete("found")
    assert len(client.collections.list()) == 0


def test_documents(client: Client, namespace: Namespace) -> None:
    collection = detected(namespace, 2)
    first, second = client.documents.list([collection]).items
    assert client.documents.count(collection) == 2
    one = client.documents.get(f"{first.document_id}_det_0", collection_id=collection)
    assert [d["document_id"] for d in one.detections] == [f"{first.document_id}_det_0"]
    client.documents.update(first.document_id, {"shift": "night"})
    assert client.documents.distinct(collection, "metadata.shift")["values"][0]["value"] == "night"
    some = client.documents.get_many([second.document_id, "doc_none"])
    assert ([row.document_id for row in some], some.not_found) == ([second.document_id], ["doc_none"])
    client.documents.delete(second.document_id)
    assert [row.document_id for row in client.documents.iterate()] == [first.document_id]


def test_retrievers(client: Client, namespace: Namespace) -> None:
    collection = detected(namespace, 2)
    parameters = {"searches": [], "filters": {"field": "confidence", "operator": "lt", "value": 0.7}}
    stage = {"stage_name": "doubtful", "config": {"stage_id": "feature_search", "parameters": parameters}}
    made = client.retrievers.create(
        name="doubtful", stages=[stage], collection_identifiers=[collection], unit="detection"
    )
    assert client.retrievers.get("doubtful").retriever_id == made.retriever_id == "ret_doubtful"
    ran = client.retrievers.execute("doubtful", limit=3)
    assert len(ran.documents) == len(ran.results) == 3
    assert ran.total_count == 4
    assert all(row.detections[0]["confidence"] < 0.7 for row in ran)
    kept = client.retrievers.execution("doubtful", ran.execution_id)
    assert kept.status == "completed"
    assert [row.execution_id for row in client.retrievers.executions("doubtful")] == [ran.execution_id]
    assert "feature_search" in {row.stage_id for row in client.retrievers.stages()}
    client.retrievers.update("doubtful", description="d")
    assert "ret_doubtful" in [row.retriever_id for row in client.retrievers.iterate()]
    client.retrievers.delete("doubtful")
    assert Execution.objects.get(public_id=ran.execution_id).retriever is None


def test_annotations(client: Client, namespace: Namespace) -> None:
    collection = detected(namespace)
    (document,) = client.documents.list([collection]).items
    refs = [row["document_id"] for row in document.detections]
    one = client.annotations.create(refs[0], label="confirmed", collection_id=collection)
    again = client.annotations.create(refs[0], label="false_positive", collection_id=collection)
    assert (again.annotation_id, again.version) == (one.annotation_id, 2)
    changed = client.annotations.update(one.annotation_id, reasoning="a shadow")
    assert (changed.version, changed.reasoning, changed.label) == (3, "a shadow", "false_positive")
    assert [row.version for row in client.annotations.versions(one.annotation_id)] == [1, 2, 3]
    assert client.annotations.version(one.annotation_id, 1).label == "confirmed"
    assert client.annotations.list(as_of=one.created_at)[0].label == "confirmed"
    done = client.annotations.bulk(
        create=[
            {"document_id": refs[1], "label": "confirmed"},
            {"document_id": "doc_none", "label": "confirmed"},
        ],
        update=[{"annotation_id": one.annotation_id, "confidence": 0.5}],
        delete=["ann_none"],
    )
    assert [row.success for row in done] == [True, False, True, False]
    assert (done.succeeded, done.failed) == (2, 2)
    payload = {"true_class": "van", "bbox": {"x": 30, "y": 30, "w": 20, "h": 20}}
    client.annotations.create(document.document_id, label="missed", payload=payload)
    stats = client.annotations.stats(collection_id=collection)
    assert stats.by_label == {"confirmed": 1, "corrected": 0, "false_positive": 1, "missed": 1}
    assert client.annotations.list(label="missed")[0].payload.get("true_class") == "van"
    assert client.annotations.create_label("later").builtin is False
    assert "later" in [row.label for row in client.annotations.labels()]
    client.annotations.delete_label("later")
    client.annotations.delete(one.annotation_id)
    assert {row.label for row in client.annotations.iterate(collection_id=collection)} == {
        "confirmed",
        "missed",
    }


def test_more_annotations_than_a_page_are_all_listed(client: Client, namespace: Namespace) -> None:
    boxes = [make.found("bus", 0.9, (10 + n, 10 + n, 8, 8)) for n in range(200)]
    collection = make.make_collection(make.make_bucket(namespace), "many")
    make.make_detected(collection, 6, detections=boxes)
    refs = [row["document_id"] for document in client.documents.iterate() for row in document.detections]
    outcomes = client.annotations.upload([{"document_id": ref, "label": "confirmed"} for ref in refs])
    assert len(outcomes) == 1200
    assert all(row.success for row in outcomes)
    found = client.annotations.list(label="confirmed")
    assert sorted(row.document_id for row in found.items) == sorted(refs)
    assert found.total_count == 1200
    assert len(client.annotations.list(label="confirmed", limit=700)) == 700


def test_a_package_is_sent_as_a_folder_or_a_zip(client: Client, tmp_path: Path) -> None:
    folder = packages.write_package(tmp_path / "trial", packages.CURIOUS)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "old.pyc").write_bytes(b"old")
    confirmed = client.extractors.upload(folder)
    assert (confirmed.plugin_id, confirmed.validation_status) == ("trial_1_0_0", "passed")
    assert client.extractors.get("trial_1_0_0").version == "1.0.0"
    assert client.extractors.status("trial_1_0_0").status == "NOT_DEPLOYED"
    assert client.extractors.deploy("trial_1_0_0").status == "queued"
    client.extractors.undeploy("trial_1_0_0")
    assert [row.plugin_id for row in client.plugins.list()] == ["trial_1_0_0"]
    assert [row.source for row in client.extractors.available()] == ["custom"]
    with pytest.raises(ApiError) as caught:
        client.extractors.upload(folder)
    assert caught.value.status == 409
    client.extractors.delete("trial_1_0_0")
    assert not ExtractorVersion.objects.exists()
    zipped = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "trial")
    assert client.extractors.upload(zipped).plugin_id == "trial_1_0_0"


def test_a_faulty_package_is_refused_with_its_faults(client: Client, tmp_path: Path) -> None:
    manifest = packages.MANIFEST.replace('"feature_name"', '"name"')
    folder = packages.write_package(tmp_path / "trial", "import subprocess\n" + packages.CURIOUS, manifest)
    with pytest.raises(ApiError, match="was refused") as caught:
        client.extractors.upload(folder)
    said = str(caught.value.validation_errors)
    assert "feature_name" in said
    assert "subprocess" in said
    (folder / "manifest.py").write_text('name = "trial"')
    with pytest.raises(ApiError, match="has no feature_extractor_name"):
        client.extractors.upload(folder)
    (folder / "manifest.py").write_text("name =")
    with pytest.raises(ApiError, match="is no Python"):
        client.extractors.upload(folder)
    (folder / "manifest.py").unlink()
    with pytest.raises(ApiError, match=r"no manifest\.py"):
        client.extractors.upload(folder)
    with pytest.raises(ApiError, match="neither a folder nor a zip"):
        client.extractors.upload(folder / "pipeline.py")


def test_weights_are_sent_as_a_folder_or_a_file(client: Client, tmp_path: Path) -> None:
    from extraction.packages.builtin import SHIPPED_WEIGHTS

    one = client.models.upload(SHIPPED_WEIGHTS / "digits.pt", name="digits", version="1.0.0")
    assert one.model_id == "digits_1_0_0"
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "best.pt").write_bytes((SHIPPED_WEIGHTS / "digits.pt").read_bytes())
    two = client.models.upload(folder, name="digits", version="1.1.0", task_type="detection")
    assert client.models.get(two.model_id).task_type == "detection"
    assert client.models.deploy(two.model_id).deployment_status == "pending"
    assert sorted(row.model_id for row in client.models.iterate()) == ["digits_1_0_0", "digits_1_1_0"]
    client.models.delete(one.model_id)
    assert RegistryModel.objects.count() == 1
    nonsense = tmp_path / "weights.pt"
    nonsense.write_text("no weights")
    with pytest.raises(ApiError, match="was refused"):
        client.models.upload(nonsense, name="nonsense", version="1.0.0")


REFUSED: list[tuple[Any, int, str]] = [
    (lambda client: client.buckets.get("none"), 404, "none"),
    (lambda client: client.buckets.create("b", unique_key={"fields": 3}), 422, "unique_key"),
    (lambda client: client.annotations.create("doc_none", label="confirmed"), 404, "doc_none"),
    (lambda client: client.within("elsewhere").buckets.list(), 404, "elsewhere"),
    (lambda client: client.tasks.get("task_none"), 404, "task_none"),
    (lambda client: client.collections.create("c", feature_extractor={}, source={}), 422, "source"),
]


@pytest.mark.parametrize(("call", "status", "words"), REFUSED)
def test_what_the_server_refuses_is_one_exception(call: Any, status: int, words: str, client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        call(client)
    assert caught.value.status == status
    assert words in f"{caught.value} {caught.value.details}"
    assert not caught.value.retryable


def test_a_wrong_key_is_refused(server: WebServer) -> None:
    with pytest.raises(ApiError) as caught:
        Client(api_key="mxcv_wrong", base_url=server.url).me()
    assert (caught.value.status, caught.value.code) == (401, "unauthenticated")


def test_a_keys_limit_is_told_and_waited_for(server: WebServer, namespace: Namespace) -> None:
    key = make.make_key(namespace)
    ApiKey.objects.update(rate_limit=1)
    impatient = Client(api_key=key, base_url=server.url, max_wait=0)
    with pytest.raises(ApiError) as caught:
        [impatient.me() for _ in range(3)]  # the minute may turn once between them
    assert (caught.value.status, caught.value.retryable) == (429, True)
    assert 0 < (caught.value.retry_after or 0) <= 60


def test_lost_answers_make_nothing_twice(server: WebServer, namespace: Namespace, tmp_path: Path) -> None:
    lossy = Lossy(every=2)
    key = make.make_key(namespace)
    with Client(api_key=key, base_url=server.url, max_wait=20, transport=lossy) as client:
        client.me()  # its answer comes, that of every call after it is lost once
        client.buckets.create("shelf")
        uploaded = client.buckets.objects.upload("shelf", files=[image(tmp_path, "one.jpg", 1)])
        sent = client.buckets.uploads.send("shelf", image(tmp_path, "two.jpg", 2))
        blobs = [{"property": "image", "type": "image", "data": {"url": "https://example.org/a.jpg"}}]
        client.buckets.objects.create("shelf", blobs=blobs)
        stage = {"stage_name": "few", "config": {"stage_id": "limit", "parameters": {"limit": 3}}}
        client.retrievers.create("few", stages=[stage])
        plugin = client.extractors.upload(packages.write_package(tmp_path / "trial", packages.CURIOUS))
    assert lossy.lost == lossy.answers // 2 == 10
    assert lossy.replayed >= 8
    assert Bucket.objects.count() == ExtractorVersion.objects.count() == 1
    assert Object.objects.count() == 3
    assert {row.public_id for row in Object.objects.all()} >= {uploaded[0].object_id, sent.object_id}
    assert plugin.plugin_id == "trial_1_0_0"


def test_a_call_outlives_the_servers_restart(server: WebServer, client: Client) -> None:
    client.buckets.create("before")
    server.kill()
    again = threading.Thread(target=server.start)
    again.start()
    made = Client(api_key=client._transport._api_key, base_url=server.url, max_wait=60).buckets.create(
        "after"
    )
    again.join()
    assert made.bucket_id == "bkt_after"
    assert sorted(row.bucket_name for row in client.buckets.list()) == ["after", "before"]
    assert Annotation.objects.count() == Detection.objects.count() == 0
