"""Datasets of the demo's digits, by exact truth: what a run can really learn from."""

from __future__ import annotations

from pathlib import Path

from extraction.demo.scenes import SceneFile, write_scenes
from extraction.imports.domain import import_truth
from extraction.intake.models import Bucket
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.domain import register_version
from extraction.packages.models import ClassIndex, ExtractorVersion
from mixcv.tenancy.actors import SYSTEM, Actor
from review.datasets.domain import build_version, create_dataset
from review.datasets.models import DatasetVersion
from tests import factories

KNOWN = [str(digit) for digit in range(7)]
INES = Actor("ines")


def digits_version(namespace, *, name: str = "digits", size: int = 128) -> ExtractorVersion:
    """The shipped detector of the digits 0 to 6, as its deployment would leave it, without a host."""
    from extraction.classes.domain import ensure_classes

    row = register_version(
        namespace=namespace,
        extractor=name,
        version="1.0.0",
        weights_path=SHIPPED_WEIGHTS / "digits.pt",
        parameters={"image_size": size},
    )
    classes = ensure_classes(namespace=namespace, names=KNOWN)
    ClassIndex.objects.bulk_create(
        ClassIndex(extractor=row.extractor, object_class=classes[one], index=n) for n, one in enumerate(KNOWN)
    )
    row.state, row.class_names, row.deployed_at = ExtractorVersion.State.READY, KNOWN, row.created_at
    row.save()
    row.extractor.production = row
    row.extractor.save()
    return row


def scenes_with_truth(bucket: Bucket, folder: Path, *, train: int = 10, test: int = 4) -> None:
    """Scenes with all ten digits: imported truth makes them complete, the test part is the holdout."""
    write_truth(folder, train=train, test=test)
    import_truth(bucket=bucket, source=folder, by=SYSTEM)


def write_truth(folder: Path, *, train: int = 10, test: int = 4) -> None:
    """The same as a folder of YOLO, yet to be imported."""
    for part, split, count in (("train", "demo", train), ("test", "holdout", test)):
        images, labels = folder / "images" / part, folder / "labels" / part
        labels.mkdir(parents=True)
        files = write_scenes(images, split=split, count=count, seed=3)  # type: ignore[arg-type]
        (images / "truth.json").unlink()
        for file in files:
            (labels / f"{file.path.stem}.txt").write_text(_lines(file))
    names = ", ".join(f"'{digit}'" for digit in range(10))
    (folder / "data.yaml").write_text(f"train: images/train\ntest: images/test\nnames: [{names}]\n")


def _lines(file: SceneFile) -> str:
    rows = ((box.digit, box.x / 640, box.y / 480, box.w / 640, box.h / 480) for box in file.boxes)
    return "".join(f"{digit} {x:.9f} {y:.9f} {w:.9f} {h:.9f}\n" for digit, x, y, w, h in rows)


def trainable(tmp_path: Path, *, train: int = 10, test: int = 4) -> tuple[ExtractorVersion, DatasetVersion]:
    """The digits' detector with a collection, and a dataset version of all ten digits."""
    namespace = factories.make_namespace()
    version = digits_version(namespace)
    bucket = factories.make_bucket(namespace, "scenes")
    scenes_with_truth(bucket, tmp_path / "truth", train=train, test=test)
    dataset = create_dataset(namespace=namespace, extractor=version.extractor, name="scenes", by=INES)
    return version, build_version(dataset=dataset, by=INES)
