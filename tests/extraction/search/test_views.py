"""The pages of retrievers, without a browser."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.runs.models import Collection
from extraction.search.domain import create_retriever
from extraction.search.models import Execution, Retriever
from mixcv.tenancy.models import Role
from tests.extraction.search.searches import stage, where
from tests.factories import make_bucket, make_collection, make_detected, make_namespace, make_user, queue_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection() -> Collection:
    return make_collection(make_bucket(make_namespace()), "street")


@pytest.fixture
def browser(collection: Collection) -> Client:
    client = Client()
    client.force_login(make_user(collection.namespace, name="ines", role=Role.MANAGER))
    return client


def low(collection: Collection, name: str = "low", **kwargs: Any) -> Retriever:
    stages = [stage("attribute_filter", filters=where("confidence", "lt", 0.7))]
    return create_retriever(
        namespace=collection.namespace,
        name=name,
        unit="detection",
        stages=kwargs.pop("stages", stages),
        **kwargs,
    )


def test_one_is_made_from_simple_choices(browser: Client, collection: Collection) -> None:
    make_detected(collection)
    assert "Make a retriever" in browser.get("/n/demo/retrievers/").content.decode()
    sent = {
        "name": "doubtful buses",
        "unit": "detection",
        "collections": [collection.pk],
        "below": "0.7",
        "class_name": "bus",
        "decided": "open",
        "order": "doubtful",
        "most": "50",
    }
    made = browser.post("/n/demo/retrievers/", sent)
    assert made["Location"] == "/n/demo/retrievers/ret_doubtful_buses/"
    row = Retriever.objects.get(name="doubtful buses")
    assert [one["config"]["stage_id"] for one in row.stages] == [
        "attribute_filter",
        "sort_attribute",
        "limit",
    ]
    assert (row.unit, list(row.collections.all())) == ("detection", [collection])
    page = browser.get(made["Location"]).content.decode()
    assert "Open as review queue" in page
    assert "It was never run." in page

    ran = browser.post(f"{made['Location']}run/")
    wall = browser.get(ran["Location"]).content.decode()
    assert "1 box" in wall
    assert "bus 0.43" in wall
    assert "/crop?detection=" in wall
    assert wall.count("<meter") == 3
    execution = Execution.objects.get()
    assert (execution.retriever, execution.result_count, execution.actor) == (row, 1, "ines")
    assert "matching 3 → 1" in browser.get(made["Location"]).content.decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "required"),
        ({"below": "2"}, "less than or equal to 1"),
        ({"below": "nan"}, ""),
        ({"field": "camera_id"}, "go together"),
        ({"above": "0.8", "below": "0.2"}, "Nothing lies"),
        ({"class_name": "nothing"}, "Select a valid choice"),
        ({"field": "a..b", "value": "x"}, "empty part"),
        ({"collections": ["999999"]}, "Select a valid choice"),
    ],
)
def test_wrong_choices_are_told_in_the_form(
    browser: Client, collection: Collection, changes: dict[str, Any], words: str
) -> None:
    answer = browser.post("/n/demo/retrievers/", {"name": "x", "unit": "detection"} | changes)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Retriever.objects.filter(name="x").exists()


def test_images_are_shown_whole(browser: Client, collection: Collection) -> None:
    make_detected(collection, 2)
    row = create_retriever(
        namespace=collection.namespace, name="all", stages=[stage("sort_attribute", field="created_at")]
    )
    ran = browser.post(f"/n/demo/retrievers/{row.public_id}/run/")
    wall = browser.get(ran["Location"]).content.decode()
    assert "2 images" in wall
    assert wall.count("/thumb") == 2
    assert "3 boxes, surest 0.91" in wall


def test_inputs_are_asked_for_and_sent(browser: Client, collection: Collection) -> None:
    camera = stage("attribute_filter", field="camera_id", operator="eq", value="{{INPUT.camera}}")
    row = low(
        collection, stages=[camera], input_schema={"camera": {"type": "text", "description": "Which one"}}
    )
    page = browser.get(f"/n/demo/retrievers/{row.public_id}/").content.decode()
    assert 'name="input-camera"' in page
    assert "Which one" in page
    ran = browser.post(f"/n/demo/retrievers/{row.public_id}/run/", {"input-camera": "cam_1"})
    assert Execution.objects.get().inputs == {"camera": "cam_1"}
    assert "Nothing found" in browser.get(ran["Location"]).content.decode()


def test_a_run_that_cannot_be_is_told(browser: Client, collection: Collection) -> None:
    row = low(collection, stages=[stage("feature_search", query="a bus")])
    ran = browser.post(f"/n/demo/retrievers/{row.public_id}/run/", follow=True)
    assert "offline embedder" in ran.content.decode()
    failed = Execution.objects.get()
    assert (
        "offline embedder"
        in browser.get(f"/n/demo/retrievers/executions/{failed.public_id}/").content.decode()
    )


EDIT = "/n/demo/retrievers/ret_low/edit/"


def edited(row: Retriever, **changes: Any) -> dict[str, Any]:
    """What the form of editing sends."""
    return {
        "name": row.name,
        "unit": row.unit,
        "stages": json.dumps(row.stages),
        "input_schema": "{}",
        "collections": [one.pk for one in row.collections.all()],
    } | changes


def test_one_is_edited_as_json(browser: Client, collection: Collection) -> None:
    make_detected(collection)
    row = low(collection, collections=[collection])
    assert EDIT in browser.get("/n/demo/retrievers/ret_low/").content.decode()
    page = browser.get(EDIT).content.decode()
    assert "&quot;stage_id&quot;: &quot;attribute_filter&quot;" in page
    assert "Keeps the first ones." in page
    two = [*row.stages, stage("sort_attribute", field="confidence"), stage("limit", limit=1)]
    schema = {"camera": {"type": "text"}}
    sent = edited(row, name="lower", stages=json.dumps(two), input_schema=json.dumps(schema))
    assert browser.post(EDIT, sent)["Location"] == "/n/demo/retrievers/ret_low/"
    row.refresh_from_db()
    assert [one["config"]["stage_id"] for one in row.stages] == [
        "attribute_filter",
        "sort_attribute",
        "limit",
    ]
    assert (row.name, row.unit, row.input_schema, list(row.collections.all())) == (
        "lower",
        "detection",
        schema,
        [collection],
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": "[{"}, "This is no JSON: line 1, column 3"),
        ({"stages": "[" * 100_000}, "nested too deeply"),
        ({"stages": "{}"}, "The stages are a list"),
        ({"stages": "[]"}, "A search has 1 to 20 stages"),
        ({"stages": ""}, "required"),
        ({"stages": json.dumps([stage("rerank")])}, "There is no stage"),
        (
            {"stages": json.dumps([stage("limit", limit=0)])},
            "stages.0.config.parameters.limit: limit: 0 is less",
        ),
        ({"stages": '[{"stage_id": "limit", "parameters": {"limit": NaN}}]'}, "stages"),
        ({"stages": json.dumps([stage("sample")]), "unit": "smell"}, "Select a valid choice"),
        ({"input_schema": "[]"}, "The inputs are an object"),
        ({"input_schema": '{"a": {"type": "smell"}}'}, "There is no input type"),
        ({"name": "other"}, "Another retriever is called"),
        ({"collections": ["999999"]}, "Select a valid choice"),
    ],
)
def test_wrong_json_is_told_in_its_field(
    browser: Client, collection: Collection, changes: dict[str, Any], words: str
) -> None:
    row = low(collection)
    low(collection, "other")
    answer = browser.post(EDIT, edited(row, **changes))
    assert answer.status_code == 422
    assert words in html.unescape(answer.content.decode())
    kept = Retriever.objects.get(pk=row.pk)
    assert (kept.name, kept.stages) == (row.name, row.stages)


def test_one_is_copied(browser: Client, collection: Collection) -> None:
    low(collection, collections=[collection])
    made = browser.post("/n/demo/retrievers/ret_low/copy/", {"name": "night"})
    assert made["Location"] == "/n/demo/retrievers/ret_night/edit/"
    assert list(Retriever.objects.get(name="night").collections.all()) == [collection]
    again = browser.post("/n/demo/retrievers/ret_low/copy/", {"name": "night"}, follow=True)
    assert "Choose another name" in again.content.decode()
    browser.post("/n/demo/retrievers/ret_low/copy/")
    assert Retriever.objects.filter(name="low copy").exists()


def test_what_was_deleted_since_is_said(browser: Client, collection: Collection) -> None:
    document = make_detected(collection)[0]
    row = low(collection)
    ran = browser.post(f"/n/demo/retrievers/{row.public_id}/run/")
    document.delete()
    assert "gone since" in browser.get(ran["Location"]).content.decode()


def test_one_goes_but_not_a_queues(browser: Client, collection: Collection) -> None:
    row = low(collection)
    browser.post(f"/n/demo/retrievers/{row.public_id}/run/")
    assert browser.post(f"/n/demo/retrievers/{row.public_id}/delete/")["Location"] == "/n/demo/retrievers/"
    assert not Retriever.objects.filter(pk=row.pk).exists()
    kept = Execution.objects.get()
    assert browser.get(f"/n/demo/retrievers/executions/{kept.public_id}/").status_code == 200
    queues = queue_of(collection).retriever
    answer = browser.post(f"/n/demo/retrievers/{queues.public_id}/delete/", follow=True)
    assert "fills the review queue" in answer.content.decode()
    assert Retriever.objects.filter(pk=queues.pk).exists()


def test_reviewers_run_but_do_not_make(collection: Collection) -> None:
    client = Client()
    client.force_login(make_user(collection.namespace, role=Role.REVIEWER))
    row = low(collection)
    assert "Make a retriever" not in client.get("/n/demo/retrievers/").content.decode()
    assert client.post("/n/demo/retrievers/", {"name": "x", "unit": "detection"}).status_code == 422
    assert client.post(f"/n/demo/retrievers/{row.public_id}/run/").status_code == 302
    assert "Edit as JSON" not in client.get(f"/n/demo/retrievers/{row.public_id}/").content.decode()
    assert client.get(f"/n/demo/retrievers/{row.public_id}/edit/").status_code == 403
    for verb in ("delete", "copy", "edit"):
        assert client.post(f"/n/demo/retrievers/{row.public_id}/{verb}/").status_code == 403
    assert client.post(f"/n/demo/retrievers/{row.public_id}/queue/").status_code == 403


def test_another_namespaces_are_not_there(browser: Client, collection: Collection) -> None:
    other = make_collection(make_bucket(make_namespace("other")))
    row = low(other, "theirs")
    execution = Execution.objects.create(namespace=other.namespace, retriever=row)
    for path in (f"retrievers/{row.public_id}/", f"retrievers/executions/{execution.public_id}/"):
        assert browser.get(f"/n/demo/{path}").status_code == 404
    for verb in ("run", "delete", "queue", "copy", "edit"):
        assert browser.post(f"/n/demo/retrievers/{row.public_id}/{verb}/").status_code == 404


def test_the_queries_do_not_grow(browser: Client, collection: Collection) -> None:
    counts: list[list[int]] = []
    for number in (1, 2):
        make_detected(collection, number)
        row = low(collection, f"low {number}", collections=[collection])
        ran = browser.post(f"/n/demo/retrievers/{low_ref(row)}/run/")
        pages = ["/n/demo/retrievers/", "/n/demo/retrievers/ret_low_1/", ran["Location"]]
        browser.post("/n/demo/retrievers/ret_low_1/run/")
        taken = []
        for page in pages:
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(page).status_code == 200
            taken.append(len(queries))
        counts.append(taken)
    assert counts[0] == counts[1]


def low_ref(row: Retriever) -> str:
    return row.public_id
