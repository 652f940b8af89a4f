"""The API of retrievers: made as the clients send them, run, paged, read again, and refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.runs.models import Collection
from extraction.search.models import Execution, Retriever
from mixcv.tenancy.models import Namespace
from tests.extraction.search.searches import axis, feature_of, ref, stage, where
from tests.factories import (
    found,
    make_bucket,
    make_collection,
    make_detected,
    make_key,
    make_namespace,
    queue_of,
)

pytestmark = pytest.mark.django_db


class Api:
    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.client = Client(headers={"Authorization": f"Bearer {make_key(namespace)}"})

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = getattr(self.client, method)(
            f"/v1/{path}", **({"data": body, "content_type": "application/json"} if body is not None else {})
        )
        assert answer.status_code == status, answer.content
        return answer.json()


@pytest.fixture
def collection() -> Collection:
    return make_collection(make_bucket(make_namespace()))


@pytest.fixture
def api(collection: Collection) -> Api:
    return Api(collection.namespace)


def doubtful(**more: Any) -> dict[str, Any]:
    """A retriever's body; `more` beside it, or in the place of something."""
    filters = {"AND": [where("detections.0.confidence", "lt", 0.7)]}
    return {"retriever_name": "low", "stages": [stage("attribute_filter", filters=filters)]} | more


def test_a_retriever_for_review_before_its_feature_is_there(api: Api, collection: Collection) -> None:
    """As it is walked through: made with a name and one feature_search, by the namespace's address."""
    parameters = {
        "searches": [
            {"feature_uri": "mixpeek://yolo_detector@1.0.0/detection_embedding", "query": "{{INPUT.query}}"}
        ],
        "filters": {"AND": [where("detections.0.confidence", "lt", 0.7)]},
    }
    one = {
        "stage_name": "low_confidence",
        "stage_type": "filter",
        "config": {"stage_id": "feature_search", "parameters": parameters},
    }
    made = api(
        "post",
        f"namespaces/{api.namespace.public_id}/retrievers",
        {"name": "detection_review", "stages": [one]},
    )
    assert made["retriever_id"] == "ret_detection_review"
    assert made["stages"][0]["parameters"] == parameters
    assert (made["fusion"], made["collection_identifiers"]) == ("rrf", [])
    refused = api("post", "retrievers/ret_detection_review/execute", {"inputs": {"query": ""}}, 422)
    assert feature_of(collection).uri in refused["error"]["message"]
    kept = api("get", f"retrievers/executions/{refused['error']['details']['execution_id']}")
    assert (kept["status"], kept["stages_completed"], kept["total_stages"]) == ("failed", 0, 1)

    parameters["searches"][0]["feature_uri"] = feature_of(collection).uri  # type: ignore[index]
    api("patch", "retrievers/detection_review", {"stages": [one]})
    low = make_detected(collection, 1, detections=[found("bus", 0.4)])[0]
    make_detected(collection, 1, detections=[found("bus", 0.9), found("person", 0.1)])
    ran = api("post", "retrievers/detection_review/execute", {"inputs": {"query": ""}})
    assert [hit["document_id"] for hit in ran["documents"]] == [ref(low)]
    missing = api("post", "retrievers/detection_review/execute", {}, 422)
    assert "The input query is missing" in missing["error"]["message"]
    worded = api("post", "retrievers/detection_review/execute", {"inputs": {"query": "a bus"}}, 422)
    assert "offline embedder" in worded["error"]["message"]


def test_a_run_says_what_each_stage_did_and_can_be_read_again(api: Api, collection: Collection) -> None:
    docs = make_detected(collection, 3, detections=[found("bus", 0.4)])
    api("post", "retrievers", doubtful(collection_identifiers=[collection.public_id], tags=["a"]))
    ran = api("post", "retrievers/low/execute", {"limit": 2, "filters": where("image_width", "gt", 1)})
    assert ran["status"] == "completed"
    assert ran["results"] == ran["documents"]
    hit = ran["documents"][0]
    assert (hit["document_id"], hit["score"], hit["image_width"]) == (ref(docs[0]), 1.0, 320)
    assert hit["detections"][0]["class"] == "bus"
    statistics = ran["stage_statistics"]["stages"]["attribute_filter"]
    assert (statistics["input_count"], statistics["output_count"], statistics["efficiency"]) == (3, 3, 1.0)
    assert ran["pagination"]["total"] == 3
    again = api("get", f"retrievers/ret_low/executions/{ran['execution_id']}")
    assert [one["document_id"] for one in again["documents"]] == [ref(one) for one in docs]
    assert (again["total_returned"], again["execution_mode"], again["actor"][:4]) == (3, "retriever", "key:")
    listed = api("post", "retrievers/low/executions/list", {"status": "completed"})
    assert [one["execution_id"] for one in listed["results"]] == [ran["execution_id"]]
    assert listed["total_count"] == 1
    assert api("get", "retrievers/low/executions")["total_count"] == 1


@pytest.mark.parametrize("method", ["cursor", "scroll", "keyset"])
def test_pages_go_on_in_the_same_results(api: Api, collection: Collection, method: str) -> None:
    docs = make_detected(collection, 3)
    api("post", "retrievers", {"name": "all", "stages": [stage("sort_attribute", direction="desc")]})
    name = {"cursor": "cursor", "scroll": "scroll_id", "keyset": "after"}[method]
    first = api("post", "retrievers/all/execute", {"pagination": {"method": method, "limit": 2}})
    make_detected(collection, 1)
    cursor = first["pagination"]["next_cursor"]
    second = api(
        "post", "retrievers/all/execute", {"pagination": {"method": method, "limit": 2, name: cursor}}
    )
    seen = [hit["document_id"] for page in (first, second) for hit in page["documents"]]
    assert seen == [ref(one) for one in reversed(docs)]
    assert second["execution_id"] == first["execution_id"]
    assert second["pagination"]["next_cursor"] is None
    api("post", "retrievers", {"name": "other", "stages": [stage("sort_attribute")]})
    refused = api("post", "retrievers/other/execute", {"pagination": {"cursor": cursor}}, 422)
    assert "another search" in refused["error"]["message"]


def test_pages_by_number(api: Api, collection: Collection) -> None:
    docs = make_detected(collection, 3)
    api("post", "retrievers", {"name": "all", "stages": [stage("sort_attribute")]})
    page = api(
        "post",
        "retrievers/all/execute",
        {"pagination": {"method": "offset", "page_size": 2, "page_number": 2}},
    )
    assert [hit["document_id"] for hit in page["documents"]] == [ref(docs[2])]
    assert (page["pagination"]["page"], page["pagination"]["total_pages"]) == (2, 2)


@pytest.mark.parametrize(
    "pagination",
    [
        {"method": "magic"},
        {"cursor": "nonsense"},
        {"cursor": "WzEsIDJd"},
        {"after": 7},
        {"page_size": 0},
        {"page_size": "x"},
        {"page_number": True},
        {"offset": 10_001},
        {"page_number": 10_000, "page_size": 500},
    ],
)
def test_wrong_pages_are_refused(api: Api, collection: Collection, pagination: dict[str, Any]) -> None:
    api("post", "retrievers", {"name": "all", "stages": [stage("sort_attribute")]})
    api("post", "retrievers/all/execute", {"pagination": pagination}, 422)


def test_detections_come_with_their_own_fields(api: Api, collection: Collection) -> None:
    make_detected(collection)
    body = {
        "stages": [stage("attribute_filter", filters=where("class", "eq", "person"), unit="detection")],
        "return_vectors": True,
    }
    ran = api("post", "retrievers/execute", body)
    (hit,) = ran["documents"]
    assert (ran["unit"], hit["class"], hit["parent_document_id"] in hit["document_id"]) == (
        "detection",
        "person",
        True,
    )
    assert len(hit["detections"][0]["vectors"]["crop_embedding"]) == 512
    assert (ran["retriever_id"], Execution.objects.get().mode) == (None, "adhoc")
    listed = api("post", "retrievers/executions/list", {})
    assert [one["execution_id"] for one in listed["results"]] == [ran["execution_id"]]
    assert api("get", f"retrievers/executions/{ran['execution_id']}")["retriever_id"] is None


def test_the_wrappers_flat_stages_run(api: Api, collection: Collection) -> None:
    make_detected(collection)
    body = {
        "stages": [
            {"type": "attribute_filter", "conditions": {"AND": [where("detections.0.class", "eq", "truck")]}},
            {
                "type": "feature_search",
                "feature_extractor": {"type": "text"},
                "query": "",
                "collection_ids": [collection.public_id],
                "limit": 10,
            },
        ],
        "inputs": {},
    }
    assert len(api("post", "retrievers/execute", body)["documents"]) == 1


def test_nearest_in_one_call(api: Api, collection: Collection) -> None:
    make_detected(collection, 2)
    body = {"feature_uri": feature_of(collection).uri, "query": axis(0), "top_k": 1}
    ran = api("post", "features/search", body)
    assert len(ran["documents"]) == 1
    assert -1 <= ran["documents"][0]["score"] <= 1


def test_several_runs_in_one_call(api: Api, collection: Collection) -> None:
    make_detected(collection)
    api(
        "post",
        "retrievers",
        {"name": "by", "stages": [stage("attribute_filter", field="camera_id", value="{{INPUT.c}}")]},
    )
    ran = api("post", "retrievers/by/execute/batch", {"queries": [{"inputs": {"c": "x"}}, {"inputs": {}}]})
    assert (ran["succeeded"], ran["failed"]) == (1, 1)
    assert ran["results"][0]["result"]["documents"] == []
    assert "input c is missing" in ran["results"][1]["error"]["message"]


def test_how_an_execution_ended_and_where_its_time_went(api: Api, collection: Collection) -> None:
    make_detected(collection, 2)
    two = [stage("sort_attribute", "in order", field="created_at"), stage("limit", "first", limit=1)]
    api("post", "retrievers", {"name": "timed", "stages": two})
    ran = api("post", "retrievers/timed/execute", {})
    path = f"retrievers/timed/executions/{ran['execution_id']}"
    status = api("get", f"{path}/status")
    assert (status["status"], status["error"], status["total_returned"]) == ("completed", None, 1)
    assert (status["stages_completed"], status["total_stages"]) == (2, 2)
    assert "documents" not in status
    profile = api("get", f"{path}/profile")
    named = [(one["stage_name"], one["stage_id"], one["output_count"]) for one in profile["stages"]]
    assert named == [("in order", "sort_attribute", 2), ("first", "limit", 1)]
    spent = sum(one["duration_ms"] for one in profile["stages"])
    assert abs(spent + profile["other_ms"] - profile["total_time_ms"]) < 0.01
    assert 0 < sum(one["share_of_time"] for one in profile["stages"]) <= 1
    api("post", "retrievers", doubtful())
    for what in ("status", "profile"):
        api("get", f"retrievers/low/executions/{ran['execution_id']}/{what}", status=404)


def test_a_retriever_changes_is_copied_and_goes(api: Api, collection: Collection) -> None:
    made = api("post", "retrievers", doubtful(collection_identifiers=[collection.name], metadata={"a": 1}))
    assert made["collection_identifiers"] == [collection.public_id]
    changes = {"retriever_name": "lower", "description": "x", "tags": ["b"], "collection_identifiers": []}
    changed = api("patch", "retrievers/low", changes)["retriever"]
    assert (changed["retriever_id"], changed["retriever_name"], changed["tags"]) == (
        "ret_low",
        "lower",
        ["b"],
    )
    assert (changed["collection_identifiers"], changed["metadata"]) == ([], {"a": 1})
    copy = api("post", "retrievers/lower/clone", {"retriever_name": "copy", "description": "y"})
    assert (copy["source_retriever_id"], copy["retriever"]["description"]) == ("ret_low", "y")
    assert copy["retriever"]["stages"] == changed["stages"]
    assert api("post", "retrievers/copy/execute/explain", {})["total_estimated_stages"] == 1
    ran = api("post", "retrievers/copy/execute")
    assert api("delete", "retrievers/copy")["success"] is True
    api("get", "retrievers/copy", status=404)
    assert api("get", f"retrievers/executions/{ran['execution_id']}")["retriever_id"] is None
    api("post", "retrievers", doubtful(), 409)
    api("patch", "retrievers/ret_low", {"retriever_name": queue_of(collection).retriever.name}, 409)


def test_what_fills_a_queue_stays(api: Api, collection: Collection) -> None:
    name = queue_of(collection).retriever.public_id
    refused = api("delete", f"retrievers/{name}", status=409)
    assert "fills the review queue Doubtful boxes" in refused["error"]["message"]
    assert Retriever.objects.filter(public_id=name).exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", "retrievers/low", {"stages": []}),
        ("post", "retrievers/low/clone", {"name": "copy", "stages": []}),
        ("post", "retrievers/execute", {"stages": []}),
    ],
)
def test_no_stages_are_too_few_everywhere(api: Api, method: str, path: str, body: Any) -> None:
    api("post", "retrievers", doubtful())
    assert "1 to 20 stages" in api(method, path, body, 422)["error"]["message"]


def test_a_queues_retriever_runs(api: Api, collection: Collection) -> None:
    make_detected(collection)
    ran = api("post", f"retrievers/{queue_of(collection).retriever.public_id}/execute", {})
    assert (ran["unit"], ran["total_count"]) == ("detection", 2)


def test_stages_are_listed(api: Api) -> None:
    listed = api("get", "retrievers/stages")
    names = [one["stage_id"] for one in listed]
    assert {"feature_search", "attribute_filter", "sort_attribute", "limit", "sample", "mmr"} <= set(names)
    assert {"deduplicate", "group_by"} <= set(names)
    assert all(one["parameter_schema"]["type"] == "object" for one in listed)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "This field is required"),
        ({"retriever_name": "x"}, 422, "This field is required"),
        ({"name": "x", "stages": []}, 422, "A search has 1 to 20 stages. There are: feature_search"),
        ({"name": "x", "stages": [stage("rerank")]}, 422, "There are: feature_search"),
        ({"name": "x", "stages": [stage("taxonomy_enrich")]}, 422, "comes with the taxonomies"),
        ({"name": "x", "stages": ["limit"]}, 422, "stages"),
        ({"name": "x", "stages": [stage("limit")], "stage": 1}, 422, "Unknown key"),
        (
            {"name": "x", "stages": [stage("limit")], "collection_identifiers": ["col_no"]},
            404,
            "no collection",
        ),
        (
            {"name": "x", "stages": [stage("limit")], "input_schema": {"q": {"type": "smell"}}},
            422,
            "no input type",
        ),
        ({"name": "x", "stages": [stage("limit")], "metadata": {"a": "\x00"}}, 422, "NUL"),
        ({"name": "x", "stages": [stage("limit", limit="\x00")]}, 422, "NUL"),
        ({"name": "\ud800", "stages": [stage("limit")]}, 422, ""),
        ({"name": " ", "stages": [stage("limit")]}, 422, ""),
    ],
)
def test_wrong_retrievers_are_refused(api: Api, body: Any, status: int, words: str) -> None:
    refused = api("post", "retrievers", body, status)
    assert words in refused["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": {"a": "\x00"}},
        {"inputs": {"a": "\ud800"}},
        {"inputs": []},
        {"filters": "x"},
        {"filters": where("a", "like", 1)},
        {"filters": where("detections.0.confidence", "eq", "\x00")},
        {"filters": where("created_at", "gt", "0000-00-00")},
        {"filters": where("image_width", "eq", 10**18)},
        {"limit": 501},
        {"limit": 0},
        {"limits": 3},
        {"return_vectors": "maybe"},
    ],
)
def test_wrong_runs_are_refused(api: Api, collection: Collection, body: Any) -> None:
    api("post", "retrievers", {"name": "all", "stages": [stage("sort_attribute")]})
    if body.get("filters") == where("image_width", "eq", 10**18):
        assert api("post", "retrievers/all/execute", body)["documents"] == []
    else:
        api("post", "retrievers/all/execute", body, 422)


def test_another_namespaces_are_not_there(api: Api, collection: Collection) -> None:
    api("post", "retrievers", doubtful())
    ran = api("post", "retrievers/low/execute", {"limit": 1})
    other = Api(make_namespace("other"))
    for method, path in [
        ("get", "retrievers/ret_low"),
        ("delete", "retrievers/ret_low"),
        ("post", "retrievers/ret_low/execute"),
        ("get", f"retrievers/executions/{ran['execution_id']}"),
        ("get", f"retrievers/ret_low/executions/{ran['execution_id']}"),
    ]:
        other(method, path, status=404)
    assert other("get", "retrievers")["results"] == []
    assert other("post", "retrievers/executions/list", {})["results"] == []
    # Nor is another retriever's execution this one's.
    api("post", "retrievers", doubtful(name="second") | {"retriever_name": "second"})
    api("get", f"retrievers/second/executions/{ran['execution_id']}", status=404)


def test_lists_filter_sort_and_search(api: Api) -> None:
    for name in ("beta", "alpha", "gamma"):
        api("post", "retrievers", doubtful(metadata={"letter": name[0]}) | {"retriever_name": name})
    named = [row["retriever_name"] for row in api("get", "retrievers?search=mm")["results"]]
    assert named == ["gamma"]
    body = {
        "filters": {"AND": [where("metadata.letter", "in", ["a", "b"])]},
        "sort": {"field": "retriever_name", "direction": "desc"},
        "include_total": True,
    }
    listed = api("post", "retrievers/list", body)
    assert [row["retriever_name"] for row in listed["results"]] == ["beta", "alpha"]
    assert listed["total"] == 2


@pytest.mark.parametrize("path", ["retrievers", "retrievers/low/executions", "retrievers/low/execute"])
def test_the_queries_do_not_grow_with_the_rows(api: Api, collection: Collection, path: str) -> None:
    api("post", "retrievers", doubtful(collection_identifiers=[collection.public_id]))
    counts = []
    for number in (1, 2):
        make_detected(collection, number, detections=[found("bus", 0.4), found("person", 0.2)])
        api(
            "post",
            "retrievers",
            doubtful(collection_identifiers=[collection.public_id]) | {"retriever_name": f"r{number}"},
        )
        api("post", "retrievers/low/execute", {})
        with CaptureQueriesContext(connection) as queries:
            api(*(("post", path, {}) if path.endswith("execute") else ("get", path)))
        counts.append(len(queries))
    assert counts[0] == counts[1]
