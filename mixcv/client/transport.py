"""One place that speaks HTTP: the key, the namespace, repeats, and answers as Python values."""

from __future__ import annotations

import json as jsonlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx

from mixcv.client.errors import ApiError, error_of, no_answer
from mixcv.client.waiting import MOST_WITHOUT_ANSWER, told_in, wait_after

# A second call of these changes nothing that the first did not.
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_NO_ANSWER = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)

FilePart = tuple[str, tuple[str, bytes, str]]


class Transport:
    """Sends calls to one server with one key."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        namespace: str | None,
        timeout: float,
        max_wait: float,
        http: httpx.Client,
    ) -> None:
        self.base_url = base_url
        self.namespace = namespace
        self.max_wait = max_wait
        self._api_key = api_key
        self._timeout = httpx.Timeout(timeout, connect=min(timeout, 5.0))
        self._http = http

    def within(self, namespace: str | None) -> Transport:
        """The same connection in another namespace."""
        return Transport(
            base_url=self.base_url,
            api_key=self._api_key,
            namespace=namespace,
            timeout=self._timeout.read or 30.0,
            max_wait=self.max_wait,
            http=self._http,
        )

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        files: Sequence[FilePart] | None = None,
        creates: bool = False,
        idempotency_key: str | None = None,
        repeatable: bool = False,
    ) -> Any:
        """The answer's JSON, None where it has no body. Raises ApiError.

        `creates` sends an `Idempotency-Key`, so that a repeat is safe; `repeatable` says that it is without one.
        """
        headers = {"Authorization": f"Bearer {self._api_key}", "Accept": "application/json"}
        if self.namespace:
            headers["X-Namespace"] = self.namespace
        if creates:
            headers["Idempotency-Key"] = idempotency_key or uuid.uuid4().hex
        content = None
        if json is not None:
            headers["Content-Type"] = "application/json"
            content = jsonlib.dumps(json, default=_plain)
        url = f"{self.base_url}/v1/{path}"
        query = {name: _text(value) for name, value in (params or {}).items() if value is not None}

        def send() -> httpx.Response:
            return self._http.request(
                method,
                url,
                content=content,
                params=query,
                data=data,
                files=files,
                headers=headers,
                timeout=self._timeout,
            )

        return _body_of(self._answered(send, url, repeats=creates or repeatable or method in _IDEMPOTENT))

    def put_file(self, url: str, path: Path, *, content_type: str) -> str:
        """Send a file to a signed address, which wants no key; its ETag without quotes. Raises ApiError."""

        def send() -> httpx.Response:
            with path.open("rb") as file:
                return self._http.put(
                    url,
                    content=file,
                    headers={"Content-Type": content_type},
                    timeout=self._timeout,
                )

        etag: str = self._answered(send, url, repeats=True).headers.get("ETag", "")
        return etag.strip('"')

    def get_file(self, path: str, target: Path, *, params: Mapping[str, Any]) -> None:
        """Write an answer's body into `target`, piece by piece. No file is there where it fails. Raises ApiError."""
        url = f"{self.base_url}/v1/{path}"
        headers = {"Authorization": f"Bearer {self._api_key}"}
        if self.namespace:
            headers["X-Namespace"] = self.namespace
        part = target.with_name(f"{target.name}.part")

        def send() -> httpx.Response:
            with self._http.stream(
                "GET", url, params=dict(params), headers=headers, timeout=self._timeout
            ) as response:
                if not response.is_success:
                    response.read()
                    return response
                with part.open("wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)
                return response

        try:
            self._answered(send, url, repeats=True)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _answered(self, send: Callable[[], httpx.Response], url: str, *, repeats: bool) -> httpx.Response:
        """The first success. Waits and repeats while that may help and `max_wait` is not used up."""
        began, waited = time.monotonic(), 0.0
        attempt = 0
        while True:
            try:
                response = send()
            except _NO_ANSWER as reason:
                error, may = no_answer(url, reason), repeats
                cause: Exception | None = reason
            except httpx.HTTPError as reason:
                raise ApiError(f"{url} cannot be called: {reason}", code="no_call") from reason
            else:
                if response.is_success:
                    return response
                error = error_of(response, retry_after=told_in(response))
                may, cause = error.retryable, None
            wait = wait_after(error, attempt)
            most = self.max_wait if error.status else min(self.max_wait, MOST_WITHOUT_ANSWER)
            if not may or max(waited, time.monotonic() - began) + wait > most:
                raise error from cause
            time.sleep(wait)
            waited += wait
            attempt += 1


def _body_of(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise ApiError(
            f"{response.url} answered something that is no JSON. Is this the address of a mixcv server?",
            status=response.status_code,
            code="no_json",
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
