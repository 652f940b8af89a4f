"""The worker's part of a run: prepare the folder, watch the training process, write what it says."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from extraction.packages.files import named_file
from mixcv.kernel.errors import DomainError
from mixcv.kernel.holding import Holding, Lost, Stopped
from mixcv.kernel.models import Job
from review.datasets.models import DatasetItem
from review.training.client import TrainingProcess
from review.training.domain.claiming import MOST_ATTEMPTS, claim, in_vain
from review.training.domain.ending import end_run
from review.training.domain.registering import register
from review.training.errors import TrainingFailed
from review.training.folder import check_disk, divide, folder_of, prepare
from review.training.models import TrainingEpoch, TrainingRun

log = logging.getLogger(__name__)
SAMPLES = 6
_POLL_S = 1.0
_SILENT_S = 3600.0
_RELATED = (
    "job",
    "namespace",
    "extractor__namespace",
    "base_blob",
    "base_version__extractor__namespace",
    "base_version__weights",
    "base_version__archive",
    "dataset_version__dataset__extractor",
)


def run_training(*, key: int) -> None:
    """Do a run, or go on from the last checkpoint of one that a killed worker left. Safe to call twice: one at a time
    holds it, and one run at a time holds a device."""
    run = TrainingRun.objects.select_related(*_RELATED).filter(pk=key).first()
    if run is None or run.job.is_over or not (holding := claim(run)):
        return
    try:
        with holding.kept():
            _Run(run, holding).run()
    except Lost:
        log.info("The training run %s is another worker's now", run.public_id)
    except Stopped:
        end_run(run, Job.State.CANCELED, "", owner=holding.owner)
    except DomainError as error:
        end_run(run, Job.State.FAILED, error.message, owner=holding.owner)
    except Exception as error:
        log.exception("The training run %s broke", run.public_id)
        run.job.refresh_from_db()
        if in_vain(run.job) >= MOST_ATTEMPTS:
            end_run(run, Job.State.FAILED, f"The training broke: {error}", owner=holding.owner)
        raise


class _Run:
    """One worker's go at a run."""

    def __init__(self, run: TrainingRun, holding: Holding) -> None:
        self.row, self.holding = run, holding
        self.folder = folder_of(run.public_id)
        self.names = class_names(run)
        self.written = self.first = (time.monotonic(), -1)

    def run(self) -> None:
        self.holding.check()
        if not (self.folder / "final.pt").exists() or self.row.phase != TrainingRun.Phase.REGISTERING:
            self._train(self._prepare())
        self._phase(TrainingRun.Phase.REGISTERING)
        register(self.row, self.folder / "final.pt", self.holding)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare(self) -> list[str]:
        """The folder with its images; gives the files of the samples."""
        self._phase(TrainingRun.Phase.PREPARING)
        version = self.row.dataset_version
        division = divide(version, int(self.row.settings["seed"]))
        if not (self.folder / "data" / "data.yaml").exists():
            check_disk(version, self.row.base_blob.size)
        prepare(version, division, self.folder, len(self.names))
        return _spread(division.val, SAMPLES)

    def _train(self, samples: list[str]) -> None:
        with TrainingProcess(self._request(samples)) as process:
            heard = time.monotonic()
            while True:
                message = process.next(_POLL_S)
                self.holding.check()
                if message is None:
                    if time.monotonic() - heard > _SILENT_S:
                        raise TrainingFailed("The training process said nothing for an hour and was ended.")
                    continue
                heard = time.monotonic()
                if message["op"] == "done":
                    self._save(best=message["best"])
                    return
                self._take(message)

    def _request(self, samples: list[str]) -> dict[str, Any]:
        row = self.row
        suffix = row.base_weights.rpartition(".")[2]
        name = row.base_weights if suffix in {"pt", "pth"} and "/" not in row.base_weights else "base.pt"
        base = row.base_version
        return {
            "folder": str(self.folder),
            "base": str(named_file(row.base_blob, name)),
            "names": self.names,
            "accepted": [
                list(dict.fromkeys([name, *base.class_names[index : index + 1]]))
                for index, name in enumerate(self.names)
            ],
            "settings": row.settings,
            "samples": samples,
            "device": settings.MIXCV_DEVICE if row.settings["device"] == "auto" else row.settings["device"],
        }

    def _take(self, message: Mapping[str, Any]) -> None:
        match message["op"]:
            case "failed":
                raise TrainingFailed(str(message["message"]), details={"kind": message.get("kind", "")})
            case "ready":
                self._begins(message)
            case "base":
                names = ("precision", "recall", "map50", "map50_95")
                self._save(counts={**self.row.counts, "base": {name: message.get(name) for name in names}})
            case "batch":
                self._progress(int(message["done"]), int(message["total"]))
            case "epoch":
                self._epoch(message)
            case "samples":
                self._save(samples=self._samples(message["samples"]))

    def _begins(self, message: Mapping[str, Any]) -> None:
        """Only what the process goes on from counts: without its folder it starts again, and is told all it keeps."""
        runtime = {"device": message["device"], "libraries": message["libraries"]}
        with transaction.atomic():
            self._save(runtime=runtime, phase=TrainingRun.Phase.TRAINING, best={})
            TrainingEpoch.objects.filter(run=self.row, number__gt=message["resumed"]).delete()

    def _progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self.first[1] < 0:
            self.first = (now, done)
        if now - self.written[0] < _POLL_S and done < total and self.written[1] >= 0:
            return
        self.written = (now, done)
        seconds = now - self.first[0]
        rate = (done - self.first[1]) / seconds if seconds > 1 else 0.0
        self.holding.note(done=done, total=total, rate=rate)

    def _epoch(self, message: Mapping[str, Any]) -> None:
        values = {name: message.get(name) for name in ("precision", "recall", "map50", "map50_95")}
        with transaction.atomic():
            self.holding.lock()
            TrainingEpoch.objects.update_or_create(
                run=self.row,
                number=message["number"],
                defaults={**values, "losses": message["losses"], "seconds": message["seconds"]},
            )
            self.holding.note(checkpoint={"attempts_before": self.row.job.attempt - 1})
            if message["best"]:
                best = {"number": message["number"], **values}
                TrainingRun.objects.filter(pk=self.row.pk).update(best=best)

    def _samples(self, told: Mapping[str, list[list[float]]]) -> list[dict[str, Any]]:
        """What the newest epoch sees, with the class's name and the image's key and size."""
        rows = DatasetItem.objects.filter(
            dataset_version_id=self.row.dataset_version_id, file_name__in=list(told), holdout=False
        ).order_by("pk")
        return [
            {
                "image_id": item.image_id,
                "width": item.width,
                "height": item.height,
                "boxes": [[self.names[int(box[0])], *box[1:]] for box in told[item.file_name]],
            }
            for item in rows
        ]

    def _phase(self, phase: TrainingRun.Phase) -> None:
        self._save(phase=phase)

    def _save(self, **values: Any) -> None:
        with transaction.atomic():
            self.holding.lock()
            TrainingRun.objects.filter(pk=self.row.pk).update(**values)
        for name, value in values.items():
            setattr(self.row, name, value)


def class_names(run: TrainingRun) -> list[str]:
    """The names of the new weights' classes by index: the dataset version's, and behind them those that only the base
    knows."""
    names = [str(one["name"]) for one in run.dataset_version.classes]
    return names + [str(name) for name in run.base_version.class_names[len(names) :]]


def _spread(names: list[str], number: int) -> list[str]:
    """So many of them, evenly over all."""
    step = max(1, len(names) // number)
    return names[::step][:number]
