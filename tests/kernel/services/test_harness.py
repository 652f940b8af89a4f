"""The fixtures that other tests rest on: database, worker, browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from extraction.runs import domain as runs
from mixcv.celery import app
from tests import factories
from tests.conftest import HOME
from tests.processes import Worker, wait_until


def answering() -> list[str]:
    return [name for reply in app.control.ping(timeout=1) for name in reply]


@pytest.mark.django_db
def test_the_database_is_the_tests_own_and_has_vectors() -> None:
    assert settings.MIXCV_HOME == HOME
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), '[1,2]'::halfvec(2)::text")
        name, vector = cursor.fetchone()
    # Each process of a parallel run has one of its own.
    assert name.startswith("test_mixcv")
    assert vector == "[1,2]"


def test_the_worker_answers_dies_and_comes_back(worker: Worker) -> None:
    assert len(answering()) == 1
    worker.kill()
    assert not worker.alive
    worker.start()
    wait_until(lambda: len(answering()) == 1, what="the worker to answer again")


def test_the_worker_is_there_again_for_the_next_test(worker: Worker) -> None:
    assert worker.alive


@pytest.mark.django_db(transaction=True)
def test_a_live_worker_finds_nothing_to_take_from_a_test_that_plays_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claimed: list[object] = []

    def at_once(_name: str, *, args: list[int], **_options: object) -> None:
        claimed.extend(runs.claim_items(collection_id=args[0], worker="real", limit=9))

    monkeypatch.setattr(app, "send_task", at_once)
    collection = factories.make_collection(factories.make_bucket(factories.make_namespace()))
    factories.make_detected(collection, 2)
    assert claimed == []
    assert factories.queue_of(collection).waiting_count == 4


@pytest.mark.browser
def test_the_browser_opens_a_page_of_the_server(live_server: Any, page: Any) -> None:
    answer = page.goto(f"{live_server.url}/healthz")
    # No worker runs for this test: whether 200 or 503 is not the matter here.
    assert answer.status in {200, 503}
