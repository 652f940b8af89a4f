"""Retrievers: named searches, and what each run of one gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row


class Retrievers(Manager):
    def create(
        self,
        name: str,
        *,
        stages: Sequence[dict[str, Any]],
        collection_identifiers: Sequence[str] | None = None,
        input_schema: dict[str, Any] | None = None,
        description: str | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> Row:
        """Keep a search. Without `collection_identifiers` it searches every collection that has its features."""
        body = given(
            retriever_name=name,
            stages=[*stages],
            collection_identifiers=[*collection_identifiers] if collection_identifiers is not None else None,
            input_schema=input_schema,
            description=description,
            **more,
        )
        return self._create("retrievers", body, key=idempotency_key)

    def execute(
        self,
        retriever_id: str,
        *,
        inputs: dict[str, Any] | None = None,
        filters: dict[str, Any] | None = None,
        limit: int | None = None,
        **more: Any,
    ) -> Page:
        """Run it. The page's rows are `documents`, best first; its `execution_id` is what annotations name."""
        body = given(inputs=inputs, filters=filters, limit=limit, **more)
        answer = self._transport.request(
            "POST", f"retrievers/{part(retriever_id)}/execute", json=body, repeatable=True
        )
        return Page([Row(one) for one in answer["documents"]], answer, key="documents")

    def executions(self, retriever_id: str, *, limit: int | None = None, **asked: Any) -> Page:
        """Its runs, newest first."""
        return self._list(f"retrievers/{part(retriever_id)}/executions/list", asked, limit=limit)

    def execution(self, retriever_id: str, execution_id: str) -> Row:
        """One run: what each stage took, returned and cost, and the hits."""
        return self._row("GET", f"retrievers/{part(retriever_id)}/executions/{part(execution_id)}")

    def stages(self) -> list[Row]:
        """The stages there are, with their parameters."""
        return [Row(one) for one in self._transport.request("GET", "retrievers/stages")]

    def get(self, retriever_id: str) -> Row:
        return self._row("GET", f"retrievers/{part(retriever_id)}")

    def update(self, retriever_id: str, **changes: Any) -> Row:
        return self._row("PATCH", f"retrievers/{part(retriever_id)}", json=changes)

    def delete(self, retriever_id: str) -> Row:
        return self._row("DELETE", f"retrievers/{part(retriever_id)}")

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("retrievers/list", asked, limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("retrievers/list", asked)
