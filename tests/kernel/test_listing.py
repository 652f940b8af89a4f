"""Lists over the API: pages, cursors, sort, search and filters, tried on buckets."""

from __future__ import annotations

import pytest

from extraction.intake.models import Bucket
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def ask(client, namespace):
    key = make.make_key(namespace)

    def call(body=None, path="/v1/buckets/list", **query):
        headers = {"Authorization": f"Bearer {key}"}
        if body is None:
            return client.get(path.removesuffix("/list"), query, headers=headers)
        return client.post(path, body, content_type="application/json", headers=headers, query_params=query)

    return call


def names(answer):
    return [row["bucket_name"] for row in answer.json()["results"]]


def through(ask, **body):
    """All names, cursor by cursor."""
    found, cursor = [], None
    for _ in range(50):
        answer = ask({**body, "limit": 2, **({"cursor": cursor} if cursor else {})})
        found += names(answer)
        cursor = answer.json()["pagination"]["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("the cursors never end")


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["bucket_name", "created_at", "object_count", "description"])
def test_cursors_lead_through_every_row_once(ask, namespace, field, direction):
    for number in range(7):
        bucket = make.make_bucket(namespace, f"b{number}")
        Bucket.objects.filter(pk=bucket.pk).update(object_count=number % 2, description=str(number % 3))
    found = through(ask, sort={"field": field, "direction": direction})
    assert sorted(found) == [f"b{number}" for number in range(7)]
    rows = ask({"sort": {"field": field, "direction": direction}, "limit": 100})
    assert found == names(rows)


def test_a_cursor_stays_right_while_rows_are_added_and_deleted(ask, namespace):
    for name in "bdfh":
        make.make_bucket(namespace, name)
    first = ask({"limit": 2}).json()
    make.make_bucket(namespace, "a")
    make.make_bucket(namespace, "e")
    Bucket.objects.filter(name="b").delete()
    second = ask({"limit": 2, "cursor": first["pagination"]["next_cursor"]})
    assert names(second) == ["e", "f"]


@pytest.mark.parametrize(
    "cursor",
    ["x", "e30", "eyJieSI6W10sImF0IjpbXX0", "eyJieSI6W1siYnVja2V0X25hbWUiLGZhbHNlXV0sImF0IjpbMSwieCJdfQ"],
)
def test_a_cursor_that_is_none_is_refused(ask, cursor):
    assert ask({"cursor": cursor}).status_code == 422


def test_a_cursor_of_another_order_is_refused(ask, namespace):
    for name in "abc":
        make.make_bucket(namespace, name)
    cursor = ask({"limit": 1}).json()["pagination"]["next_cursor"]
    other = ask({"limit": 1, "cursor": cursor, "sort": {"field": "created_at"}})
    assert (other.status_code, "Start again" in other.json()["error"]["message"]) == (422, True)


def test_the_body_wins_over_the_query_and_limit_over_page_size(ask, namespace):
    for name in "abcd":
        make.make_bucket(namespace, name)
    assert names(ask({"limit": 1}, limit=3)) == ["a"]
    assert names(ask({"limit": 1, "page_size": 3})) == ["a"]
    assert names(ask({"page_size": 2, "page": 2})) == ["c", "d"]
    assert names(ask({"page_size": 2, "page": 2, "offset": 1})) == ["b", "c"]
    assert names(ask(page_size=1, page=3)) == ["c"]
    assert names(ask(after=ask({"limit": 3}).json()["pagination"]["next_cursor"])) == ["d"]


def test_a_total_is_counted_where_it_is_asked_for(ask, namespace):
    for name in "abc":
        make.make_bucket(namespace, name)
    assert ask({"limit": 2}).json()["pagination"]["total"] is None
    page = ask({"limit": 2, "include_total": True}).json()
    assert (page["pagination"]["total"], page["pagination"]["total_pages"], page["total_count"]) == (3, 2, 3)


def test_filters_search_and_sort_work_together(ask, namespace):
    for name in ("yard a", "yard b", "lobby"):
        bucket = make.make_bucket(namespace, name)
        Bucket.objects.filter(pk=bucket.pk).update(metadata={"site": {"floor": len(name)}})
    assert names(ask({"search": "YARD", "sort": {"field": "bucket_name", "direction": "desc"}})) == [
        "yard b",
        "yard a",
    ]
    assert names(ask({"search": "YARD", "case_sensitive": True})) == []
    assert names(ask({"filters": {"field": "metadata.site.floor", "operator": "lt", "value": 6}})) == [
        "lobby"
    ]
    assert names(
        ask({"filters": {"NOT": {"field": "bucket_name", "operator": "starts_with", "value": "y"}}})
    ) == ["lobby"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"filters": {"field": "password", "operator": "eq", "value": 1}}, "bucket_name"),
        ({"filters": {"field": "bucket_name", "operator": "like", "value": 1}}, "starts_with"),
        ({"sort": {"field": "namespace__name"}}, "Allowed: bucket_id"),
        ({"sort": {"field": "bucket_name", "direction": "up"}}, "up"),
        ({"sorts": [None]}, "null"),
        ({"limit": 0}, "1 to 1,000"),
        ({"limit": "many"}, "integer"),
        ({"colour": 1}, "Accepted: after"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(ask, body, words):
    answer = ask(body)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_all_faults_of_a_body_come_at_once(ask):
    faults = ask({"limit": "many", "colour": 1, "search": 7}).json()["error"]["details"]["validation_errors"]
    assert {fault["location"][1] for fault in faults} == {"limit", "colour", "search"}
