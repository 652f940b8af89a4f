"""Keys, addresses, repeats and errors, against a server that is a function."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from mixcv.client import ApiError, Client
from mixcv.client import transport as transport_module
from mixcv.client.waiting import told_in
from tests.processes import PROJECT

Answer = httpx.Response | Exception


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MP_API_URL", "MP_API_KEY", "MP_NAMESPACE", "MIXCV_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the client sleeps, without the sleep."""
    slept: list[float] = []
    monkeypatch.setattr(transport_module.time, "sleep", slept.append)
    return slept


class Played:
    """A client whose server gives these answers one after another, and the last one for ever."""

    def __init__(self, *answers: Answer, **options: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        options = {"api_key": "key", "base_url": "http://server", **options}
        self.client = Client(**options, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def fault(status: int, headers: dict[str, str] | None = None, **details: Any) -> httpx.Response:
    error = {"type": "SomeError", "message": "not so", "code": "some_code", "details": details}
    body = {"success": False, "status": status, "error": error}
    return httpx.Response(status, json=body, headers=headers)


def good(**body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def test_it_needs_neither_django_nor_torch() -> None:
    code = (
        "import sys; import mixcv.client; mixcv.client.Client(api_key='k');"
        "print([name for name in ('django', 'torch', 'rest_framework') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env={}, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_mixcv_itself_imports_nothing() -> None:
    assert (PROJECT / "mixcv" / "__init__.py").read_text() == ""


def test_address_key_and_namespace_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_API_URL", "http://elsewhere:9/")
    monkeypatch.setenv("MP_API_KEY", "from the environment")
    monkeypatch.setenv("MP_NAMESPACE", "shop")
    played = Played(good(), api_key=None, base_url=None)
    played.client.me()
    (request,) = played.requests
    assert str(request.url) == "http://elsewhere:9/v1/me"
    assert request.headers["authorization"] == "Bearer from the environment"
    assert request.headers["x-namespace"] == "shop"


@pytest.mark.parametrize("word", ["API_KEY", "YOUR_API_KEY", None, ""])
def test_a_placeholder_stands_for_the_environments_key(
    word: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MP_API_KEY", "second")
    monkeypatch.setenv("MIXCV_API_KEY", "first")
    played = Played(good(), api_key=word)
    played.client.me()
    assert played.requests[0].headers["authorization"] == "Bearer first"


def test_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_API_URL", "http://elsewhere")
    monkeypatch.setenv("MP_API_KEY", "other")
    monkeypatch.setenv("MP_NAMESPACE", "other")
    played = Played(good(), base_url="http://server:1/v1/", namespace="shop")
    played.client.me()
    (request,) = played.requests
    assert str(request.url) == "http://server:1/v1/me"
    assert request.headers["authorization"] == "Bearer key"
    assert request.headers["x-namespace"] == "shop"
    played.client.within("yard").me()
    assert played.requests[-1].headers["x-namespace"] == "yard"
    assert played.client.namespace == "shop"


def test_no_key_and_no_address_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ApiError, match="no API key") as caught:
        Client()
    assert caught.value.code == "no_key"
    with pytest.raises(ApiError, match="no address"):
        Client(api_key="k", base_url="127.0.0.1:8000")
    with pytest.raises(ApiError, match="no API key"):
        Client(api_key="mxcv_…")
    with pytest.raises(ApiError, match="by its id"):
        Client(api_key="k", namespace="entrepôt")
    with pytest.raises(ApiError, match="by its id"):
        Client(api_key="k").within("a\nb")


def test_without_a_namespace_no_header_is_sent() -> None:
    played = Played(good())
    played.client.me()
    assert "x-namespace" not in played.requests[0].headers


def test_an_error_tells_all_that_the_server_said() -> None:
    faults = [{"type": "missing", "location": ["body", "label"], "message": "This field is required."}]
    played = Played(fault(422, validation_errors=faults, more=1))
    with pytest.raises(ApiError, match="422 not so") as caught:
        played.client.buckets.get("b")
    error = caught.value
    assert (error.status, error.code, error.type, error.message) == (422, "some_code", "SomeError", "not so")
    assert error.details["more"] == 1
    assert error.validation_errors == faults
    assert not error.retryable


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(502, text="<html>Bad gateway</html>"), "<html>Bad gateway</html>"),
        (httpx.Response(500), "Internal Server Error"),
        (httpx.Response(400, json={"error": "a text"}), "a text"),
        (httpx.Response(400, json=["a", "list"]), '["a","list"]'),
        (httpx.Response(400, json={"error": {"message": "m", "details": ["no object"]}}), "m"),
    ],
)
def test_errors_of_other_forms_are_errors_too(answer: httpx.Response, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        Played(answer).client.me()
    assert (caught.value.status, caught.value.message) == (answer.status_code, message)
    assert caught.value.validation_errors == []


def test_a_page_that_is_no_json_is_said() -> None:
    with pytest.raises(ApiError, match="no JSON"):
        Played(httpx.Response(200, text="<html></html>")).client.me()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "details", "expected"),
    [
        ({"Retry-After": "1"}, {}, [1.0, 1.0]),
        ({"Retry-After": "0.5"}, {"retry_after_seconds": 9}, [0.5, 0.5]),
        ({"Retry-After": "100"}, {}, [30.0, 30.0]),
        ({}, {"retry_after_seconds": 3}, [3.0, 3.0]),
        ({}, {"retry_after_seconds": "soon"}, [2.0, 4.0]),
        ({}, {}, [2.0, 4.0]),
        ({"Retry-After": "whenever"}, {}, [2.0, 4.0]),
    ],
)
def test_it_waits_as_long_as_it_is_told(
    status: int, headers: dict[str, str], details: dict[str, Any], expected: list[float], waits: list[float]
) -> None:
    played = Played(fault(status, headers, **details), fault(status, headers, **details), good(bucket_id="b"))
    assert played.client.buckets.get("b").bucket_id == "b"
    assert waits == expected


def test_a_date_to_come_back_at_is_understood() -> None:
    now = datetime(2026, 5, 3, 14, 30, tzinfo=UTC)

    def told(when: datetime) -> float | None:
        return told_in(httpx.Response(503, headers={"Retry-After": format_datetime(when)}), now=now)

    assert told(now + timedelta(seconds=7)) == 7
    assert told(now - timedelta(seconds=7)) == 0
    assert told_in(httpx.Response(503)) is None


def test_a_date_is_waited_for(waits: list[float]) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    Played(fault(503, {"Retry-After": when}), good()).client.me()
    assert waits == [pytest.approx(19.5, abs=1)]


def test_waits_double_up_to_thirty_seconds_and_end_at_max_wait(waits: list[float]) -> None:
    played = Played(fault(503))
    with pytest.raises(ApiError) as caught:
        played.client.me()
    assert (caught.value.status, caught.value.retryable) == (503, True)
    assert waits == [2, 4, 8, 16, 30, 30, 30, 30, 30]
    assert sum(waits) == 180


def test_max_wait_is_the_callers(waits: list[float]) -> None:
    with pytest.raises(ApiError):
        Played(fault(429, {"Retry-After": "4"}), max_wait=10).client.me()
    assert waits == [4, 4]
    waits.clear()
    with pytest.raises(ApiError):
        Played(fault(429, {"Retry-After": "4"}), max_wait=0).client.me()
    assert waits == []


def test_what_will_not_help_is_not_repeated(waits: list[float]) -> None:
    played = Played(fault(503, {"Retry-After": "1"}, retryable=False))
    with pytest.raises(ApiError) as caught:
        played.client.me()
    assert not caught.value.retryable
    for status in (400, 401, 403, 404, 409, 422, 500, 502, 504):
        played = Played(fault(status, retryable=True))
        with pytest.raises(ApiError):
            played.client.me()
        assert len(played.requests) == 1
    assert waits == []


CREATING: list[Callable[[Client], Any]] = [
    lambda client: client.namespaces.create("n"),
    lambda client: client.buckets.create("b"),
    lambda client: client.buckets.objects.create("b", blobs=[]),
    lambda client: client.buckets.objects.create_many("b", objects=[]),
    lambda client: client.buckets.uploads.create("b", filename="f", content_type="image/png"),
    lambda client: client.collections.create("c", feature_extractor={}, source={}),
    lambda client: client.collections.trigger("c"),
    lambda client: client.batches.create("b"),
    lambda client: client.retrievers.create("r", stages=[]),
    lambda client: client.annotations.create("d", label="confirmed"),
    lambda client: client.annotations.bulk(create=[{"document_id": "d", "label": "confirmed"}]),
    lambda client: client.annotations.create_label("l"),
    lambda client: client.extractors.create_upload(name="e", version="1.0.0"),
    lambda client: client.extractors.confirm_upload("upl_1"),
]


@pytest.mark.parametrize("call", CREATING)
def test_what_creates_is_repeated_under_one_key(call: Callable[[Client], Any], waits: list[float]) -> None:
    lost = httpx.ReadError("the connection broke")
    played = Played(lost, httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), good(results=[]))
    call(played.client)
    keys = {request.headers["idempotency-key"] for request in played.requests}
    assert len(played.requests) == 4
    assert len(keys) == 1
    assert len({request.content for request in played.requests}) == 1
    assert waits == [0.25, 0.5, 1.0]
    call(played.client)
    assert played.requests[-1].headers["idempotency-key"] not in keys


def test_a_key_of_the_callers_own_is_sent() -> None:
    played = Played(good(results=[]))
    played.client.annotations.bulk(delete=["ann_1"], idempotency_key="part-7")
    assert played.requests[0].headers["idempotency-key"] == "part-7"


REPEATED: list[Callable[[Client], Any]] = [
    lambda client: client.buckets.get("b"),
    lambda client: client.buckets.delete("b"),
    lambda client: client.buckets.list(),
    lambda client: client.batches.submit("b", "btch_1"),
    lambda client: client.retrievers.execute("r"),
    lambda client: client.annotations.stats(),
]


@pytest.mark.parametrize("call", REPEATED)
def test_what_may_happen_twice_is_repeated(call: Callable[[Client], Any], waits: list[float]) -> None:
    played = Played(httpx.ReadError("broke"), good(results=[], documents=[], pagination={}))
    call(played.client)
    assert len(played.requests) == 2


ONCE: list[Callable[[Client], Any]] = [
    lambda client: client.annotations.update("ann_1", label="confirmed"),
    lambda client: client.buckets.update("b", description="d"),
    lambda client: client.batches.cancel("btch_1"),
    lambda client: client.batches.retry("b", "btch_1"),
]


@pytest.mark.parametrize("call", ONCE)
def test_what_must_not_happen_twice_is_left_to_the_caller(
    call: Callable[[Client], Any], waits: list[float]
) -> None:
    played = Played(httpx.ReadError("the connection broke"), good())
    with pytest.raises(ApiError, match="does not answer: the connection broke") as caught:
        call(played.client)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (0, "no_answer", True)
    assert (len(played.requests), waits) == (1, [])


def test_a_server_that_never_answers_is_given_up_within_a_minute(waits: list[float]) -> None:
    with pytest.raises(ApiError, match="does not answer"):
        Played(httpx.ConnectError("refused")).client.me()
    assert 50 < sum(waits) <= 60
    assert max(waits) == 8


def pages(request: httpx.Request) -> httpx.Response:
    body = json.loads(request.content)
    start = int(body.get("cursor") or 0)
    rows = [{"n": n} for n in range(start, min(start + body["limit"], 1203))]
    after = rows[-1]["n"] + 1 if rows else 0
    cursor = str(after) if after < 1203 else None
    if request.url.path.endswith("annotations/list"):
        return httpx.Response(200, json={"results": rows, "total_count": 1203, "next_cursor": cursor})
    page = {"results": rows, "total_count": 1203, "pagination": {"next_cursor": cursor}}
    return httpx.Response(200, json=page)


def test_lists_are_whole() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return pages(request)

    client = Client(api_key="k", transport=httpx.MockTransport(answer))
    found = client.annotations.list(label="confirmed")
    assert [row.n for row in found.items] == list(range(1203))
    assert found.total_count == 1203
    assert [one["limit"] for one in asked] == [500, 500, 500]
    assert {one["label"] for one in asked} == {"confirmed"}
    asked.clear()
    assert len(client.buckets.list()) == 1203
    assert [one["limit"] for one in asked] == [1000, 1000]
    asked.clear()
    assert [row.n for row in client.annotations.list(limit=501)] == list(range(501))
    assert [one["limit"] for one in asked] == [500, 1]
    asked.clear()
    lazy = client.buckets.iterate()
    assert [next(lazy).n for _ in range(3)] == [0, 1, 2]
    assert len(asked) == 1


def test_ids_and_names_are_quoted_in_addresses() -> None:
    played = Played(good())
    played.client.buckets.get("a/b c?")
    assert played.requests[0].url.raw_path == b"/v1/buckets/a%2Fb%20c%3F"
    with pytest.raises(ApiError, match="empty"):
        played.client.buckets.get("")


def test_times_are_written_as_the_server_reads_them() -> None:
    played = Played(good(results=[], total_count=0, next_cursor=None))
    when = datetime(2026, 5, 3, 14, 30, tzinfo=UTC)
    played.client.annotations.list(as_of=when)
    assert json.loads(played.requests[0].content)["as_of"] == "2026-05-03T14:30:00+00:00"
    played.client.annotations.stats(created_after=when)
    assert played.requests[1].url.params["created_after"] == "2026-05-03T14:30:00+00:00"
    with pytest.raises(TypeError, match="no form in JSON"):
        played.client.buckets.create("b", metadata={"a": object()})


def test_a_task_is_waited_for(waits: list[float]) -> None:
    running, done = good(task_id="t", status="IN_PROGRESS"), good(task_id="t", status="COMPLETED")
    assert Played(running, running, done).client.tasks.wait("t", every=3).status == "COMPLETED"
    assert waits == [3, 3]
    failed = good(task_id="t", status="FAILED", error="no weights")
    with pytest.raises(ApiError, match="Task t failed: no weights"):
        Played(failed).client.tasks.wait("t")
    with pytest.raises(ApiError, match="is not over after 0 s: IN_PROGRESS"):
        Played(running).client.tasks.wait("t", timeout=0)
