"""Runs by a real worker and a real training process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from extraction.packages.models import ExtractorVersion, RegistryModel
from mixcv.kernel.models import Event
from review.training import domain
from review.training.folder import folder_of
from review.training.models import TrainingEpoch, TrainingRun
from review.training.settings import Settings
from review.training.tasks import sweep
from tests.processes import Worker, wait_until
from tests.review.training.scenes import INES, trainable

pytestmark = pytest.mark.slow


def started(tmp_path: Path, *, epochs: int, train: int = 10, **settings) -> TrainingRun:
    version, dataset_version = trainable(tmp_path, train=train)
    return domain.start_run(
        namespace=version.extractor.namespace,
        dataset_version=dataset_version,
        base_version=version,
        settings=Settings(epochs=epochs, batch=4, patience=0, **settings),
        by=INES,
    )


def over(run: TrainingRun):
    def look():
        sweep()  # beat's part
        time.sleep(0.3)
        run.refresh_from_db()
        run.job.refresh_from_db()
        return run.job.is_over

    return look


def numbers(run: TrainingRun) -> list[int]:
    return list(run.epochs.values_list("number", flat=True))


def test_a_run_ends_as_the_next_version_with_old_indices_in_place(worker: Worker, tmp_path: Path):
    run = started(tmp_path, epochs=2)
    wait_until(over(run), seconds=100, what="the run")
    assert (run.job.state, run.job.error) == ("COMPLETED", "")
    assert numbers(run) == [1, 2]
    version = run.produced_version
    assert version is not None
    assert run.model is not None
    assert (version.version, run.model.public_id, run.model.state) == ("2.0.0", "digits_2_0_0", "deployed")
    assert version.parameters["image_size"] == 128

    def up():
        version.refresh_from_db()
        return version.state in {ExtractorVersion.State.READY, ExtractorVersion.State.FAILED}

    wait_until(up, seconds=60, what="the version's deployment")
    assert (version.state, version.error) == ("ready", "")
    assert version.class_names == [one["name"] for one in run.dataset_version.classes]
    assert version.class_names[:7] == list("0123456")
    assert sorted(version.class_names[7:]) == ["7", "8", "9"]
    assert run.best["number"] in {1, 2}
    assert run.samples
    assert {"ultralytics", "torch"} <= set(run.runtime["libraries"])
    assert (run.counts["train"], run.counts["val"], run.counts["holdout"]) == (9, 1, 4)
    assert not folder_of(run.public_id).exists()
    told = Event.objects.filter(subject=run.public_id).values_list("type", flat=True)
    assert sorted(told) == ["training_run.completed", "training_run.started"]


def test_a_killed_worker_s_run_goes_on_from_its_checkpoint_and_doubles_nothing(
    worker: Worker, tmp_path: Path
):
    worker.start(MIXCV_LEASE_SECONDS="3")
    run = started(tmp_path, epochs=8)
    wait_until(lambda: run.epochs.count() >= 2, seconds=90, what="two epochs")
    worker.kill()
    before = {one.number: one.pk for one in run.epochs.all()}
    assert 2 <= len(before) < 8
    worker.start(MIXCV_LEASE_SECONDS="3")
    wait_until(over(run), seconds=110, what="the run")
    assert (run.job.state, run.job.error, run.job.attempt) == ("COMPLETED", "", 2)
    assert numbers(run) == list(range(1, 9))
    after = {one.number: one.pk for one in run.epochs.all()}
    assert {number: after[number] for number in before} == before
    assert ExtractorVersion.objects.count() == 2
    assert RegistryModel.objects.count() == 1


def test_a_run_is_stopped_within_an_epoch(worker: Worker, tmp_path: Path):
    run = started(tmp_path, epochs=200, train=20)
    wait_until(lambda: run.epochs.exists(), seconds=90, what="the first epoch")
    domain.cancel_run(run=run, by=INES)
    done = TrainingEpoch.objects.filter(run=run).count()
    wait_until(over(run), seconds=20, what="the end")
    assert run.job.state == "CANCELED"
    assert run.epochs.count() <= done + 2
    assert run.produced_version is None
    assert not folder_of(run.public_id).exists()
