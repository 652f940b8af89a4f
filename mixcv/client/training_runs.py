"""Training runs: a version's weights fine-tuned on a dataset's version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mixcv.client.errors import ApiError
from mixcv.client.manager import Manager, given, part, wait_for
from mixcv.client.rows import Page, Row
from mixcv.client.tasks import OVER


class TrainingRuns(Manager):
    def create(
        self,
        *,
        dataset_id: str,
        dataset_version: int | None = None,
        base_version: str | None = None,
        base_weights: str | None = None,
        settings: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Row:
        """Start a run. Without `dataset_version` the latest, without `base_version` the one in production.

        `settings`: epochs, image_size, batch, device, patience, freeze, seed, augmentation; the rest is as usual.
        """
        body = given(
            dataset_id=dataset_id,
            dataset_version=dataset_version,
            base_version=base_version,
            base_weights=base_weights,
            settings=settings,
        )
        return self._create("training-runs", body, key=idempotency_key)

    def get(self, run_id: str) -> Row:
        """With its epochs, its `job`, and where it is over what came of it: `model_id`, `extractor_version_id`."""
        return self._row("GET", f"training-runs/{part(run_id)}")

    def cancel(self, run_id: str) -> Row:
        return self._row("POST", f"training-runs/{part(run_id)}/cancel", repeatable=True)

    def wait(self, run_id: str, *, timeout: float = 3600, every: float = 2) -> Row:
        """The run once it is over. Raises ApiError with the reason unless it completed, and after `timeout`."""
        return wait_for_job(lambda: self.get(run_id), what=f"Run {run_id}", timeout=timeout, every=every)

    def collection(self, run_id: str, *, collection_name: str | None = None) -> Row:
        """A collection of the version that came of it, over the base version's buckets, with a batch."""
        return self._create(
            f"training-runs/{part(run_id)}/collection", given(collection_name=collection_name)
        )

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("training-runs/list", given(**asked), limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("training-runs/list", given(**asked))


def wait_for_job(look: Callable[[], Row], *, what: str, timeout: float, every: float) -> Row:
    """A row with a `job` once that has completed. Raises ApiError where it ended otherwise or takes longer."""
    row = wait_for(look, lambda row: row.job["state"] in OVER, what=what, timeout=timeout, every=every)
    state = row.job["state"]
    if state not in {"COMPLETED", "COMPLETED_WITH_ERRORS"}:
        reason = row.job.get("error") or state
        raise ApiError(f"{what} did not complete: {reason}", code="failed", details=row.to_dict())
    return row
