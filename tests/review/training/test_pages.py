"""Training in the browser: the list, the form, a run while it goes on and when it is over."""

from __future__ import annotations

import html

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.packages.models import Extractor
from extraction.runs.models import Collection
from mixcv.celery import app
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Role
from review.training import domain
from review.training.domain import running
from review.training.models import TrainingEpoch, TrainingRun
from tests import factories as make
from tests.review.training.runs import READY, Talker, done, epoch, start, trainable

pytestmark = pytest.mark.django_db
PAGE = "/n/demo/training/"


@pytest.fixture(autouse=True)
def _out_of_workers_reach(monkeypatch):
    monkeypatch.setattr(app, "send_task", lambda *args, **kwargs: None)


@pytest.fixture
def ground(tmp_path):
    return trainable(tmp_path)


@pytest.fixture
def manager(client):
    client.force_login(make.make_user(make.make_namespace(), role=Role.MANAGER))
    return client


def text_of(answer):
    return " ".join(answer.content.decode().split())


def train(run, monkeypatch, *messages):
    monkeypatch.setattr(running, "TrainingProcess", Talker([READY, *messages], []))
    domain.run_training(key=run.pk)


def test_without_a_dataset_the_page_says_what_is_missing(manager):
    page = text_of(manager.get(PAGE))
    assert "Nothing to train on yet" in page
    assert 'href="/n/demo/datasets/"' in page
    assert "Start training" not in page


def test_without_a_deployed_base_it_says_so(manager, ground):
    Extractor.objects.update(production=None)
    ground[0].extractor.versions.update(deployed_at=None)
    assert "No version to start from yet" in text_of(manager.get(PAGE))


def test_a_run_is_started_from_the_form(manager, ground):
    version, dataset_version = ground
    page = text_of(manager.get(f"{PAGE}?dataset=ds_street&version=1"))
    assert "street 1: 6 images for yolo_detector" in page
    assert "yolo_detector 1.0.0 (production)" in page
    form = {
        "dataset_version": dataset_version.pk,
        "base_version": version.pk,
        "epochs": 3,
        "image_size": "",
        "batch": 4,
        "augmentation": "normal",
        "patience": 0,
        "freeze": 2,
        "seed": 1,
        "device": "auto",
    }
    wrong = manager.post(PAGE, {**form, "device": "tpu", "image_size": "128"})
    assert wrong.status_code == 422
    assert "device is &#x27;tpu&#x27;; it must be auto" in text_of(wrong)
    answer = manager.post(PAGE, form)
    run = TrainingRun.objects.get()
    assert answer["Location"] == f"{PAGE}{run.public_id}/"
    assert (run.settings["image_size"], run.settings["freeze"], run.settings["augmentation"]) == (
        320,
        2,
        "normal",
    )


def test_reviewers_read_and_do_not_act(client, ground):
    run = start(*ground)
    client.force_login(make.make_user(make.make_namespace(), role=Role.REVIEWER))
    page = text_of(client.get(PAGE))
    assert "1 run" in page
    assert "Start training" not in page
    assert "Stop" not in text_of(client.get(f"{PAGE}{run.public_id}/"))
    assert client.post(f"/n/demo/tasks/{run.job.public_id}/cancel/").status_code == 403
    assert client.post(f"{PAGE}{run.public_id}/collection/").status_code == 403
    form = {"dataset_version": ground[1].pk, "base_version": ground[0].pk, "epochs": 1, "batch": 1}
    more = {"augmentation": "none", "patience": 0, "freeze": 0, "seed": 0, "device": "auto"}
    assert client.post(PAGE, {**form, **more}).status_code == 422
    assert TrainingRun.objects.count() == 1


def test_a_run_is_watched_while_it_goes_on(manager, ground):
    run = start(*ground)
    where = f"{PAGE}{run.public_id}/"
    waiting = text_of(manager.get(where))
    assert "waiting for its device" in waiting
    assert "One run trains on a device at a time." in waiting
    Job.objects.filter(pk=run.job_id).update(state="RUNNING", done=2, total=8, rate=0.5)
    image = run.dataset_version.items.filter(holdout=False).first().image
    samples = [{"image_id": image.pk, "width": 320, "height": 240, "boxes": [["bus", 0.9, 20, 30, 10, 12]]}]
    TrainingRun.objects.update(phase="training", samples=samples, best={"number": 1, "map50_95": 0.4321})
    TrainingEpoch.objects.create(
        run=run, number=1, losses={"train": {"box_loss": 1.0}}, map50=0.6, map50_95=0.4321
    )
    live = text_of(manager.get(where, headers={"HX-Request": "true"}))
    assert "<html" not in live
    assert f'hx-get="{where}"' in live
    assert "2 of 8 batches, 30 a minute · epoch 2 of 2" in live
    assert live.count("<progress") == 1
    assert "12 s left" in live
    assert "Best so far: mAP50-95 0.432 in epoch 1" in live
    assert f'href="/n/demo/image/{image.pk}' in live or str(image.pk) in live
    assert '<rect class="bx" x="15.0" y="24.0" width="10" height="12" />' in live
    assert 'class="curve map"' in live
    assert "Stop" in live


def test_done_it_says_what_to_do_next(manager, ground, monkeypatch):
    run = start(*ground)
    train(run, monkeypatch, epoch(1), epoch(2), done())
    page = text_of(manager.get(f"{PAGE}{run.public_id}/"))
    assert "Version 2.0.0 is made: mAP50-95 0.200 on validation, epoch 2" in page
    assert "hx-get" not in page
    assert "Detect the same images with 2.0.0" in page
    # The form of evaluations begins with these two.
    compared = "/n/demo/versions/?old=yolo_detector_1_0_0&amp;new=yolo_detector_2_0_0#start"
    assert f'href="{compared}"' in page
    assert page.count("btn primary") == 1
    answer = manager.post(f"{PAGE}{run.public_id}/collection/")
    collection = Collection.objects.get(name="street 2.0.0")
    assert answer["Location"].endswith(f"/{collection.public_id}/")
    after = text_of(manager.get(f"{PAGE}{run.public_id}/"))
    assert "Look at street 2.0.0" in after
    assert after.count("btn primary") == 1


def test_worse_than_its_base_it_says_so_on_page_and_list(manager, ground, monkeypatch):
    run = start(*ground)
    base = {"op": "base", "map50": 0.9, "map50_95": 0.61, "precision": 0.8, "recall": 0.7}
    train(run, monkeypatch, base, epoch(1), epoch(2), done())
    for where in (PAGE, f"{PAGE}{run.public_id}/"):
        page = text_of(manager.get(where))
        assert "worse than its base" in page
        assert "base 0.610" in page
    TrainingRun.objects.update(best={"number": 2, "map50_95": 0.7})
    assert "worse than its base" not in text_of(manager.get(PAGE))


def test_failed_it_says_why_and_how_to_go_on(manager, ground, monkeypatch):
    run = start(*ground)
    train(run, monkeypatch, {"op": "failed", "kind": "memory", "message": "The training ran out of memory."})
    page = text_of(manager.get(f"{PAGE}{run.public_id}/"))
    assert "The training ran out of memory." in page
    assert f'{PAGE}?dataset=ds_street&amp;version=1"' in page


def test_a_run_is_stopped_on_its_page(manager, ground):
    run = start(*ground)
    stop = f"/n/demo/tasks/{run.job.public_id}/cancel/"
    assert f'action="{stop}"' in text_of(manager.get(f"{PAGE}{run.public_id}/"))
    manager.post(stop)
    run.job.refresh_from_db()
    assert run.job.state == "CANCELED"
    assert "stopped" in text_of(manager.get(PAGE))


def test_the_list_asks_no_more_for_more_runs(manager, ground):
    start(*ground)
    with CaptureQueriesContext(connection) as one:
        manager.get(PAGE)
    for _ in range(2):
        start(*ground)
    with CaptureQueriesContext(connection) as three:
        assert "3 runs" in text_of(manager.get(PAGE))
    assert len(one) == len(three)


def test_a_run_that_is_not_there_is_not_found(manager):
    assert manager.get(f"{PAGE}train_nothing/").status_code == 404


def test_datasets_lead_to_training(manager, ground):
    page = text_of(manager.get("/n/demo/datasets/ds_street/"))
    assert 'href="/n/demo/training/?dataset=ds_street&amp;version=1"' in page


def test_a_used_dataset_version_is_not_deleted_and_says_so(manager, ground):
    start(*ground)
    answer = manager.post("/n/demo/datasets/ds_street/versions/1/delete/", follow=True)
    assert "rests on, so it stays" in text_of(answer)


def test_every_wrong_setting_is_told_at_its_own_field_in_our_words(manager, ground):
    sent = {"dataset_version": ground[1].pk, "base_version": ground[0].pk, "augmentation": "light", "seed": 0}
    sent |= {"epochs": 0, "image_size": 100, "batch": 0, "patience": -1, "freeze": 2000, "device": "tpu"}
    answer = manager.post(PAGE, sent)
    assert answer.status_code == 422
    text = html.unescape(answer.content.decode())
    for words in (
        "epochs is 0; it must be a whole number from 1 to 1,000.",
        "image_size is 100; it must be a multiple of 32 from 64 to 4,096 pixels.",
        "batch is 0; it must be from 1 to 1,024",
        "patience is -1; it must be a whole number from 0 to 1,000.",
        "freeze is 2000; it must be a whole number from 0 to 1,000.",
        "device is 'tpu'; it must be auto",
    ):
        assert words in text
    assert not TrainingRun.objects.exists()
