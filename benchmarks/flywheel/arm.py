"""One way through the rounds, in a namespace of its own and by the public API alone."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.flywheel.oracle import Seen, as_annotation, cost, in_our_order, judge
from benchmarks.flywheel.truths import Known, Task, pack
from mixcv.client import Client, Row
from mixcv.kernel.geometry import Box

OURS, RANDOM, ALL = "ours", "random", "all"
FIRST = "1.0.0"
DOUBTFUL_BELOW = 0.7
AT_ONCE = 500
WAIT_SECONDS = 3600

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """The same for all arms. `decisions`: per round; sizes in pixels of the longer side."""

    rounds: int
    decisions: int
    epochs: int
    image_size: int
    batch: int = 8
    augmentation: str = "light"

    def of_run(self, seed: int) -> dict[str, Any]:
        """Settings of a training run; it keeps the epoch that is best on images taken off the reviewed ones."""
        return {
            "epochs": self.epochs,
            "image_size": self.image_size,
            "batch": self.batch,
            "seed": seed,
            "augmentation": self.augmentation,
            "patience": 0,
        }


@dataclass(frozen=True)
class Measured:
    """A round's end. `decisions`, `seconds`, `images`: of all rounds so far. mAP is 0 to 1, on the holdout; `gain` is
    the difference to version 1 with its 95 % interval; `took`: seconds of each step of this round."""

    version: str
    decisions: int
    seconds: float
    images: int
    map50_95: float
    first_map50_95: float
    gain: tuple[float, float, float]
    validation: float | None
    took: dict[str, float]


class Arm:
    """`order`: by which images are reviewed. `seed`: of the training and of what is left to chance."""

    def __init__(
        self,
        client: Client,
        task: Task,
        *,
        extractor: str,
        order: str,
        seed: int,
        settings: Settings,
        say: Say,
    ) -> None:
        self.client, self.task, self.extractor = client, task, extractor
        self.order, self.seed, self.settings, self.say = order, seed, settings, say
        self.random = random.Random(f"{seed}")
        self.known: dict[str, Known] = {}
        self.reviewed: set[str] = set()
        self.collection = ""
        self.documents: list[Row] = []
        self.rounds_done, self.decisions, self.seconds = 0, 0, 0.0
        self.took: dict[str, float] = {}

    # ---- the start

    def begin(self, folder: Path) -> None:
        """Deploy version 1, import the holdout with its truth and the pool without, detect the pool."""
        began = time.monotonic()
        plugin = f"{self.extractor}_{FIRST.replace('.', '_')}"
        self.client.extractors.deploy(plugin)
        for bucket, pictures, part, truth in (
            ("holdout", self.task.holdout, "test", True),
            ("pool", self.task.pool, "train", False),
        ):
            self.client.buckets.create(bucket)
            archive = folder / f"{bucket}.zip"
            if not archive.exists():
                pack(archive, pictures, self.task.classes, part=part, truth=truth)
            started = self.client.buckets.truth.upload(bucket, archive, format="yolo")
            done = self.client.buckets.truth.wait(bucket, started.import_id, timeout=WAIT_SECONDS)
            taken = done.counts["added"]
            if taken != len(pictures):
                raise RuntimeError(f"{bucket}: {taken} of {len(pictures)} pictures were taken: {done.faults}")
        by_name = {picture.name: picture for picture in self.task.pool}
        for row in self.client.buckets.objects.list("pool"):
            self.known[row.object_id] = by_name[row.key.rpartition("/")[2]]
        self.client.extractors.wait(plugin, timeout=WAIT_SECONDS)
        self.client.datasets.create("rounds", feature_extractor_name=self.extractor)
        self.detect(FIRST)
        self._clock("start", began)

    def detect(self, version: str) -> None:
        """Run a version over the pool; its documents are what is reviewed from now on."""
        began = time.monotonic()
        collection = self.client.collections.create(
            f"pool {version}",
            feature_extractor={"feature_extractor_name": self.extractor, "version": version},
            source={"type": "bucket", "bucket_ids": ["pool"]},
            enabled=False,
        )
        self.collection = collection.collection_id
        batch = self.client.batches.create("pool", collection_ids=[self.collection], auto_submit=True)
        done = self.client.batches.wait(batch.batch_id, timeout=WAIT_SECONDS)
        if done.status != "COMPLETED":
            raise RuntimeError(f"Detection of the pool by {version} ended as {done.status}.")
        self.documents = list(self.client.documents.list([self.collection]))
        self._clock("detect", began)

    # ---- a round

    def round(self) -> Measured:
        """Review as many images as the round's decisions allow, train, measure, detect anew."""
        self.took = {}
        budget = self.settings.decisions * (self.rounds_done + 1)
        self.review(None if self.order == ALL else budget)
        version, validation = self.train()
        result = self.measure(version, validation)
        self.rounds_done += 1
        if self.order != ALL and self.rounds_done < self.settings.rounds:
            self.detect(version)
        return result

    def review(self, budget: int | None) -> None:
        """Answer image by image until so many decisions are made in all rounds together; None: all images.

        What the last image of a round takes over its share is taken off the next round's.
        """
        began = time.monotonic()
        by_id = {row.document_id: row for row in self.documents}
        items: list[dict[str, Any]] = []
        whole: list[str] = []
        order, given = self._in_order()
        for ref in order:
            if budget is not None and self.decisions >= budget:
                break
            row = by_id[ref]
            decisions = judge([_seen(one) for one in row.detections], self.known[row.root_object_id].things)
            items += [{**as_annotation(one, ref, self.collection), **given} for one in decisions]
            whole.append(ref)
            self.reviewed.add(row.root_object_id)
            number, seconds = cost(decisions)
            self.decisions += number
            self.seconds += seconds
        for outcome in self.client.annotations.upload(items):
            if not outcome.success:
                raise RuntimeError(f"A verdict was refused: {outcome.error}")
        for start in range(0, len(whole), AT_ONCE):
            self.client.annotations.complete(whole[start : start + AT_ONCE], collection_id=self.collection)
        self._clock("review", began)

    def _in_order(self) -> tuple[list[str], dict[str, Any]]:
        """Documents that are still to review, and what annotations say of where they come from."""
        open_ = [row for row in self.documents if row.root_object_id not in self.reviewed]
        self.random.shuffle(open_)
        refs = [row.document_id for row in open_]
        if self.order != OURS:
            return refs, {}
        retriever, execution, doubtful = self._doubtful()
        still = set(refs)
        empty = [row.document_id for row in open_ if not row.detections]
        order = in_our_order([ref for ref in doubtful if ref in still], empty, refs)
        return order, {"retriever_id": retriever, "execution_id": execution} if execution else {}

    def _doubtful(self) -> tuple[str, str, list[str]]:
        """The current version's undecided boxes under the threshold, least sure first, by a retriever: as documents."""
        below = {"field": "detections.*.confidence", "operator": "lt", "value": DOUBTFUL_BELOW}
        undecided = {"field": "detections.*.decided_label", "operator": "exists", "value": False}
        stages = [
            _stage(
                "doubtful", "attribute_filter", {"filters": {"AND": [below, undecided]}, "unit": "detection"}
            ),
            _stage("least sure first", "sort_attribute", {"field": "confidence", "direction": "asc"}),
        ]
        retriever = self.client.retrievers.create(
            f"doubtful of {self.collection}", stages=stages, collection_identifiers=[self.collection]
        ).retriever_id
        found: list[str] = []
        execution, cursor = "", None
        while True:
            paging = {"method": "cursor", "limit": AT_ONCE, **({"cursor": cursor} if cursor else {})}
            page = self.client.retrievers.execute(retriever, pagination=paging)
            execution = execution or page.execution_id
            found += [row.document_id.rpartition("_det_")[0] for row in page]
            cursor = page.pagination["next_cursor"]
            if not cursor:
                return retriever, execution, list(dict.fromkeys(found))

    def train(self) -> tuple[str, float | None]:
        """Freeze what is reviewed and train on it from version 1; the new version, deployed, with its best mAP on the
        images that the run validated on."""
        began = time.monotonic()
        built = self.client.datasets.build("rounds")
        if left := len(self.reviewed) + len(self.task.holdout) - built.image_count:
            self.say(f"the dataset version leaves out {left} images that were reviewed")
        run = self.client.training_runs.create(
            dataset_id="rounds",
            dataset_version=built.version,
            base_version=f"{self.extractor}@{FIRST}",
            settings=self.settings.of_run(self.seed),
        )
        done = self.client.training_runs.wait(run.run_id, timeout=WAIT_SECONDS)
        self.client.extractors.wait(done.extractor_version_id, timeout=WAIT_SECONDS)
        self._clock("train", began)
        figures = [epoch["map50_95"] for epoch in done.epochs if epoch["map50_95"] is not None]
        counts = done.counts
        self.say(
            f"{done.version} trained on {counts['train']} images and validated on {counts['val']} others: "
            + " ".join(f"{figure:.2f}" for figure in figures)
        )
        return done.version, max(figures, default=None)

    def measure(self, version: str, validation: float | None) -> Measured:
        """Version 1 and this one on the frozen holdout."""
        began = time.monotonic()
        names = [f"{self.extractor}@{number}" for number in (FIRST, version)]
        started = self.client.evaluations.create(dataset_id="rounds", versions=names)
        done = self.client.evaluations.wait(started.evaluation_id, timeout=WAIT_SECONDS)
        self._clock("measure", began)
        old, new = done.versions
        gain = done.comparisons[0]["map50_95"]
        return Measured(
            version,
            self.decisions,
            self.seconds,
            len(self.reviewed),
            new["map50_95"] or 0.0,
            old["map50_95"] or 0.0,
            (gain["difference"], gain["low"], gain["high"]),
            validation,
            self.took,
        )

    def _clock(self, step: str, began: float) -> None:
        self.took[step] = round(time.monotonic() - began, 1)
        self.say(f"{step} {self.took[step]:.0f} s")


def _seen(detection: dict[str, Any]) -> Seen:
    box = detection["bbox"]
    return Seen(
        detection["document_id"],
        detection["class"],
        detection["confidence"],
        Box(box["x"], box["y"], box["w"], box["h"]),
    )


def _stage(name: str, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"stage_name": name, "config": {"stage_id": kind, "parameters": parameters}}
