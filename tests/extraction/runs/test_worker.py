"""Extraction by a real Celery worker and a real host, over digit scenes and real pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import Count

from extraction.demo.scenes import street_photographs, write_scenes
from extraction.intake.domain import Incoming, add_objects
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.domain import deploy, register_version
from extraction.packages.models import ClassIndex, Deployment, ExtractorVersion, Feature
from extraction.runs import domain as runs
from extraction.runs.models import Batch, BatchItem, Detection, Document, Embedding
from extraction.runs.tasks import sweep
from mixcv.tenancy.actors import SYSTEM
from tests import factories as make
from tests.processes import Worker, wait_until

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def deployed(namespace, extractor: str = "digits", **kwargs) -> ExtractorVersion:
    kwargs = kwargs or {"weights_path": SHIPPED_WEIGHTS / "digits.pt", "parameters": {"image_size": 256}}
    version = register_version(namespace=namespace, extractor=extractor, version="1.0.0", **kwargs)
    deploy(version=version)
    over = [ExtractorVersion.State.READY, ExtractorVersion.State.FAILED]
    wait_until(
        lambda: ExtractorVersion.objects.filter(pk=version.pk, state__in=over), seconds=90, what="deployment"
    )
    version.refresh_from_db()
    return version


def incoming_scenes(folder: Path, count: int) -> list[Incoming]:
    files = write_scenes(folder, split="holdout", count=count, seed=5)
    return [
        Incoming(name=file.path.name, data=file.path.read_bytes(), metadata=file.metadata) for file in files
    ]


def wait_for(batch: Batch, *, seconds: float = 120) -> Batch:
    def over() -> bool:
        sweep()  # beat's part
        batch.refresh_from_db()
        return batch.is_over

    wait_until(over, seconds=seconds, what=f"batch {batch.public_id}")
    return batch


def test_new_images_are_detected_by_themselves(worker: Worker, tmp_path: Path):
    version = deployed(make.make_namespace())
    assert (version.state, version.error) == ("ready", "")
    assert version.class_names == [str(digit) for digit in range(7)]
    assert ClassIndex.objects.filter(extractor=version.extractor).count() == 7
    bucket = make.make_bucket(version.extractor.namespace)
    collection = make.make_collection(bucket, version=version, enabled=True)
    add_objects(bucket=bucket, incoming=incoming_scenes(tmp_path, 6), by=SYSTEM)
    batch = wait_for(Batch.objects.get())
    assert (batch.state, batch.done_count) == (Batch.State.COMPLETED, 6)
    detections = Detection.objects.filter(collection=collection)
    assert detections.count() > 12
    assert not detections.filter(confidence__lt=0.25).exists()
    feature = Feature.objects.get(extractor_version=version, name="crop_embedding")
    assert Embedding.objects.filter(feature=feature).count() == detections.count()
    assert Feature.objects.get(extractor_version=version, name="detection_embedding").same_as == feature
    queue = make.queue_of(collection)
    assert queue.waiting_count == detections.filter(confidence__lt=0.7).count() > 0


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(worker: Worker, tmp_path: Path):
    fast = {"MIXCV_CHUNK_IMAGES": "4", "MIXCV_LEASE_SECONDS": "3"}
    worker.start(**fast)
    version = deployed(make.make_namespace())
    bucket = make.make_bucket(version.extractor.namespace)
    collection = make.make_collection(bucket, version=version)
    add_objects(bucket=bucket, incoming=incoming_scenes(tmp_path, 60), by=SYSTEM)
    batch = runs.create_batch(bucket=bucket, collections=[collection])
    runs.submit_batch(batch=batch)
    done = BatchItem.objects.filter(batch=batch, state=BatchItem.State.DONE)
    wait_until(lambda: done.count() >= 8, seconds=60, what="the first chunks")
    worker.kill()
    before = done.count()
    assert 8 <= before < 60
    assert BatchItem.objects.filter(batch=batch, state=BatchItem.State.RUNNING).exists()
    worker.start(**fast)
    batch = wait_for(batch)
    assert (batch.state, batch.done_count, batch.failed_count) == (Batch.State.COMPLETED, 60, 0)
    assert Document.objects.filter(collection=collection).count() == 60
    # The same images without a kill give the same boxes: none is missing, none is there twice.
    twin = make.make_collection(bucket, version=version)
    again = runs.submit_batch(batch=runs.create_batch(bucket=bucket, collections=[twin]))
    wait_for(again)

    def per_image(of) -> dict[int, int]:
        rows = Document.objects.filter(collection=of).annotate(found=Count("detections"))
        return dict(rows.values_list("object_id", "found"))

    assert per_image(collection) == per_image(twin)
    found = Detection.objects.filter(collection=collection)
    assert Embedding.objects.filter(detection__in=found).count() == found.count()


@pytest.mark.slow
def test_one_bad_image_of_a_hundred_fails_alone(worker: Worker, tmp_path: Path):
    version = deployed(make.make_namespace())
    bucket = make.make_bucket(version.extractor.namespace)
    collection = make.make_collection(bucket, version=version)
    outcomes = add_objects(bucket=bucket, incoming=incoming_scenes(tmp_path, 100), by=SYSTEM)
    bad = outcomes[41].object
    # A file that rots on the disk after it was verified.
    path = Path(settings.MIXCV_STORAGE) / bad.image.working.storage_name
    path.write_bytes(path.read_bytes()[:2000])
    batch = wait_for(runs.submit_batch(batch=runs.create_batch(bucket=bucket, collections=[collection])))
    assert (batch.state, batch.done_count, batch.failed_count) == (Batch.State.COMPLETED_WITH_ERRORS, 99, 1)
    item = BatchItem.objects.get(batch=batch, state=BatchItem.State.FAILED)
    assert item.object_id == bad.pk
    assert item.reason


def test_weights_that_are_nowhere_fail_the_deployment_in_words(worker: Worker):
    version = deployed(make.make_namespace(), "street", weights_name="yolov8m.pt")
    assert version.state == "failed"
    assert "yolov8m.pt" in version.error
    assert str(settings.MIXCV_WEIGHTS) in version.error
    assert Deployment.objects.get().error == version.error


@pytest.mark.skipif(not SHARED.exists(), reason="the real pictures are not beside this checkout")
def test_coco_weights_find_the_bus_and_its_people_once_they_are_there(worker: Worker):
    """Items of a version that is not ready wait; placing the file and deploying again takes them up."""
    namespace = make.make_namespace()
    version = deployed(namespace, "street", weights_name="yolov8n.pt")
    assert version.state == "failed"
    bucket = make.make_bucket(namespace)
    collection = make.make_collection(bucket, version=version, enabled=True)
    bus = street_photographs()[0]
    add_objects(bucket=bucket, incoming=[Incoming(name=bus.name, data=bus.read_bytes())], by=SYSTEM)
    settings.MIXCV_WEIGHTS.mkdir(parents=True, exist_ok=True)
    placed = settings.MIXCV_WEIGHTS / "yolov8n.pt"
    shutil.copyfile(SHARED / "weights" / "yolov8n.pt", placed)
    try:
        deploy(version=version)
        batch = wait_for(Batch.objects.get())
    finally:
        placed.unlink()
    assert batch.state == Batch.State.COMPLETED
    names = list(Detection.objects.filter(collection=collection).values_list("object_class__name", flat=True))
    assert names.count("bus") == 1
    assert names.count("person") >= 4


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the real pictures are not beside this checkout")
def test_real_microscope_pictures_go_through_whole(worker: Worker):
    namespace = make.make_namespace()
    version = deployed(namespace, "cells", weights_path=SHARED / "weights" / "yolov8n.pt")
    bucket = make.make_bucket(namespace)
    collection = make.make_collection(bucket, version=version)
    paths = sorted((SHARED / "bccd" / "images").rglob("*.jpg"))
    for start in range(0, len(paths), 100):
        part = [Incoming(name=path.name, data=path.read_bytes()) for path in paths[start : start + 100]]
        assert all(
            outcome.status == "created" for outcome in add_objects(bucket=bucket, incoming=part, by=SYSTEM)
        )
    batch = wait_for(
        runs.submit_batch(batch=runs.create_batch(bucket=bucket, collections=[collection])), seconds=400
    )
    assert (batch.state, batch.done_count) == (Batch.State.COMPLETED, len(paths))
    documents = Document.objects.filter(collection=collection).select_related("image")
    assert {(d.image.width, d.image.height) for d in documents} == {(640, 480)}
