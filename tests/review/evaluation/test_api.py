"""Evaluations and production, as a program meets them."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from extraction.packages.domain import promote
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from review.evaluation import domain
from review.evaluation.models import Evaluation, PromotionPolicy
from tests import factories as make
from tests.review.evaluation.measuring import BEA, TRUE, evaluate, holdout, hosts

pytestmark = pytest.mark.django_db
ROOT = "/v1/evaluations"
STREET = "/v1/extractors/street"


@pytest.fixture
def two(namespace, monkeypatch):
    first, dataset_version = holdout(namespace)
    promote(version=first, by=SYSTEM)
    hosts(monkeypatch, {"1.0.0": TRUE[:1], "2.0.0": TRUE})
    return first, make.make_version(namespace, "street", "2.0.0"), dataset_version


def caller(client, key):
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
def call(client, namespace):
    return caller(client, make.make_key(namespace))


def test_from_two_versions_to_their_comparison(call, two):
    made = call("post", ROOT, {"dataset_id": "street", "versions": ["street@1.0.0", "street@2.0.0"]})
    assert (made["job"]["state"], made["job"]["total"]) == ("PENDING", 6)
    assert (made["dataset_id"], made["dataset_version"], made["image_count"]) == ("ds_street", 1, 3)
    assert [one["map50_95"] for one in made["versions"]] == [None, None]
    path = f"{ROOT}/{made['evaluation_id']}"
    waiting = call("get", path)
    assert waiting["versions"][0]["metrics"] is None
    assert waiting["comparisons"] == []
    domain.run_evaluation(key=Evaluation.objects.get().pk)
    done = call("get", path)
    assert done["job"]["state"] == "COMPLETED"
    old, new = done["versions"]
    assert (old["version"], new["version"], new["map50_95"]) == ("1.0.0", "2.0.0", 1.0)
    assert new["metrics"]["classes"][0] == {
        "class_name": "bus",
        "boxes": 3,
        "ap50_95": 1.0,
        "ap50": 1.0,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "interval": [1.0, 1.0],
    }
    assert old["metrics"]["matrix"]["classes"] == ["bus", "person", "truck", None]
    assert [one["class_name"] for one in new["metrics"]["curves"]] == [None, "bus", "person", "truck"]
    assert old["metrics"]["error_counts"]["misses"] == 6
    (comparison,) = done["comparisons"]
    assert comparison["old_version_id"] == old["extractor_version_id"]
    assert comparison["map50_95"]["difference"] == pytest.approx(2 / 3, abs=1e-6)
    assert comparison["classes"][1]["class_name"] == "person"
    assert call("get", "/v1/tasks")["results"][0]["task_type"] == "api_evaluations_run"


def test_what_cannot_be_measured_is_refused(call, two):
    body = {"dataset_id": "street", "versions": ["street@1.0.0"]}
    call("post", ROOT, {**body, "versions": []}, status=422)
    call("post", ROOT, {**body, "versions": ["street@1.0.0"] * 7}, status=422)
    twice = call("post", ROOT, {**body, "versions": ["street@1.0.0"] * 2}, status=422)
    assert "named twice" in twice["error"]["message"]
    call("post", ROOT, {**body, "versions": ["street@9.0.0"]}, status=404)
    call("post", ROOT, {**body, "dataset_id": "nothing"}, status=404)
    call("post", ROOT, {**body, "dataset_version": 7}, status=404)
    call("post", ROOT, {**body, "threshold": 0}, status=422)
    assert not Evaluation.objects.exists()


def test_an_evaluation_is_called_off_once(call, two):
    first, _, dataset_version = two
    row = domain.start_evaluation(
        namespace=first.extractor.namespace, dataset_version=dataset_version, versions=[first], by=BEA
    )
    assert call("post", f"{ROOT}/{row.public_id}/cancel")["job"]["state"] == "CANCELED"
    assert (
        "canceled already" in call("post", f"{ROOT}/{row.public_id}/cancel", status=409)["error"]["message"]
    )


def test_a_list_costs_the_same_queries_at_one_and_three_rows(call, namespace, two):
    first, second, dataset_version = two
    counts = []
    call("get", ROOT)  # a key's first call notes when it was used
    for number in (1, 3):
        while Evaluation.objects.count() < number:
            evaluate(namespace, dataset_version, [first, second])
        with CaptureQueriesContext(connection) as queries:
            page = call("get", ROOT)
        assert page["total_count"] == number
        # Figures without the metrics that they stand in, which are large.
        assert [one["map50_95"] for one in page["results"][0]["versions"]] == [
            pytest.approx(1 / 3, abs=1e-6),
            1.0,
        ]
        assert not [one for one in queries if '."metrics",' in one["sql"]]
        counts.append(len(queries))
        assert len(call("post", f"{ROOT}/list", {"search": "street"})["results"]) == number
    assert counts[0] == counts[1]


def test_another_namespaces_evaluation_is_not_there(client, call, namespace, two):
    first, _, dataset_version = two
    row = evaluate(namespace, dataset_version, [first])
    other = caller(client, make.make_key(make.make_namespace("other")))
    for method, path in (("get", ""), ("post", "/cancel")):
        other(method, f"{ROOT}/{row.public_id}{path}", status=404)
    for method, path in (
        ("get", "production"),
        ("post", "production/rollback"),
        ("get", "gate?version=1.0.0"),
    ):
        other(method, f"{STREET}/{path}", status=404)
    other("post", f"{STREET}/production", {"version": "2.0.0"}, status=404)
    assert other("get", ROOT)["results"] == []


def test_a_version_goes_into_production_by_its_gate_and_back(call, namespace, two):
    first, second, dataset_version = two
    gate = call("get", f"{STREET}/gate?version=2.0.0")
    assert (gate["open"], gate["against"], gate["evaluation_id"]) == (False, "1.0.0", None)
    refused = call("post", f"{STREET}/production", {"version": "2.0.0"}, status=409)["error"]
    assert "never measured" in refused["message"]
    assert refused["details"]["checks"][0]["key"] == "evaluated"
    PromotionPolicy.objects.create(extractor=first.extractor, least_boxes=3)
    row = evaluate(namespace, dataset_version, [first, second])
    gate = call("get", f"{STREET}/gate?version=street@2.0.0")
    assert (gate["open"], gate["evaluation_id"], len(gate["checks"])) == (True, row.public_id, 5)
    now = call("post", f"{STREET}/production", {"version": "2.0.0", "reason": "better"})
    assert (now["version"], now["rolls_back_to"]) == ("2.0.0", "1.0.0")
    assert now["history"][0]["reason"] == "better"
    assert now["history"][0]["details"]["evaluation_id"] == row.public_id
    back = call("post", f"{STREET}/production/rollback", {"reason": "misses buses"})
    assert (back["version"], back["rolls_back_to"]) == ("1.0.0", None)
    assert call("get", f"{STREET}/production")["history"][0]["details"] == {"rolled_back_from": "2.0.0"}
    assert "before" in call("post", f"{STREET}/production/rollback", status=409)["error"]["message"]
    assert (
        "There are: 1.0.0, 2.0.0" in call("get", f"{STREET}/gate?version=9", status=404)["error"]["message"]
    )


def test_a_key_without_the_scope_admin_overrides_nothing(client, namespace, two):
    body = {"version": "2.0.0", "reason": "seen by eye to be better", "override": True}
    narrow = caller(client, make.make_key(namespace, scopes=["read", "write"]))
    assert "Only an admin" in narrow("post", f"{STREET}/production", body, status=403)["error"]["message"]
    wide = caller(client, make.make_key(namespace))
    short = wide("post", f"{STREET}/production", {**body, "reason": "so"}, status=422)
    assert "10 characters" in short["error"]["message"]
    assert wide("post", f"{STREET}/production", body)["history"][0]["details"]["override"] is True


def test_the_button_of_the_detectors_page_and_the_admin_show_the_refusal(client, namespace, two):
    _, second, _ = two
    client.force_login(make.make_user(namespace, role=Role.MANAGER))
    answer = client.post(f"/n/demo/detectors/{second.public_id}/promote/")
    assert answer.status_code == 409
    assert "was never measured beside street 1.0.0" in answer.content.decode()
    root = make.make_user(namespace, role=Role.ADMIN)
    type(root).objects.filter(pk=root.pk).update(is_superuser=True, is_staff=True)
    client.force_login(root)
    answer = client.post(
        reverse("admin:extraction_extractorversion_changelist"),
        {"action": "promote", "_selected_action": [second.pk]},
        follow=True,
    )
    (message,) = answer.context["messages"]
    assert "was never measured beside" in str(message)
    assert "An admin can override this" in str(message)
