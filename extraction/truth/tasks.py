"""Tasks of truth."""

from __future__ import annotations

from celery import shared_task

from extraction.truth.rematch import AT_ONCE, rematch
from extraction.truth.wishes import TASK

GROUPS = 500  # in one task; what is left then waits for the next sweep


@shared_task(name=TASK, queue="cpu")
def match() -> None:
    """Match anew what is wished for. Sent with each wish, and every few seconds for messages that were lost."""
    for _ in range(GROUPS):
        if rematch() < AT_ONCE:
            break
