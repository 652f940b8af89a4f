"""Statistics over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from review.verdicts.domain import Verdict
from review.verdicts.models import Annotation, AnnotationCount
from tests import factories as make
from tests.review.quality.judging import decided, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(make.make_bucket(namespace), "detected_objects")


@pytest.fixture
def ask(client, namespace):
    key = make.make_key(namespace)

    def get(status=200, **query):
        answer = client.get(
            "/v1/annotations/stats",
            query,
            headers={"Authorization": f"Bearer {key}", "X-Namespace": "demo"},
        )
        assert answer.status_code == status, answer.content
        return answer.json()

    return get


def counted(groups):
    return {one["key"]: {name: n for name, n in one["by_label"].items() if n} for one in groups}


def test_the_totals_are_the_tutorials(ask, namespace, collection):
    decided(namespace, collection)
    answer = ask(collection_id="col_detected_objects")
    assert answer["total"] == 16
    assert answer["by_label"] == {"confirmed": 6, "corrected": 3, "false_positive": 6, "missed": 1}
    rate = answer["rates"]["confirmed"]
    assert (rate["count"], rate["of"], rate["rate"]) == (6, 16, 0.375)
    assert 0 < rate["low"] < 0.375 < rate["high"] < 1
    health = {one["metric"]: one for one in answer["health"]}
    assert (health["confirmed"]["status"], health["confirmed"]["healthy_when"]) == ("action_needed", "above")
    assert ask(collection_id="detected_objects")["total"] == 16  # by name


def test_without_annotations_nothing_is_counted(ask):
    answer = ask()
    assert (answer["total"], answer["series"], answer["groups"]) == (0, [], [])
    assert answer["rates"]["missed"]["rate"] is None


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        (
            "class",
            {
                "truck": {"confirmed": 6},
                "person": {"false_positive": 6, "missed": 1},
                "bus": {"corrected": 3},
            },
        ),
        ("label", {"confirmed": {"confirmed": 6}, "corrected": {"corrected": 3}}),
        ("source", {"queue": {"confirmed": 6}, "audit": {"false_positive": 6}}),
        ("reviewer", {"ole": {"false_positive": 6}, "ines": {"confirmed": 6, "corrected": 3, "missed": 1}}),
        ("retriever", {"ret_a": {"confirmed": 6}, "ret_b": {"corrected": 3}}),
        (
            "metadata.camera_id",
            {
                "cam0": {"confirmed": 3, "false_positive": 3, "missed": 1},
                "cam1": {"confirmed": 3, "corrected": 3, "false_positive": 3},
            },
        ),
        ("metadata.place.floor", {"0": {"confirmed": 2, "corrected": 1, "false_positive": 2, "missed": 1}}),
    ],
)
def test_it_groups(ask, namespace, collection, group_by, expected):
    decided(namespace, collection)
    answer = ask(group_by=group_by)
    found = counted(answer["groups"])
    assert {key: found[key] for key in expected} == expected
    assert sum(one["total"] for one in answer["groups"]) == answer["total"] == 16


def test_a_missed_object_counts_for_its_collections_version(ask, namespace, collection):
    decided(namespace, collection)
    groups = ask(group_by="extractor_version")["groups"]
    version = collection.extractor_version
    assert [(one["key"], one["name"], one["total"]) for one in groups] == [
        (version.public_id, str(version), 16)
    ]


def test_a_retriever_is_told_by_what_was_approved_and_rejected(ask, namespace, collection):
    decided(namespace, collection)
    groups = {one["key"]: one for one in ask(group_by="retriever")["groups"]}
    assert (groups["ret_a"]["approved"], groups["ret_a"]["rejected"]) == (6, 0)
    assert (groups["ret_b"]["approved"], groups["ret_b"]["rejected"]) == (0, 3)
    assert groups[None]["total"] == 7


def test_it_narrows_by_document_label_source_and_actor(ask, namespace, collection):
    documents = decided(namespace, collection)
    ref = f"doc_{documents[1].slug}"
    assert ask(document_id=ref)["total"] == 3
    assert ask(document_id=f"{ref}_det_0")["by_label"]["confirmed"] == 1
    assert ask(label="corrected")["total"] == 3
    assert ask(source="audit")["total"] == 6
    assert ask(actor_id="ole")["total"] == 6
    assert ask(retriever_id="ret_a")["total"] == 6


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"group_by": "colour"}, 422, "extractor_version"),
        ({"group_by": "metadata."}, 422, "metadata"),
        ({"interval": "year"}, 422, "interval"),
        ({"created_after": "yesterday"}, 422, "created_after"),
        (
            {"created_after": "2026-05-03T00:00:00Z", "created_before": "2026-05-01T00:00:00Z"},
            422,
            "before created_before",
        ),
        ({"collection_id": "col_nope"}, 404, "col_nope"),
        ({"document_id": "doc_nope"}, 404, "doc_nope"),
        ({"created_after": "9999-12-31T23:00:00Z"}, 200, ""),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(ask, collection, query, status, words):
    answer = ask(status, **query)
    assert words in str(answer)


def at(moment, rows):
    """Puts annotations, and what is counted of them, to a time of creation."""
    for row in rows:
        Annotation.objects.filter(pk=row.pk).update(created_at=moment)
    AnnotationCount.objects.filter(day=datetime.now(UTC).date()).update(day=moment.date())


def test_times_cut_days_where_they_are_asked_to(ask, namespace, collection):
    boxes = [box for document in make.make_detected(collection, 3) for box in make.detections_of(document)]
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)  # a Monday
    moments = [noon + timedelta(hours=11 * n) for n in range(len(boxes))]
    for box, moment in zip(boxes, moments, strict=True):
        at(moment, record(namespace, Verdict("confirmed", box.pk)))
    for n, moment in enumerate(moments):
        assert ask(created_after=moment.isoformat())["total"] == len(boxes) - n
        assert ask(created_before=moment.isoformat())["total"] == n
    a, b = (noon + timedelta(hours=5)).isoformat(), (noon + timedelta(hours=50)).isoformat()
    assert ask(created_after=a, created_before=b)["total"] == 4
    days = ask(interval="day")["series"]
    assert [(one["start"][:10], one["total"]) for one in days] == [
        ("2026-05-04", 2),
        ("2026-05-05", 2),
        ("2026-05-06", 2),
        ("2026-05-07", 2),
        ("2026-05-08", 1),
    ]
    assert [one["start"][:10] for one in ask(interval="week")["series"]] == ["2026-05-04"]
    assert [one["start"][:10] for one in ask(interval="month")["series"]] == ["2026-05-01"]
    hours = ask(interval="hour")["series"]
    assert [one["start"] for one in hours][:2] == ["2026-05-04T12:00:00Z", "2026-05-04T23:00:00Z"]
    group = ask(interval="day", group_by="class", created_after=a)["groups"][0]
    assert sum(one["total"] for one in group["series"]) == group["total"]


@pytest.mark.parametrize("group_by", ["", "class", "retriever", "reviewer", "metadata.camera_id"])
def test_the_same_number_of_queries_for_ten_thousand(
    ask, namespace, collection, group_by, django_assert_num_queries
):
    """Whatever the number of annotations: the key, its last use, one count, one for names."""
    documents = decided(namespace, collection)
    row = Annotation.objects.filter(document=documents[0]).first()
    with connection.cursor() as cursor:
        columns = ", ".join(
            field.column
            for field in Annotation._meta.concrete_fields
            if field.column not in {"id", "public_id", "detection_id"}
        )
        cursor.execute(
            f"INSERT INTO review_annotation (public_id, {columns}) "
            f"SELECT 'ann_' || n, {columns} FROM review_annotation, generate_series(1, 10000) AS n WHERE id = %s",
            [row.pk],
        )
    query = {"group_by": group_by} if group_by else {}
    ask(**query)
    names = 1 if group_by in {"class", "retriever"} else 0
    with django_assert_num_queries(2 + names):
        ask(**query)


def test_another_namespace_and_another_scope_see_nothing(client, namespace, collection):
    decided(namespace, collection)
    other = make.make_namespace("other")
    key = make.make_key(other)
    answer = client.get("/v1/annotations/stats", headers={"Authorization": f"Bearer {key}"})
    assert answer.json()["total"] == 0
    answer = client.get(
        "/v1/annotations/stats",
        {"collection_id": "col_detected_objects"},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 404
    writer = make.make_key(namespace, scopes=["write"])
    answer = client.get("/v1/annotations/stats", headers={"Authorization": f"Bearer {writer}"})
    assert answer.status_code == 403
    assert client.get("/v1/annotations/stats").status_code == 401
