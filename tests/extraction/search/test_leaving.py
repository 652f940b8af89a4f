"""A collection goes: what searched only it does not search everything from then on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from extraction.runs.domain import delete_collection
from extraction.runs.models import Collection
from extraction.search.domain import clone_retriever, create_retriever, execute, plan_of, update_retriever
from extraction.search.models import Execution, Retriever
from mixcv.kernel.models import Event
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from review.queues.domain import make_default_queue
from review.queues.filling import open_as_queues
from tests.extraction.search.searches import stage
from tests.factories import make_bucket, make_collection, make_detected, make_namespace, make_user, queue_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def day() -> Collection:
    return make_collection(make_bucket(make_namespace()), "day")


@pytest.fixture
def night(day: Collection) -> Collection:
    made = make_collection(day.buckets.get(), "night")
    make_detected(made, 2)
    return made


def searching(*collections: Collection, **more: Any) -> Retriever:
    return create_retriever(
        namespace=collections[0].namespace,
        name="mine",
        stages=[stage("sort_attribute", field="created_at")],
        unit="detection",
        collections=collections,
        **more,
    )


def found_by(retriever: Retriever) -> Execution:
    fresh = Retriever.objects.get(pk=retriever.pk)
    return execute(namespace=fresh.namespace, plan=plan_of(fresh), by=SYSTEM).execution


def restricted(day: Collection, night: Collection) -> Retriever:
    """One that the queue of another collection needs, after its own collection went."""
    row = searching(night, metadata={"team": "b"})
    open_as_queues(retriever=row, inputs={}, by=SYSTEM)
    update_retriever(retriever=row, changes={}, collections=[day])
    delete_collection(collection=day, by=SYSTEM)
    row.refresh_from_db()
    return row


def test_what_searched_only_it_goes_with_it(day: Collection, night: Collection) -> None:
    mine, default = searching(day), queue_of(day).retriever
    ran = found_by(mine)
    delete_collection(collection=day, by=SYSTEM)
    assert not Retriever.objects.filter(pk__in=[mine.pk, default.pk]).exists()
    assert Retriever.objects.filter(pk=queue_of(night).retriever.pk).exists()
    assert Execution.objects.get(pk=ran.pk).retriever is None
    gone = set(Event.objects.filter(type="retriever.deleted").values_list("subject", flat=True))
    assert gone == {mine.public_id, default.public_id}


def test_its_own_queue_holds_nothing_back(day: Collection) -> None:
    make_detected(day)
    mine = searching(day)
    open_as_queues(retriever=mine, inputs={}, by=SYSTEM)
    delete_collection(collection=day, by=SYSTEM)
    assert not Retriever.objects.filter(namespace=day.namespace).exists()


def test_one_of_several_or_of_all_stays(day: Collection, night: Collection) -> None:
    mine = searching(day, night)
    everything = create_retriever(namespace=day.namespace, name="all", stages=mine.stages)
    delete_collection(collection=day, by=SYSTEM)
    assert [one.public_id for one in Retriever.objects.get(pk=mine.pk).collections.all()] == [night.public_id]
    assert found_by(mine).result_count > 0
    assert found_by(everything).warnings == []


def test_what_another_queue_needs_finds_nothing(day: Collection, night: Collection) -> None:
    row = restricted(day, night)
    assert row.metadata == {"team": "b", "collections_deleted": ["day"]}
    ran = found_by(row)
    assert (ran.result_count, ran.results) == (0, [])
    assert "day was deleted" in ran.warnings[0]
    with pytest.raises(Exception, match="no box"):
        open_as_queues(retriever=row, inputs={}, by=SYSTEM)


def test_its_pages_and_answers_say_so(day: Collection, night: Collection, client: Client) -> None:
    row = restricted(day, night)
    client.force_login(make_user(day.namespace, role=Role.MANAGER))
    assert (
        "nothing any more: day was deleted"
        in client.get(f"/n/demo/retrievers/{row.public_id}/").content.decode()
    )
    assert "nothing any more" in client.get("/n/demo/retrievers/").content.decode()
    ran = client.post(f"/n/demo/retrievers/{row.public_id}/run/", follow=True).content.decode()
    assert "day was deleted, which is all that this searched" in ran


def test_it_finds_again_once_it_is_told_where(day: Collection, night: Collection) -> None:
    row = restricted(day, night)
    update_retriever(retriever=row, changes={"metadata": {"team": "c"}})
    assert found_by(row).result_count == 0
    copy = clone_retriever(retriever=row, name="copy")
    assert found_by(copy).result_count == 0
    wide = clone_retriever(retriever=row, name="wide", collections=[night])
    assert found_by(wide).result_count > 0
    update_retriever(retriever=row, changes={}, collections=[])
    row.refresh_from_db()
    assert row.metadata == {"team": "c"}
    assert found_by(row).result_count > 0


def test_editing_it_does_not_widen_it(day: Collection, night: Collection, client: Client) -> None:
    row = restricted(day, night)
    client.force_login(make_user(day.namespace, role=Role.MANAGER))
    page = f"/n/demo/retrievers/{row.public_id}/edit/"
    assert "goes on finding nothing" in client.get(page).content.decode()
    sent = {"name": "other", "unit": "detection", "stages": json.dumps(row.stages)}
    assert client.post(page, sent).status_code == 302
    assert found_by(row).result_count == 0
    client.post(page, sent | {"collections": [night.pk]})
    assert found_by(row).result_count > 0


def test_a_new_collection_of_the_name_has_its_own(day: Collection, night: Collection) -> None:
    ref = day.public_id
    delete_collection(collection=day, by=SYSTEM)
    again = make_collection(night.buckets.get(), "day")
    assert again.public_id == ref
    assert list(queue_of(again).retriever.collections.all()) == [again]


def test_a_restricted_one_of_that_name_is_used_again(day: Collection, night: Collection) -> None:
    default = queue_of(day).retriever
    update_retriever(retriever=default, changes={}, collections=[night])
    open_as_queues(retriever=default, inputs={}, by=SYSTEM)
    update_retriever(retriever=default, changes={}, collections=[day])
    delete_collection(collection=day, by=SYSTEM)
    assert Retriever.objects.get(pk=default.pk).metadata == {"collections_deleted": ["day"]}
    again = make_collection(night.buckets.get(), "day")
    make_default_queue(again)
    default.refresh_from_db()
    assert (list(default.collections.all()), default.metadata) == ([again], {})
