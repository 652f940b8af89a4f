"""What the page of a run shows: curves, samples, lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from extraction.classes.models import ObjectClass
from extraction.runs.models import Collection
from review.training.charts import Chart, chart_of
from review.training.models import TrainingEpoch, TrainingRun

SURE = 0.25


@dataclass(frozen=True)
class SampleBox:
    """Left, top, width and height in pixels; `colour` is the class's number."""

    name: str
    confidence: float
    colour: int
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True)
class Sample:
    image_id: int
    width: int
    height: int
    boxes: list[SampleBox]

    @property
    def letters(self) -> int:
        """The height of a box's words, in pixels of the picture."""
        return max(8, round(self.width / 26))


def curves_of(run: TrainingRun, epochs: list[TrainingEpoch]) -> list[Chart]:
    """Losses in training and validation, and mAP, by epoch."""
    total = max(int(run.settings.get("epochs", 1)), epochs[-1].number if epochs else 1)
    if run.job.is_over and epochs:
        total = max(2, epochs[-1].number)
    best = run.best.get("number")
    by_number = {one.number: one for one in epochs}
    numbers = range(1, (epochs[-1].number if epochs else 0) + 1)

    def loss(part: str) -> list[float | None]:
        return [_sum(by_number[n].losses.get(part)) if n in by_number else None for n in numbers]

    def figure(name: str) -> list[float | None]:
        return [getattr(by_number[n], name) if n in by_number else None for n in numbers]

    return [
        chart_of(
            "mAP on the validation images",
            {"map50": ("mAP50", figure("map50")), "map": ("mAP50-95", figure("map50_95"))},
            epochs=total,
            best=best,
            top=1.0,
        ),
        chart_of(
            "Loss",
            {"train": ("training", loss("train")), "val": ("validation", loss("val"))},
            epochs=total,
            best=best,
        ),
    ]


def _sum(losses: dict[str, float | None] | None) -> float | None:
    """Box, class and distribution loss together; None where one is no number."""
    values = list((losses or {}).values())
    if not values or any(value is None for value in values):
        return None
    return sum(value for value in values if value is not None)


def samples_of(run: TrainingRun) -> list[Sample]:
    """What the newest epoch sees, drawn in the colours of its classes."""
    names = {box[0] for one in run.samples for box in one["boxes"]}
    rows = ObjectClass.objects.filter(namespace_id=run.namespace_id, name__in=names)
    colours = dict(rows.values_list("name", "colour"))
    return [
        Sample(
            one["image_id"],
            one["width"],
            one["height"],
            [
                SampleBox(name, sure, colours.get(name, 1), round(cx - w / 2, 1), round(cy - h / 2, 1), w, h)
                for name, sure, cx, cy, w, h in one["boxes"]
                if sure >= SURE
            ],
        )
        for one in run.samples
    ]


def collection_of(run: TrainingRun) -> Collection | None:
    """The collection of the version that the run made, if there is one."""
    if run.produced_version_id is None:
        return None
    return Collection.objects.filter(extractor_version_id=run.produced_version_id).order_by("pk").first()


def lineage_of(run: TrainingRun) -> list[tuple[str, Any]]:
    """Settings and runtime as pairs of word and value."""
    values = run.settings
    pairs: list[tuple[str, Any]] = [
        ("Epochs", f"{values['epochs']}, patience {values['patience']}"),
        ("Image size", f"{values['image_size']} px"),
        ("Batch", values["batch"] if values["batch"] > 0 else "chosen by CUDA"),
        ("Augmentation", values["augmentation"]),
        ("Frozen layers", values["freeze"]),
        ("Seed", values["seed"]),
    ]
    if run.runtime:
        pairs.append(("Device", run.runtime.get("device", "")))
        libraries = run.runtime.get("libraries", {})
        pairs.append(("Libraries", ", ".join(f"{name} {number}" for name, number in libraries.items())))
    return pairs
