"""What a search waits for: never within a transaction, never stored, and told as passing or lasting."""

from __future__ import annotations

import base64
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlow
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client

from extraction.packages.host.errors import HostClosed, HostCrashed, HostError, HostOutOfMemory, PackageError
from extraction.packages.host.spec import EmbedResult
from extraction.packages.models import ExtractorVersion
from extraction.runs.models import Collection
from extraction.search import query
from extraction.search.models import Execution
from tests.extraction.search.searches import axis, feature_of, found_by, stage, uri_of
from tests.factories import make_bucket, make_collection, make_detected, make_key, make_namespace, picture

PICTURE = {"input_mode": "content", "value": base64.b64encode(picture(64, 48)).decode()}


class Host:
    """Answers with a vector, or fails."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.within: list[bool] = []

    def embed(self, items: Any) -> Future[list[EmbedResult]]:
        self.within.append(connection.in_atomic_block)
        answer: Future[list[EmbedResult]] = Future()
        if self.error:
            answer.set_exception(self.error)
        else:
            answer.set_result([EmbedResult(np.asarray([axis(0)], np.float16))])
        return answer


def searching(collection: Collection, *queries: Any) -> dict[str, Any]:
    return stage(
        "feature_search",
        searches=[{"feature_uri": uri_of(collection), "query": one, "weight": 1} for one in queries],
    )


@pytest.mark.django_db(transaction=True)
def test_fetching_and_embedding_hold_no_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    collection = make_collection(make_bucket(make_namespace()))
    make_detected(collection, 2)
    host, within = Host(), []

    def fetch(url: str, **kwargs: Any) -> Any:
        within.append(connection.in_atomic_block)
        return SimpleNamespace(content=picture(64, 48))

    def warm(version: ExtractorVersion) -> Host:
        within.append(connection.in_atomic_block)
        return host

    monkeypatch.setattr(query, "warm_host", warm)
    monkeypatch.setattr(query.http, "fetch", fetch)
    content = {"input_mode": "content", "url": "https://pictures.example/a.jpg"}
    two = searching(collection, content, PICTURE)
    again = {**searching(collection, content), "stage_name": "again"}
    assert len(found_by(collection.namespace, two, again)) == 2
    assert (within, host.within) == ([False] * 5, [False] * 3)
    # What a stage waited for is in its time.
    ran = Execution.objects.get()
    assert [one["stage_name"] for one in ran.stages] == ["feature_search", "again"]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    collection = make_collection(make_bucket(make_namespace()))
    client = Client(headers={"Authorization": f"Bearer {make_key(collection.namespace)}"})
    monkeypatch.setattr(query, "warm_host", lambda version: Host())

    def call(
        *, state: str = "ready", error: BaseException | None = None, start: HostError | None = None
    ) -> Any:
        def warm(version: ExtractorVersion) -> Host:
            if start:
                raise start
            return Host(error)

        monkeypatch.setattr(query, "warm_host", warm)
        version = feature_of(collection).extractor_version
        ExtractorVersion.objects.filter(pk=version.pk).update(state=state, error="It broke.")
        body = {"stages": [searching(collection, PICTURE)]}
        return client.post("/v1/retrievers/execute", body, content_type="application/json")

    return call


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["registered", "failed", "retired"])
def test_what_is_not_deployed_is_no_reason_to_wait(ask: Any, state: str) -> None:
    answer = ask(state=state)
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "not_deployed"
    assert "/deploy" in error["message"]
    assert ("It broke." in error["message"]) == (state == "failed")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "case",
    [
        {"state": "deploying"},
        {"error": TooSlow()},
        {"error": HostCrashed("The host ended.")},
        {"error": HostClosed("The host was closed.")},
        {"start": HostClosed("The host was closed.")},
    ],
)
def test_what_passes_is_told_with_a_time_and_not_stored(ask: Any, case: dict[str, Any]) -> None:
    answer = ask(**case)
    assert answer.status_code == 503
    assert 0 < int(answer["Retry-After"]) <= 30
    details = answer.json()["error"]["details"]
    assert details["retryable"] is True
    assert details["retry_after_seconds"] == int(answer["Retry-After"])
    assert "execution_id" not in details
    assert not Execution.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "case",
    [
        {"error": HostOutOfMemory("The host needed more than 100 MB.")},
        {"start": HostOutOfMemory("The host needed more than 100 MB.")},
        {"start": HostCrashed("The host ended with status 1.")},
    ],
)
def test_a_host_that_cannot_do_it_is_no_reason_to_wait(ask: Any, case: dict[str, Any]) -> None:
    answer = ask(**case)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "embedder_fails"
    assert "The host" in answer.json()["error"]["message"]


@pytest.mark.django_db
def test_a_package_that_refuses_is_told(ask: Any) -> None:
    assert ask(error=PackageError("It embeds no pictures.")).status_code == 422
    assert Execution.objects.get().status == "failed"
