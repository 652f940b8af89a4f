"""Namespaces that the key opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row


class Namespaces(Manager):
    def create(self, name: str, *, description: str | None = None, idempotency_key: str | None = None) -> Row:
        """Make a namespace; the key, which needs the scope admin, opens it from then on."""
        body = given(namespace_name=name, description=description)
        return self._create("namespaces", body, key=idempotency_key)

    def get(self, namespace_id: str) -> Row:
        return self._row("GET", f"namespaces/{part(namespace_id)}")

    def update(self, namespace_id: str, **changes: Any) -> Row:
        return self._row("PATCH", f"namespaces/{part(namespace_id)}", json=changes)

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("namespaces/list", asked, limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("namespaces/list", asked)
