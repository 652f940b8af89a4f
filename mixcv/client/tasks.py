"""Tasks: long work, how far it is, and stopping it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mixcv.client.errors import ApiError
from mixcv.client.manager import Manager, part, wait_for
from mixcv.client.rows import Page, Row

OVER = frozenset(
    {"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED", "INTERRUPTED", "SKIPPED", "ARCHIVED"}
)


class Tasks(Manager):
    def get(self, task_id: str) -> Row:
        return self._row("GET", f"tasks/{part(task_id)}")

    def cancel(self, task_id: str) -> Row:
        """Stop a task; what it has done stays."""
        return self._row("POST", f"tasks/{part(task_id)}/cancel")

    def wait(self, task_id: str, *, timeout: float = 600, every: float = 1) -> Row:
        """The task once it is over. Raises ApiError with its reason where it failed, and after `timeout` seconds."""
        row = wait_for(
            lambda: self.get(task_id),
            lambda row: row.status in OVER,
            what=f"Task {task_id}",
            timeout=timeout,
            every=every,
        )
        if row.status == "FAILED":
            reason = row.get("error") or "no reason is known"
            raise ApiError(f"Task {task_id} failed: {reason}", code="failed", details=row.to_dict())
        return row

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("tasks/list", asked, limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("tasks/list", asked)
