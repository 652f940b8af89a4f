"""Evaluations: versions of an extractor measured on the same frozen holdout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row
from mixcv.client.training_runs import wait_for_job


class Evaluations(Manager):
    def create(
        self,
        *,
        dataset_id: str,
        versions: Sequence[str],
        dataset_version: int | None = None,
        threshold: float | None = None,
        idempotency_key: str | None = None,
    ) -> Row:
        """Start one: `versions` by id or as name@version, on the holdout of the dataset's version (or its latest)."""
        body = given(
            dataset_id=dataset_id,
            dataset_version=dataset_version,
            versions=[*versions],
            threshold=threshold,
        )
        return self._create("evaluations", body, key=idempotency_key)

    def get(self, evaluation_id: str) -> Row:
        """With its `job`, and once that is over each version's metrics and the comparisons."""
        return self._row("GET", f"evaluations/{part(evaluation_id)}")

    def cancel(self, evaluation_id: str) -> Row:
        return self._row("POST", f"evaluations/{part(evaluation_id)}/cancel", repeatable=True)

    def wait(self, evaluation_id: str, *, timeout: float = 1800, every: float = 1) -> Row:
        """The evaluation once it is over. Raises ApiError unless it completed, and after `timeout` seconds."""
        return wait_for_job(
            lambda: self.get(evaluation_id),
            what=f"Evaluation {evaluation_id}",
            timeout=timeout,
            every=every,
        )

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("evaluations/list", given(**asked), limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("evaluations/list", given(**asked))
