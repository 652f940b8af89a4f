"""What a worker writes of a run; the process is spoken to at its pipe alone."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from extraction.packages.models import ExtractorVersion, RegistryModel
from mixcv.celery import app
from mixcv.kernel.models import Event, Job
from review.datasets.models import DatasetVersion
from review.training import domain
from review.training.domain import claiming, running
from review.training.folder import folder_of
from review.training.models import TrainingEpoch, TrainingRun
from tests.review.datasets.building import INES
from tests.review.training.runs import READY, Talker, done, epoch, start, trainable

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _out_of_workers_reach(monkeypatch):
    """The session's real worker sees another database; it must not be told of these rows either."""
    monkeypatch.setattr(app, "send_task", lambda *args, **kwargs: None)


@pytest.fixture
def run(tmp_path):
    return start(*trainable(tmp_path))


@pytest.fixture
def says(monkeypatch):
    """Lets the process say some messages; gives the requests that it was started with."""

    def let(*messages):
        made: list = []
        monkeypatch.setattr(running, "TrainingProcess", Talker(messages, made))
        return made

    return let


def look(run):
    run = TrainingRun.objects.select_related("job", "model", "produced_version").get(pk=run.pk)
    return run, run.job


def batch(number, total=4):
    return {"op": "batch", "done": number, "total": total}


def test_it_ends_as_a_model_and_the_next_version(run, says):
    samples = {"op": "samples", "samples": {}}
    name = run.dataset_version.items.filter(holdout=False).order_by("pk").first().file_name
    samples["samples"][name] = [[1, 0.9, 10, 20, 5, 6]]
    made = says(READY, batch(1), epoch(1), samples, batch(3), epoch(2), done(2))
    domain.run_training(key=run.pk)
    run, job = look(run)
    assert (job.state, job.error, run.phase) == ("COMPLETED", "", "done")
    assert list(run.epochs.values_list("number", "map50_95")) == [(1, 0.1), (2, 0.2)]
    assert run.best["number"] == 2
    assert run.runtime == {"device": "cpu", "libraries": READY["libraries"]}
    assert [one["boxes"] for one in run.samples] == [[["person", 0.9, 10, 20, 5, 6]]]
    model, version = run.model, run.produced_version
    assert (model.public_id, model.state) == ("yolo_detector_2_0_0", "deployed")
    assert model.weights == [{"path": "best.pt", "size": model.archive.size}]
    assert (version.version, version.state, version.package) == ("2.0.0", "deploying", "yolo")
    assert version.parameters == {"image_size": 320, "threshold": 0.3}
    assert version.weights == model.archive
    assert [one.get("ended") for one in made] == [None, True]
    request = made[0]
    assert request["names"] == ["bus", "person", "truck"]
    assert request["accepted"] == [["bus"], ["person"], ["truck"]]
    assert not folder_of(run.public_id).exists()
    told = Event.objects.filter(subject=run.public_id).order_by("subject_seq").values_list("type", flat=True)
    assert list(told) == ["training_run.started", "training_run.completed"]


def test_done_again_it_makes_nothing(run, says):
    says(READY, epoch(1), done(1))
    domain.run_training(key=run.pk)
    domain.run_training(key=run.pk)
    assert ExtractorVersion.objects.count() == 2
    assert RegistryModel.objects.count() == 1


def test_a_version_number_that_a_model_has_is_passed_over(run, says):
    taken = RegistryModel.objects.create(
        namespace=run.namespace,
        name="yolo_detector",
        version="4.1.0",
        public_id="yolo_detector_4_1_0",
        model_format="pytorch",
        archive=run.base_blob,
        file_name="best.pt",
    )
    says(READY, epoch(1), done(1))
    domain.run_training(key=run.pk)
    assert look(run)[0].produced_version.version == "5.0.0"
    assert taken.public_id == "yolo_detector_4_1_0"


def test_a_renamed_class_may_have_either_name_in_the_base(run, says):
    version = DatasetVersion.objects.get(pk=run.dataset_version_id)
    version.classes[2]["name"] = "lorry"
    version.classes.append({"index": 3, "name": "bicycle", "class_id": None})
    version.save()
    made = says(READY, epoch(1), done(1))
    domain.run_training(key=run.pk)
    assert made[0]["names"] == ["bus", "person", "lorry", "bicycle"]
    assert made[0]["accepted"] == [["bus"], ["person"], ["lorry", "truck"], ["bicycle"]]


def test_the_folder_holds_copies_and_no_image_of_the_holdout(run, says):
    seen = {}

    def look_around():
        data = folder_of(run.public_id) / "data"
        seen.update(
            {part: sorted(p.name for p in (data / "images" / part).iterdir()) for part in ("train", "val")}
        )
        seen["links"] = [p.stat().st_nlink for p in data.rglob("*.jpg")]
        seen["labels"] = len(list(data.rglob("*.txt")))
        return READY

    says(look_around, epoch(1), done(1))
    domain.run_training(key=run.pk)
    holdout = set(run.dataset_version.items.filter(holdout=True).values_list("file_name", flat=True))
    assert (len(seen["train"]), len(seen["val"]), len(holdout)) == (3, 1, 2)
    assert not holdout & {*seen["train"], *seen["val"]}
    assert seen["links"] == [1] * 4
    assert seen["labels"] == 4


def test_a_failure_says_why_and_changes_nothing_else(run, says):
    says(READY, epoch(1), {"op": "failed", "kind": "memory", "message": "The training ran out of memory."})
    domain.run_training(key=run.pk)
    run, job = look(run)
    assert (job.state, job.error) == ("FAILED", "The training ran out of memory.")
    assert ExtractorVersion.objects.count() == 1
    assert not folder_of(run.public_id).exists()
    event = Event.objects.get(subject=run.public_id, type="training_run.failed")
    assert event.payload["error"] == job.error


def test_cancelled_while_it_waits_it_ends_at_once(run, says):
    made = says()
    domain.cancel_run(run=run, by=INES)
    assert look(run)[1].state == "CANCELED"
    domain.run_training(key=run.pk)
    assert made == []
    assert Event.objects.filter(subject=run.public_id, type="training_run.canceled").count() == 1


def test_cancelled_while_it_trains_the_process_is_ended(run, says):
    def cancel():
        domain.cancel_run(run=TrainingRun.objects.select_related("job").get(pk=run.pk), by=INES)
        return batch(2)

    made = says(READY, epoch(1), cancel, epoch(2), done())
    domain.run_training(key=run.pk)
    run, job = look(run)
    assert job.state == "CANCELED"
    assert made[-1] == {"ended": True}
    assert run.epochs.count() == 1


def test_a_lost_lease_ends_the_process_and_writes_no_more(run, says):
    def lose():
        Job.objects.filter(pk=run.job_id).update(lease_owner="another")
        return epoch(2)

    made = says(READY, epoch(1), lose, done())
    domain.run_training(key=run.pk)
    run, job = look(run)
    assert (job.state, job.lease_owner) == ("RUNNING", "another")
    assert made[-1] == {"ended": True}
    assert run.epochs.count() == 1
    assert run.produced_version is None


def test_another_worker_goes_on_and_doubles_no_epoch(run, says):
    def die():
        raise KeyboardInterrupt

    says(READY, epoch(1), die)
    with pytest.raises(KeyboardInterrupt):
        domain.run_training(key=run.pk)
    first = TrainingEpoch.objects.get().pk
    assert domain.lost_runs() == []
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert domain.lost_runs() == [run.pk]
    says({**READY, "resumed": 1}, epoch(1), epoch(2), done())
    domain.run_training(key=run.pk)
    run, job = look(run)
    assert (job.state, job.attempt) == ("COMPLETED", 2)
    assert [one.number for one in run.epochs.all()] == [1, 2]
    assert run.epochs.first().pk == first


def test_on_another_machine_it_starts_again_and_keeps_nothing_of_what_is_gone(run, says):
    def die():
        raise KeyboardInterrupt

    says(READY, epoch(1), epoch(2, map50_95=0.9), die)
    with pytest.raises(KeyboardInterrupt):
        domain.run_training(key=run.pk)
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    # It ends early this time; nothing of the second epoch, whose weights were lost, may stay.
    says(READY, epoch(1, map50_95=0.3), done(1))
    domain.run_training(key=run.pk)
    run, _ = look(run)
    assert list(run.epochs.values_list("number", "map50_95")) == [(1, 0.3)]
    assert run.best["number"] == 1


def test_what_a_worker_killed_at_the_very_end_left_on_disk_is_removed(run, says, monkeypatch):
    says(READY, epoch(1), done(1))
    with monkeypatch.context() as killed:
        killed.setattr(running.shutil, "rmtree", lambda *args, **kwargs: None)
        domain.run_training(key=run.pk)
    live, foreign = start(run.base_version, run.dataset_version), folder_of("train_of_another_database")
    for there in (folder_of(live.public_id), foreign):
        (there / "data").mkdir(parents=True)
    assert folder_of(run.public_id).exists()
    domain.forget_folders()
    assert not folder_of(run.public_id).exists()
    assert folder_of(live.public_id).exists()
    assert foreign.exists()
    os.utime(foreign, (0, 0))
    domain.forget_folders()
    assert not foreign.exists()


def test_killed_while_it_registers_it_does_not_train_again(run, says, monkeypatch):
    real = running.register

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "register", die)
    says(READY, epoch(1), done(1))
    with pytest.raises(KeyboardInterrupt):
        domain.run_training(key=run.pk)
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(running, "register", real)
    made = says()
    domain.run_training(key=run.pk)
    assert made == []
    assert look(run)[1].state == "COMPLETED"


def test_too_many_attempts_end_it(run, says):
    Job.objects.filter(pk=run.job_id).update(attempt=claiming.MOST_ATTEMPTS)
    made = says()
    domain.run_training(key=run.pk)
    job = look(run)[1]
    assert made == []
    assert job.state == "FAILED"
    assert "begun 5 times" in job.error


def test_attempts_that_got_on_do_not_count(run, says):
    """A worker that is restarted every night must not end a run of many nights."""
    Job.objects.filter(pk=run.job_id).update(attempt=claiming.MOST_ATTEMPTS - 1)

    def die():
        raise KeyboardInterrupt

    says(READY, epoch(1), die)
    with pytest.raises(KeyboardInterrupt):
        domain.run_training(key=run.pk)
    for _ in range(2):
        Job.objects.filter(pk=run.job_id).update(lease_until=None, state="PENDING")
        says(READY, die)
        with pytest.raises(KeyboardInterrupt):
            domain.run_training(key=run.pk)
    assert look(run)[1].state == "RUNNING"


def test_one_run_trains_on_a_device_at_a_time(run, says):
    other = start(run.base_version, run.dataset_version)
    elsewhere = start(run.base_version, run.dataset_version, device="cuda:1")
    assert claiming.claim(run)
    made = says()
    domain.run_training(key=other.pk)
    assert made == []
    assert look(other)[1].state == "PENDING"
    assert claiming.claim(elsewhere)
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claiming.claim(other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("cpu", "cpu", True),
        ("cuda", "cuda:0", True),
        ("auto", "cuda", True),
        ("auto", "cpu", True),
        ("auto", "cuda:1", False),
        ("cuda:1", "cuda:10", False),
        ("cpu", "cuda:0", False),
    ],
)
def test_one_device_has_several_names(one, other, same):
    assert claiming.same_device(one, other) is same
    assert claiming.same_device(other, one) is same


def test_a_device_called_otherwise_is_not_free(run, says):
    other = start(run.base_version, run.dataset_version, device="cpu")
    assert claiming.claim(run)  # auto
    assert not claiming.claim(other)


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_claim_at_once_get_one_run(tmp_path):
    version, dataset_version = trainable(tmp_path)
    rows = [start(version, dataset_version) for _ in range(4)]
    found: list[str] = []

    def take(row):
        from django.db import connection

        try:
            found.append(claiming.claim(TrainingRun.objects.select_related("job").get(pk=row.pk)))
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, found)) == [False, False, False, True]
