"""What all resources of the client have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from mixcv.client.errors import ApiError
from mixcv.client.rows import Page, Row
from mixcv.client.transport import Transport


def given(**fields: Any) -> dict[str, Any]:
    """A body of what the caller gave: None stands for left out."""
    return {name: value for name, value in fields.items() if value is not None}


def part(ref: str) -> str:
    """An id or a name as one part of an address."""
    if not ref:
        raise ApiError("An id or a name is wanted here, not an empty text.", code="no_id")
    return quote(str(ref), safe="")


class Manager:
    """One resource of the API."""

    # The most rows that the server gives at once.
    page_size = 1000

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _row(self, method: str, path: str, **request: Any) -> Row:
        return Row(self._transport.request(method, path, **request) or {})

    def _create(self, path: str, body: dict[str, Any], *, key: str | None = None, **request: Any) -> Row:
        return self._row("POST", path, json=body, creates=True, idempotency_key=key, **request)

    def _pages(
        self, path: str, asked: dict[str, Any], *, limit: int | None, key: str = "results"
    ) -> Iterator[tuple[list[Row], dict[str, Any]]]:
        """The rows and the whole answer of one page after another, `limit` rows in all."""
        left, cursor = limit, None
        while True:
            size = self.page_size if left is None else min(self.page_size, left)
            body = given(**asked, limit=size, cursor=cursor)
            answer = self._transport.request("POST", path, json=body, repeatable=True)
            rows = [Row(one) for one in answer[key]]
            yield rows, answer
            left = None if left is None else left - len(rows)
            pagination = answer.get("pagination") or answer
            cursor = pagination.get("next_cursor")
            if not cursor or not rows or (left is not None and left <= 0):
                return

    def _list(self, path: str, asked: dict[str, Any], *, limit: int | None, key: str = "results") -> Page:
        """All rows, or the first `limit` of them: as many pages as that takes."""
        found: list[Row] = []
        first: dict[str, Any] = {}
        for rows, answer in self._pages(path, asked, limit=limit, key=key):
            first = first or answer
            found += rows
        return Page(found, first, key=key)

    def _iterate(self, path: str, asked: dict[str, Any], *, key: str = "results") -> Iterator[Row]:
        """Row by row, a page at a time as they are used."""
        for rows, _ in self._pages(path, asked, limit=None, key=key):
            yield from rows


def wait_for(
    look: Callable[[], Row], over: Callable[[Row], bool], *, what: str, timeout: float, every: float
) -> Row:
    """Looks until it is over. Raises ApiError after `timeout` seconds."""
    until = time.monotonic() + timeout
    while True:
        row = look()
        if over(row):
            return row
        if time.monotonic() + every > until:
            raise ApiError(
                f"{what} is not over after {timeout:g} s: {row.get('status')}.",
                code="timeout",
                details=row.to_dict(),
                retryable=True,
            )
        time.sleep(every)
