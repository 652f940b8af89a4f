"""The API of training, as a program meets it."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.packages.models import ExtractorVersion
from extraction.runs.models import Batch, Collection
from mixcv.celery import app
from review.training import domain
from review.training.domain import running
from review.training.models import TrainingRun
from tests import factories as make
from tests.review.training.runs import READY, Talker, done, epoch, start, trainable

pytestmark = pytest.mark.django_db
ROOT = "/v1/training-runs"


@pytest.fixture(autouse=True)
def _out_of_workers_reach(monkeypatch):
    monkeypatch.setattr(app, "send_task", lambda *args, **kwargs: None)


@pytest.fixture
def ground(tmp_path):
    return trainable(tmp_path)


@pytest.fixture
def call(client, ground):
    key = make.make_key(ground[0].extractor.namespace)

    def send(method, path, body=None, *, status=200):
        answer = client.generic(
            method.upper(),
            path,
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == status, answer.content[:500]
        return answer.json()

    return send


@pytest.fixture
def train(monkeypatch):
    def let(run_id):
        monkeypatch.setattr(running, "TrainingProcess", Talker([READY, epoch(1), epoch(2), done()], []))
        domain.run_training(key=TrainingRun.objects.get(public_id=run_id).pk)

    return let


def test_from_a_dataset_to_a_collection_of_the_next_version(call, train):
    made = call("post", ROOT, {"dataset_id": "ds_street", "settings": {"epochs": 2, "seed": 5}})
    assert (made["dataset_version"], made["base_version_id"]) == (1, "yolo_detector_1_0_0")
    assert (made["settings"]["epochs"], made["settings"]["seed"], made["settings"]["image_size"]) == (
        2,
        5,
        320,
    )
    assert (made["job"]["state"], made["phase"], made["model_id"], made["version"]) == (
        *("PENDING", "waiting"),
        *(None, None),
    )
    one = f"{ROOT}/{made['run_id']}"
    refused = call("post", f"{one}/collection", {}, status=409)
    assert "has made no version (yet)" in refused["error"]["message"]
    train(made["run_id"])
    over = call("get", one)
    assert [row["number"] for row in over["epochs"]] == [1, 2]
    assert over["epochs"][1]["losses"]["val"] == {"box_loss": 0.75}
    assert (over["job"]["state"], over["model_id"]) == ("COMPLETED", "yolo_detector_2_0_0")
    assert (over["version"], over["extractor_version_id"]) == ("2.0.0", "yolo_detector_2_0_0")
    beside = call("post", f"{one}/collection", {})
    collection = Collection.objects.get(public_id=beside["collection_id"])
    assert (collection.name, str(collection.extractor_version)) == ("street 2.0.0", "yolo_detector 2.0.0")
    assert collection.buckets.get().name == "cameras"
    batch = Batch.objects.get(public_id=beside["batch_ids"][0])
    assert (batch.item_count, batch.state) == (6, "PROCESSING")
    again = call("post", f"{one}/collection", {})
    assert (again["collection_id"], again["batch_ids"]) == (beside["collection_id"], [])
    taken = call("post", f"{one}/collection", {"collection_name": "street"}, status=409)
    assert "Choose another name" in taken["error"]["message"]


def test_a_base_is_named_by_id_or_by_name_and_version(call, ground):
    body = {"dataset_id": "ds_street", "dataset_version": 1, "base_version": "yolo_detector@1.0.0"}
    assert call("post", ROOT, body)["base_version_id"] == "yolo_detector_1_0_0"
    ground[0].extractor.production = None
    ground[0].extractor.save()
    refused = call("post", ROOT, {"dataset_id": "ds_street"}, status=409)
    assert "has no version in production" in refused["error"]["message"]
    missing = call("post", ROOT, {**body, "dataset_version": 7}, status=404)
    assert "has no version 7" in missing["error"]["message"]
    assert (
        "no extractor"
        in call("post", ROOT, {**body, "base_version": "x@1.0.0"}, status=404)["error"]["message"]
    )


def test_faults_of_the_settings_come_together(call):
    body = {"dataset_id": "ds_street", "settings": {"epochs": 5000, "augmentation": "wild"}}
    refused = call("post", ROOT, body, status=422)
    assert len(refused["error"]["details"]["faults"]) == 2


def test_a_run_is_cancelled_once(call, ground):
    run = start(*ground)
    assert call("post", f"{ROOT}/{run.public_id}/cancel", {})["job"]["state"] == "CANCELED"
    assert call("post", f"{ROOT}/{run.public_id}/cancel", {})["job"]["state"] == "CANCELED"


def test_lists_filter_by_state_and_ask_no_more_for_more_rows(call, ground, train):
    runs = [start(*ground)]

    def asked():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            found = call("get", ROOT)
        return found["total_count"], len(seen)

    asked()  # the first call notes when the key was used
    one, queries = asked()
    runs += [start(*ground) for _ in range(2)]
    assert (one, asked()) == (1, (3, queries))
    train(runs[0].public_id)
    found = call(
        "post", f"{ROOT}/list", {"filters": {"field": "state", "operator": "eq", "value": "COMPLETED"}}
    )
    assert [row["run_id"] for row in found["results"]] == [runs[0].public_id]
    assert ExtractorVersion.objects.count() == 2


def test_a_task_of_the_api_stops_a_run(call, ground):
    run = start(*ground)
    call("delete", f"/v1/tasks/{run.job.public_id}")
    run.job.refresh_from_db()
    assert run.job.state == "CANCELED"


def test_another_namespace_sees_no_run(client, ground):
    run = start(*ground)
    key = make.make_key(make.make_namespace("other"))
    for method, path in (("get", ""), ("post", "/cancel"), ("post", "/collection")):
        answer = getattr(client, method)(
            f"{ROOT}/{run.public_id}{path}", headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 404
