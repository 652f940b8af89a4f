"""Documents over the API: found, filtered, counted, changed and deleted."""

from __future__ import annotations

import pytest

from extraction.runs.models import Document, Embedding
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    collection = make.make_collection(make.make_bucket(namespace, "yard"), "found")
    rows = make.make_objects(collection.buckets.get(), 3, stem="frame", camera_id="a")
    results = [
        make.result([make.found("bus", 0.9), make.found("person", 0.4)]),
        make.result([make.found("truck", 0.65)]),
        make.result([]),
    ]
    make.detect(collection, rows, results)
    return collection


@pytest.fixture
def refs(collection):
    return [f"doc_{row.slug}" for row in Document.objects.order_by("pk")]


@pytest.fixture
def api(client, namespace):
    key = make.make_key(namespace)

    def call(method, path, body=None):
        headers = {"Authorization": f"Bearer {key}"}
        if method == "get":
            return client.get(f"/v1/{path}", headers=headers)
        return getattr(client, method)(f"/v1/{path}", body, content_type="application/json", headers=headers)

    return call


def ids(answer):
    return [row["document_id"] for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("filters", "places"),
    [
        ({"field": "detections.0.confidence", "operator": "lt", "value": 0.7}, [1]),
        ({"field": "detections.*.confidence", "operator": "lt", "value": 0.7}, [0, 1]),
        ({"field": "detections.*.class", "operator": "in", "value": ["bus", "truck"]}, [0, 1]),
        ({"NOT": [{"field": "detections.*.class", "operator": "exists", "value": True}]}, [2]),
        ({"field": "detection_count", "value": 0}, [2]),
        ({"camera_id": "a"}, [0, 1, 2]),
        ({"metadata.camera_id": "b"}, []),
        ({"AND": [{"camera_id": "a"}, {"field": "image_width", "operator": "gte", "value": 321}]}, []),
    ],
)
def test_filters_reach_documents_detections_and_metadata(api, refs, filters, places):
    wanted = [refs[place] for place in places]
    assert ids(api("post", "documents/list", {"filters": filters})) == wanted
    assert ids(api("post", "collections/found/documents/list", {"filters": filters})) == wanted
    counted = api("post", "collections/found/documents/count", {"filters": filters}).json()
    assert counted == {"collection_id": "col_found", "count": len(wanted)}


def test_lists_are_sorted_searched_and_paged(api, refs):
    rising = {"sort": {"field": "top_confidence", "direction": "asc"}}
    assert ids(api("post", "collections/found/documents/list", rising)) == [refs[1], refs[0], refs[2]]
    cursor = None
    found = []
    for _ in range(3):
        answer = api(
            "post", "documents/list", {**rising, "limit": 1, "cursor": cursor, "include_total": True}
        )
        found += ids(answer)
        cursor = answer.json()["pagination"]["next_cursor"]
        assert answer.json()["total_documents"] == 3
    assert (found, cursor) == ([refs[1], refs[0], refs[2]], None)
    name = refs[2].removeprefix("doc_")
    assert ids(api("post", "documents/list", {"search": name})) == [refs[2]]
    assert len(ids(api("get", "documents"))) == len(ids(api("get", "collections/found/documents"))) == 3


def test_one_is_shown_by_its_id_and_so_is_a_detection(api, refs):
    shown = api("get", f"documents/{refs[0]}").json()
    assert [one["class"] for one in shown["detections"]] == ["bus", "person"]
    assert (shown["camera_id"], shown["metadata"]) == ("a", {"camera_id": "a"})
    single = api("get", f"collections/found/documents/{refs[0]}_det_1").json()
    assert (single["document_id"], single["class"]) == (f"{refs[0]}_det_1", "person")
    assert (single["parent_document_id"], single["camera_id"]) == (refs[0], "a")
    assert single["bbox"] == {"x": 100, "y": 100, "w": 60, "h": 40}
    for missing in ("doc_nothing", f"{refs[0]}_det_9"):
        answer = api("get", f"documents/{missing}")
        assert (answer.status_code, missing in answer.json()["error"]["message"]) == (404, True)


def test_vectors_come_where_they_are_asked_for(api, refs):
    assert "vectors" not in api("get", f"documents/{refs[0]}").json()["detections"][0]
    shown = api("get", f"documents/{refs[0]}?return_vectors=true").json()["detections"]
    assert [len(one["vectors"]["crop_embedding"]) for one in shown] == [512, 512]
    first = Embedding.objects.order_by("detection_id").first()
    assert shown[0]["vectors"]["crop_embedding"][:3] == pytest.approx(first.vector[:3])
    listed = api("post", "documents/list", {"return_vectors": True, "limit": 1}).json()["results"][0]
    assert listed["detections"][0]["vectors"] == shown[0]["vectors"]


def test_an_id_that_two_collections_have_is_told(api, namespace, collection, refs):
    other = make.make_collection(collection.buckets.get(), "second")
    rows = [row.object for row in Document.objects.order_by("pk")]
    make.detect(other, rows, [make.result([make.found("bus", 0.8)])] * 3)
    answer = api("get", f"documents/{refs[0]}")
    assert answer.status_code == 409
    assert "col_found, col_second" in answer.json()["error"]["message"]
    one = api("get", f"documents/{refs[0]}?collection_id=second").json()
    assert one["collection_id"] == "col_second"


def test_many_are_got_at_once_and_what_is_missing_is_listed(api, refs, django_assert_num_queries):
    wanted = [refs[1], f"{refs[0]}_det_1", "doc_nothing"]
    body = api("post", "documents/batch-get", {"document_ids": wanted, "return_vectors": True}).json()
    assert [row["document_id"] for row in body["results"]] == wanted[:2]
    assert body["not_found"] == ["doc_nothing"]
    with django_assert_num_queries(4):
        api("post", "documents/batch-get", {"document_ids": refs})


def test_metadata_is_merged_or_replaced(api, refs):
    merged = api("patch", f"documents/{refs[0]}", {"metadata": {"shift": "night"}}).json()
    assert merged["metadata"] == {"camera_id": "a", "shift": "night"}
    root = api("patch", f"collections/found/documents/{refs[0]}", {"weather": "rain"}).json()
    assert root["metadata"]["weather"] == "rain"
    assert api("put", f"documents/{refs[0]}", {"metadata": {"a": 1}}).json()["metadata"] == {"a": 1}


@pytest.mark.parametrize(
    ("place", "body", "words"),
    [
        ("", {"detections": []}, "set by the server"),
        ("", {"metadata": 7}, "must be an object"),
        ("", {"metadata": {"a": "\x00"}}, "NUL"),
        ("_det_0", {"a": 1}, "fields belong to its document"),
    ],
)
def test_what_cannot_be_changed_is_refused_in_words(api, refs, place, body, words):
    answer = api("patch", f"documents/{refs[0]}{place}", body)
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]


def test_many_are_changed_with_an_outcome_for_each(api, refs):
    updates = [
        {"document_id": refs[0], "update_data": {"shift": "day"}},
        {"document_id": "doc_nothing", "update_data": {"shift": "day"}},
        {"document_id": refs[1], "update_data": {"generation": 7}},
    ]
    body = api("post", "collections/found/documents/batch", {"updates": updates}).json()
    assert (body["updated_count"], body["failed_count"]) == (1, 2)
    assert [one["success"] for one in body["results"]] == [True, False, False]
    assert Document.objects.filter(metadata__shift="day").count() == 1


def test_documents_go_and_are_counted_out(api, collection, refs):
    assert api("delete", f"documents/{refs[0]}").json()["success"] is True
    collection.refresh_from_db()
    assert (collection.document_count, collection.detection_count) == (2, 1)
    body = {"document_ids": [*refs[1:], "doc_nothing"]}
    gone = api("delete", "collections/found/documents/batch", body).json()
    assert (gone["deleted_count"], gone["failed_count"]) == (2, 1)
    collection.refresh_from_db()
    queue = make.queue_of(collection)
    assert (collection.document_count, collection.detection_count, queue.waiting_count) == (0, 0, 0)


def test_values_of_a_field_are_counted(api, collection, refs):
    api("patch", f"documents/{refs[0]}", {"camera_id": "b"})
    body = api("post", "collections/found/documents/distinct", {"field": "camera_id"}).json()
    assert body["values"] == [{"value": "a", "count": 2}, {"value": "b", "count": 1}]
    assert body["total_distinct"] == 2
    many = api("post", "collections/found/documents/distinct", {"field": "detections.*.class"})
    assert (many.status_code, "many values" in many.json()["error"]["message"]) == (422, True)
