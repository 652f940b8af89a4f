"""Tasks of verdicts."""

from __future__ import annotations

from celery import shared_task

from review.verdicts.domain import fold_counts
from review.verdicts.domain.counts import FOLD_AT_ONCE


@shared_task(name="review.fold_counts", queue="cpu")
def fold() -> None:
    """Keep what statistics read short: the changes since the last time become one row per key."""
    while fold_counts() >= FOLD_AT_ONCE:
        pass
