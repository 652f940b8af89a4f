"""Runs without training: a dataset version, a base with weights, and a process that only talks."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from extraction.packages.files import keep_file
from extraction.packages.models import ClassIndex, ExtractorVersion
from review.datasets.models import DatasetVersion
from review.training import domain
from review.training.models import TrainingRun
from review.training.settings import Settings
from tests import factories as make
from tests.review.datasets.building import INES, build, dataset_of, ready


def weights_file(folder: Path, name: str = "base.pt", text: str = "weights") -> Path:
    """A file that begins as weights of PyTorch do; nobody loads it here."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("data.pkl", text)
    return folder / name


def base_version(namespace, folder: Path, *, name: str = "yolo_detector") -> ExtractorVersion:
    """A deployed version of the built-in package with weights of its own, in production."""
    version = make.make_version(namespace, name)
    classes = {row.name: row for row in namespace.classes.all()}
    ClassIndex.objects.bulk_create(
        ClassIndex(extractor=version.extractor, object_class=classes[one], index=n)
        for n, one in enumerate(make.CLASSES)
    )
    version.weights = keep_file(namespace=namespace, path=weights_file(folder))
    version.weights_name, version.deployed_at = "base.pt", version.created_at
    version.parameters = {"image_size": 320, "threshold": 0.3}
    version.save()
    version.extractor.production = version
    version.extractor.save()
    return version


def trainable(folder: Path, *, train: int = 4, val: int = 2) -> tuple[ExtractorVersion, DatasetVersion]:
    namespace = make.make_namespace()
    version = base_version(namespace, folder)
    collection = make.make_collection(make.make_bucket(namespace, "cameras"), "street", version=version)
    ready(collection, train, val)
    return version, build(dataset_of(collection))


def start(version: ExtractorVersion, dataset_version: DatasetVersion, **settings: Any) -> TrainingRun:
    return domain.start_run(
        namespace=version.extractor.namespace,
        dataset_version=dataset_version,
        base_version=version,
        settings=Settings(**{"epochs": 2, "batch": 2, **settings}),
        by=INES,
    )


def epoch(number: int, *, best: bool = True, map50_95: float | None = None) -> dict[str, Any]:
    return {
        "op": "epoch",
        "number": number,
        "losses": {"train": {"box_loss": 1.0 / number}, "val": {"box_loss": 1.5 / number}},
        "precision": 0.5,
        "recall": 0.4,
        "map50": 0.6,
        "map50_95": number / 10 if map50_95 is None else map50_95,
        "seconds": 2.0,
        "best": best,
    }


READY = {"op": "ready", "device": "cpu", "libraries": {"ultralytics": "8", "torch": "2"}, "resumed": 0}


class Talker:
    """Stands for the process at its pipe: says `messages`, or calls those that can be called, and then waits."""

    def __init__(self, messages: Iterable[Any], made: list[dict[str, Any]]) -> None:
        self.messages, self.made = list(messages), made

    def __call__(self, request: dict[str, Any]) -> Talker:
        self.made.append(request)
        self.folder = Path(request["folder"])
        return self

    def __enter__(self) -> Talker:
        return self

    def __exit__(self, *error: object) -> None:
        self.made.append({"ended": True})

    def next(self, timeout: float) -> dict[str, Any] | None:
        if not self.messages:
            return None
        message = self.messages.pop(0)
        if callable(message):
            message = message()
        if message and message["op"] == "done":
            weights_file(self.folder, "final.pt", "trained")
        return message


def done(number: int = 2) -> dict[str, Any]:
    return {"op": "done", "best": {"number": number, "map50": 0.6, "map50_95": number / 10}}
