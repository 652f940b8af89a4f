"""Get, patch, delete, versions, and lists as of a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from extraction.search.models import Execution, Retriever
from mixcv.tenancy.actors import Actor
from review.verdicts.domain import Revision, revise_verdicts
from review.verdicts.models import Annotation, AnnotationVersion
from tests import factories as make
from tests.review.verdicts.calling import Caller

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def other_api(client, namespace):
    """Another key of the same namespace: another actor."""
    return Caller(client, make.make_key(namespace, label="second"))


def put_at(ref, *moments):
    """Dates the versions of an annotation."""
    row = Annotation.objects.get(public_id=ref)
    versions = list(AnnotationVersion.objects.filter(annotation=row).order_by("version"))
    for version, moment in zip(versions, moments, strict=True):
        AnnotationVersion.objects.filter(pk=version.pk).update(decided_at=moment)
    deleted = moments[-1] if row.deleted_at else None
    Annotation.objects.filter(pk=row.pk).update(
        created_at=moments[0], updated_at=moments[-1], deleted_at=deleted
    )


@pytest.fixture
def ref(document):
    return f"doc_{document.slug}_det_2"


@pytest.fixture
def changed(api, other_api, ref):
    made = api(
        "post", "", {"document_id": ref, "label": "confirmed", "confidence": 0.9, "metadata": {"a": 1}}
    )
    other_api(
        "patch",
        f"/{made['annotation_id']}",
        {"label": "corrected", "payload": {"true_class": "truck"}, "reasoning": "Look at the roof."},
    )
    return made["annotation_id"]


def test_a_patch_makes_a_version_and_says_what_held_before(api, changed, ref):
    body = api("get", f"/{changed}")
    assert (body["version"], body["label"], body["class"], body["document_id"]) == (
        2,
        "corrected",
        "truck",
        ref,
    )
    assert (body["confidence"], body["metadata"]) == (0.9, {"a": 1})
    (revision,) = body["revisions"]
    assert (revision["version"], revision["edited_by_type"]) == (2, "api_key")
    assert revision["edited_by"].startswith("key:second:")
    assert body["actor_id"].startswith("key:script:")
    assert (revision["prior"]["label"], revision["prior"]["class"]) == ("confirmed", "bus")


def test_the_versions_say_who_changed_what(api, changed):
    body = api("get", f"/{changed}/versions")
    assert (body["annotation_id"], body["current_version"], body["deleted_at"]) == (changed, 2, None)
    first, second = body["versions"]
    assert (first["version"], first["current"], second["current"]) == (1, False, True)
    assert second["changed_fields"] == ["label", "class", "reasoning", "payload"]
    one = api("get", f"/{changed}/versions/1")
    assert (one["label"], one["version"], one["revisions"], one["class"]) == ("confirmed", 1, [], "bus")
    assert "1 to 2" in api("get", f"/{changed}/versions/3", status=404)["error"]["message"]
    api("get", f"/{changed}/versions/99999999999999999999", status=404)


def test_a_deleted_one_is_gone_and_its_versions_can_be_read(api, changed):
    assert api("delete", f"/{changed}")["success"] is True
    for method, path in (("get", ""), ("patch", ""), ("delete", "")):
        answer = api(method, f"/{changed}{path}", {"label": "confirmed"}, status=404)
        assert "was deleted on" in answer["error"]["message"]
    assert api("get")["total_count"] == 0
    body = api("get", f"/{changed}/versions")
    assert (len(body["versions"]), bool(body["deleted_at"])) == (3, True)
    assert api("get", f"/{changed}/versions/2")["label"] == "corrected"


@pytest.mark.parametrize("path", ["", "/versions", "/versions/1"])
def test_one_that_is_nobodys_is_a_404_that_names_it(api, path):
    assert "ann_nope" in api("get", f"/ann_nope{path}", status=404)["error"]["message"]


def test_as_of_answers_each_annotation_as_it_was_then(api, changed, ref, document):
    later = api("post", "", {"document_id": f"doc_{document.slug}_det_0", "label": "confirmed"})[
        "annotation_id"
    ]
    gone = api("post", "", {"document_id": f"doc_{document.slug}_det_1", "label": "confirmed"})[
        "annotation_id"
    ]
    api("delete", f"/{gone}")
    hour = timedelta(hours=1)
    put_at(changed, MONDAY, MONDAY + 2 * hour)
    put_at(later, MONDAY + 3 * hour)
    put_at(gone, MONDAY, MONDAY + 4 * hour)

    def then(moment, **filters):
        body = {"as_of": moment.isoformat(), **filters}
        answer = api("post", "/list", body)
        assert api("get", "", None, **body)["results"] == answer["results"]
        assert answer["total_count"] == len(answer["results"])
        return {one["annotation_id"]: (one["label"], one["version"]) for one in answer["results"]}

    assert then(MONDAY - hour) == {}
    assert then(MONDAY) == {changed: ("confirmed", 1), gone: ("confirmed", 1)}
    assert then(MONDAY + 2 * hour) == {changed: ("corrected", 2), gone: ("confirmed", 1)}
    assert then(MONDAY + 3 * hour)[later] == ("confirmed", 1)
    assert then(MONDAY + 4 * hour) == {changed: ("corrected", 2), later: ("confirmed", 1)}
    # The filters look at what held then.
    assert then(MONDAY + hour, label="confirmed", document_id=ref) == {changed: ("confirmed", 1)}
    assert then(MONDAY + hour, label="corrected") == {}
    then_told = api("post", "/list", {"as_of": (MONDAY + hour).isoformat(), "document_id": ref})["results"][0]
    assert (then_told["class"], then_told["revisions"]) == ("bus", [])
    assert then_told["updated_at"] == "2026-05-04T12:00:00Z"


def test_the_list_narrows_by_what_it_is_asked(api, other_api, collection):
    documents = make.make_detected(collection, 3)
    for number, document in enumerate(documents):
        made = api(
            "post",
            "",
            {
                "document_id": f"doc_{document.slug}_det_0",
                "label": "confirmed",
                "retriever_id": f"ret_{number}",
            },
        )
        put_at(made["annotation_id"], MONDAY + timedelta(days=number))
    other_api("post", "", {"document_id": f"doc_{documents[0].slug}_det_0", "label": "false_positive"})

    def labels(**body):
        return [one["label"] for one in api("post", "/list", body)["results"]]

    assert labels() == ["false_positive", "confirmed", "confirmed", "confirmed"]
    assert labels(label="confirmed", limit=2) == ["confirmed"] * 2
    assert labels(retriever_id="ret_1") == ["confirmed"]
    assert labels(collection_id="col_detected_objects", document_id=f"doc_{documents[0].slug}") == [
        "false_positive",
        "confirmed",
    ]
    actor = api("get", "", None, label="confirmed")["results"][0]["actor_id"]
    assert labels(actor_id=actor) == ["confirmed"] * 3
    day = timedelta(days=1)
    assert labels(
        created_after=(MONDAY + day).isoformat(), created_before=(MONDAY + 2 * day).isoformat()
    ) == ["confirmed"]
    assert labels(skip=3) == ["confirmed"]


def test_a_cursor_goes_on_where_a_page_ended_while_rows_are_added(api, collection):
    documents = make.make_detected(collection, 3)
    refs = [f"doc_{one.slug}_det_{n}" for one in documents for n in range(2)]
    made = [api("post", "", {"document_id": ref, "label": "confirmed"})["annotation_id"] for ref in refs[:5]]
    first = api("get", "", None, limit=2)
    assert first["next_cursor"]
    api("post", "", {"document_id": refs[5], "label": "confirmed"})
    second = api("post", "/list", {"limit": 2, "cursor": first["next_cursor"]})
    third = api("get", "", None, limit=2, cursor=second["next_cursor"])
    seen = [one["annotation_id"] for page in (first, second, third) for one in page["results"]]
    assert seen == made[::-1]
    assert third["next_cursor"] is None
    api("get", "", None, cursor="ann_nope", status=404)


@pytest.mark.parametrize(
    "query", [{"limit": 501}, {"limit": 0}, {"skip": -1}, {"as_of": "yesterday"}, {"created_after": 7}]
)
def test_what_is_out_of_range_is_refused(api, query):
    api("post", "/list", query, status=422)
    api("get", "", None, status=422, **query)


def test_what_a_retriever_or_an_execution_is_is_told_where_there_is_one(api, namespace, document, ref):
    retriever = Retriever.objects.create(namespace=namespace, name="Doubtful", public_id="ret_doubtful")
    execution = Execution.objects.create(namespace=namespace, retriever=retriever)
    linked = {"retriever_id": "ret_doubtful", "execution_id": execution.public_id}
    body = api("post", "", {"document_id": ref, "label": "confirmed", **linked})
    assert body["retriever"] == {"retriever_id": "ret_doubtful", "name": "Doubtful"}
    assert body["execution"]["execution_id"] == execution.public_id
    loose = {"retriever_id": "ret_nowhere", "execution_id": "exec_nowhere"}
    body = api("post", "", {"document_id": ref, "label": "confirmed", **loose})
    assert (body["retriever_id"], body["retriever"], body["execution"]) == ("ret_nowhere", None, None)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("as_of", [False, True])
def test_the_list_takes_the_same_number_of_queries(api, collection, count, as_of, django_assert_num_queries):
    for document in make.make_detected(collection, count):
        body = {"document_id": f"doc_{document.slug}_det_0", "label": "confirmed", "retriever_id": "ret_x"}
        for _ in range(2):
            api("post", "", body)
    query = {"as_of": datetime.now(UTC).isoformat()} if as_of else {}
    # The key; the count, the rows, their histories, retrievers.
    with django_assert_num_queries(5):
        assert api("post", "/list", query)["total_count"] == count


def test_scopes_and_namespaces(client, namespace, changed):
    def call(key, method, path, **extra):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return getattr(client, method)(
            f"/v1/annotations{path}", {}, content_type="application/json", headers=headers | extra
        ).status_code

    paths = [
        ("get", f"/{changed}", "read"),
        ("patch", f"/{changed}", "write"),
        ("delete", f"/{changed}", "delete"),
        ("get", f"/{changed}/versions", "read"),
        ("get", f"/{changed}/versions/1", "read"),
        ("post", "/list", "read"),
        ("post", "/bulk", "write"),
        ("post", "/labels", "write"),
        ("delete", "/labels/blurred", "delete"),
    ]
    foreign = make.make_key(make.make_namespace("other"))
    for method, path, scope in paths:
        rest = [one for one in ("read", "write", "delete") if one != scope]
        assert call(make.make_key(namespace, scopes=rest), method, path) == 403
        assert call(None, method, path) == 401
        if changed in path:
            assert call(foreign, method, path) == 404
        assert call(foreign, method, path, **{"X-Namespace": "demo"}) == 404
    assert Annotation.objects.get().deleted_at is None


def test_a_list_tells_the_latest_changes_and_one_by_itself_more(api, namespace, ref):
    made = api("post", "", {"document_id": ref, "label": "confirmed"})["annotation_id"]
    changes = [Revision(made, {"reasoning": f"look {n}", "payload": {"n": n}}) for n in range(2, 122)]
    revise_verdicts(namespace=namespace, revisions=changes, by=Actor("ole"))
    alone = api("get", f"/{made}")
    listed = api("get")["results"][0]
    assert set(alone) == set(listed)
    assert [alone["version"], listed["version"]] == [121, 121]
    assert [one["version"] for one in alone["revisions"]] == list(range(22, 122))
    assert [one["version"] for one in listed["revisions"]] == list(range(112, 122))
    assert listed["revisions"][0]["prior"]["payload"] == {"n": 111}
    assert [one["version"] for one in api("get", f"/{made}/versions/4")["revisions"]] == [2, 3, 4]
    assert len(api("get", f"/{made}/versions")["versions"]) == 121


def test_a_list_as_of_a_time_tells_the_latest_changes_of_then(api, namespace, ref):
    made = api("post", "", {"document_id": ref, "label": "confirmed"})["annotation_id"]
    changes = [Revision(made, {"reasoning": f"look {n}"}) for n in range(2, 21)]
    revise_verdicts(namespace=namespace, revisions=changes, by=Actor("ole"))
    put_at(made, *(MONDAY + timedelta(days=n) for n in range(20)))
    (listed,) = api("get", as_of=(MONDAY + timedelta(days=14, hours=1)).isoformat())["results"]
    assert [one["version"] for one in listed["revisions"]] == list(range(6, 16))
