"""The tutorial's package, taken out of its page, from the zip to detections by a real worker and a real host."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from django.conf import settings
from PIL import Image

from extraction.demo.scenes import write_scenes
from extraction.intake.domain import Incoming, add_objects
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.hosts import spec_of
from extraction.packages.models import ExtractorVersion, Feature
from extraction.runs import domain as runs
from extraction.runs.models import Batch, Collection, Detection, Document, Embedding
from extraction.runs.tasks import sweep
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Scope
from tests import factories as make
from tests.extraction.packages import packages
from tests.extraction.packages.archives import package_zip, zip_of
from tests.extraction.packages.test_api import Api, sent
from tests.processes import Worker, wait_until


@pytest.fixture
def _weights() -> Iterator[None]:
    """Small weights of the architecture under the name that the package asks for."""
    settings.MIXCV_WEIGHTS.mkdir(parents=True, exist_ok=True)
    path = settings.MIXCV_WEIGHTS / "yolov8m.pt"
    shutil.copyfile(SHIPPED_WEIGHTS / "digits.pt", path)
    yield
    path.unlink()


def blank() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((240, 320, 3), 240, np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.usefixtures("_weights")
def test_the_tutorials_package_runs_in_two_versions_side_by_side(worker: Worker, tmp_path: Path) -> None:
    namespace = make.make_namespace()
    api = Api(make.make_key(namespace, scopes=[Scope.READ, Scope.WRITE]))
    folder = packages.tutorial_package(tmp_path / "yolo_detector")
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    bucket = make.make_bucket(namespace)
    scenes = write_scenes(tmp_path / "scenes", split="holdout", count=3, seed=3, digits=range(7))
    incoming = [Incoming(name=scene.path.name, data=scene.path.read_bytes()) for scene in scenes]
    add_objects(bucket=bucket, incoming=[*incoming, Incoming(name="blank.png", data=blank())], by=SYSTEM)
    for number in ("1.0.0", "2.0.0"):
        manifest = files["manifest.py"].replace('version = "1.0.0"', f'version = "{number}"')
        data = zip_of({**files, "manifest.py": manifest}, "yolo_detector")
        upload = {"name": "yolo_detector", "version": number, "file_size_bytes": 50_000}
        confirmed = sent(api, data, upload).json()
        assert confirmed["validation_errors"] == []
        assert confirmed["feature_uri"] == f"mixpeek://yolo_detector@{number}/detection_embedding"
        version = ExtractorVersion.objects.get(public_id=confirmed["plugin_id"])
        # The collection and its items are there before the version is: they wait for it.
        collection = make.make_collection(bucket, f"run {number}", version=version)
        runs.submit_batch(batch=runs.create_batch(bucket=bucket, collections=[collection]))
        answer = api.post(f"plugins/{confirmed['plugin_id']}/deploy?deployment_type=batch_only")
        assert answer.status_code == 200

    def over() -> bool:
        sweep()  # beat's part
        states = [api.get(f"plugins/yolo_detector_{n}_0_0/status").json() for n in (1, 2)]
        assert not [one["error"] for one in states if one["status"] == "FAILED"]
        return all(batch.is_over for batch in Batch.objects.all())

    wait_until(over, seconds=150, what="both versions' batches")
    assert set(Batch.objects.values_list("state", "done_count")) == {(Batch.State.COMPLETED, 4)}
    status = api.get("plugins/yolo_detector_1_0_0/status").json()
    assert status["status"] == "DEPLOYED"
    assert any("asks for ultralytics==8.2.0" in one for one in status["warnings"])
    assert any("wishes for a GPU" in one for one in status["warnings"])
    for collection in Collection.objects.all():
        _check(collection)
    assert ExtractorVersion.objects.get(public_id="yolo_detector_1_0_0").class_names[:2] == ["0", "1"]


def _check(collection: Collection) -> None:
    version = collection.extractor_version
    assert version is not None
    documents = list(Document.objects.filter(collection=collection).order_by("slug"))
    assert [document.detection_count > 0 for document in documents] == [False, True, True, True]
    surest = Detection.objects.filter(collection=collection, rank=0)
    assert surest.count() == 3
    own = Feature.objects.get(extractor_version=version, name="detection_embedding")
    stored = Embedding.objects.filter(feature=own)
    # One vector an image, on its surest detection; none for the image of zeros.
    assert set(stored.values_list("detection_id", flat=True)) == set(surest.values_list("pk", flat=True))
    assert own.space is not None
    assert own.space.dimension == 512
    crops = Embedding.objects.filter(feature__extractor_version=version, feature__name="crop_embedding")
    assert crops.count() == Detection.objects.filter(collection=collection).count()


def test_without_weights_the_deployment_names_file_and_folder(worker: Worker, tmp_path: Path) -> None:
    namespace = make.make_namespace()
    api = Api(make.make_key(namespace, scopes=[Scope.READ, Scope.WRITE]))
    folder = packages.tutorial_package(tmp_path / "yolo_detector")
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    files["pipeline.py"] = files["pipeline.py"].replace("yolov8m.pt", "my-own.pt")
    sent(api, zip_of(files), {"name": "yolo_detector", "version": "1.0.0"})
    api.post("plugins/yolo_detector_1_0_0/deploy")
    status: dict[str, str] = {}

    def over() -> bool:
        status.update(api.get("plugins/yolo_detector_1_0_0/status").json())
        return status["status"] in {"FAILED", "DEPLOYED"}

    wait_until(over, seconds=90, what="the deployment")
    assert status["status"] == "FAILED"
    assert f"Put my-own.pt into {settings.MIXCV_WEIGHTS}" in status["error"]


def test_undeploying_ends_the_workers_host(worker: Worker) -> None:
    namespace = make.make_namespace()
    api = Api(make.make_key(namespace, scopes=[Scope.READ, Scope.WRITE]))
    sent(api, package_zip())
    api.post("plugins/trial_1_0_0/deploy")
    ready = ExtractorVersion.objects.filter(state=ExtractorVersion.State.READY)
    wait_until(ready.exists, seconds=90, what="the deployment")
    key = spec_of(ready.get()).key

    def running() -> bool:
        """Whether the worker has this version's host; it may have others."""
        for one in psutil.Process(worker.pid).children():
            with contextlib.suppress(psutil.Error):
                if one.status() != psutil.STATUS_ZOMBIE and f"host-{key}" in one.cwd():
                    return True
        return False

    assert running()
    api.post("plugins/trial_1_0_0/undeploy")
    wait_until(lambda: not running(), seconds=15, what="the host to end")
