"""Evaluations by a real Celery worker and real hosts, over digit scenes; killed in the middle and not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extraction.classes.domain import ensure_classes
from extraction.demo.scenes import write_scenes
from extraction.intake.domain import Incoming, add_objects
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.domain import deploy, register_version
from extraction.packages.models import ExtractorVersion
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import SYSTEM
from review.datasets.models import Dataset, DatasetBox, DatasetItem, DatasetVersion
from review.evaluation import domain
from review.evaluation.models import Comparison, Evaluation, ImagePrediction
from review.evaluation.tasks import sweep
from tests import factories as make
from tests.processes import Worker, wait_until

IMAGES = 16


def deployed(namespace, version: str, threshold: float) -> ExtractorVersion:
    row = register_version(
        namespace=namespace,
        extractor="digits",
        version=version,
        weights_path=SHIPPED_WEIGHTS / "digits.pt",
        parameters={"image_size": 256, "threshold": threshold},
    )
    deploy(version=row)
    wait_until(
        lambda: ExtractorVersion.objects.filter(pk=row.pk, state__in=["ready", "failed"]),
        seconds=90,
        what="deployment",
    )
    row.refresh_from_db()
    assert row.state == "ready", row.error
    return row


def frozen(version: ExtractorVersion, folder: Path) -> DatasetVersion:
    """Holdout scenes with their exact truth, as a dataset version would freeze them."""
    namespace = version.extractor.namespace
    scenes = write_scenes(folder, split="holdout", count=IMAGES, seed=5)
    incoming = [
        Incoming(name=scene.path.name, data=scene.path.read_bytes(), metadata=scene.metadata)
        for scene in scenes
    ]
    outcomes = add_objects(bucket=make.make_bucket(namespace), incoming=incoming, by=SYSTEM)
    classes = ensure_classes(namespace=namespace, names=[str(digit) for digit in range(10)])
    dataset = Dataset.objects.create(
        namespace=namespace, extractor=version.extractor, name="digits", public_id="ds_digits"
    )
    made = DatasetVersion.objects.create(
        dataset=dataset,
        number=1,
        classes=[{"index": n, "name": str(n), "class_id": classes[str(n)].pk} for n in range(10)],
    )
    for scene, outcome in zip(scenes, outcomes, strict=True):
        image = outcome.object.image
        item = DatasetItem.objects.create(
            dataset_version=made,
            image=image,
            image_sha256=image.sha256,
            split="val",
            holdout=True,
            file_name=scene.path.name,
            width=image.width,
            height=image.height,
            rule="reviewed",
        )
        for box in scene.boxes:
            add_box(item, classes, box)
    return made


def add_box(item: DatasetItem, classes, box) -> None:
    name = str(box.digit)
    DatasetBox.objects.create(
        item=item,
        class_index=int(name),
        object_class=classes[name],
        cx=box.x,
        cy=box.y,
        w=box.w,
        h=box.h,
        origin="import",
    )


def wait_for(row: Evaluation, until: Callable[[], bool], *, what: str) -> None:
    def there() -> bool:
        sweep()  # beat's part
        row.job.refresh_from_db()
        return until()

    wait_until(there, seconds=180, what=what)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_the_result_is_the_same(worker: Worker, tmp_path: Path):
    fast = {"MIXCV_CHUNK_IMAGES": "4", "MIXCV_LEASE_SECONDS": "3"}
    worker.start(**fast)
    namespace = make.make_namespace()
    first, second = deployed(namespace, "1.0.0", 0.25), deployed(namespace, "2.0.0", 0.6)
    dataset_version = frozen(first, tmp_path)

    def start() -> Evaluation:
        return domain.start_evaluation(
            namespace=namespace, dataset_version=dataset_version, versions=[first, second], by=SYSTEM
        )

    killed = start()
    done = ImagePrediction.objects.filter(evaluated__evaluation=killed)
    wait_for(killed, lambda: done.count() >= 8, what="the first chunks")
    worker.kill()
    before = {row.pk: row.boxes for row in done}
    assert 8 <= len(before) < 2 * IMAGES
    worker.start(**fast)
    wait_for(killed, lambda: killed.job.is_over, what="the evaluation")
    assert (killed.job.state, killed.job.done, killed.job.attempt) == (Job.State.COMPLETED, 2 * IMAGES, 2)
    assert {row.pk: row.boxes for row in done.filter(pk__in=before)} == before
    whole = start()
    wait_for(whole, lambda: whole.job.is_over, what="the evaluation without a kill")

    def metrics(row: Evaluation) -> list[dict]:
        return [{**one.metrics, "milliseconds": None} for one in row.versions.all()]

    assert metrics(killed) == metrics(whole)
    assert ImagePrediction.objects.count() == 4 * IMAGES
    old, new = metrics(whole)
    assert old["warnings"] == new["warnings"] == []
    # The same weights: equal wherever no threshold counts, and surer of less at the higher one.
    assert old["map50_95"] == new["map50_95"] > 0.2
    assert old["recall"] > new["recall"]
    assert [one.results["map50_95"]["difference"] for one in Comparison.objects.all()] == [0, 0]
    assert all(one.milliseconds > 0 for one in whole.versions.all())
