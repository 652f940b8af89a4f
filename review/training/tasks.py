"""Tasks of training: thin, and safe to run twice."""

from __future__ import annotations

from celery import shared_task

from mixcv.celery import app
from review.training.domain import TASK, forget_folders, lost_runs, run_training

_MOST_SENT = 20


@shared_task(name=TASK, queue="train")
def run(key: int) -> None:
    """Train one run, where its device is free."""
    run_training(key=key)
    _send_waiting()


@shared_task(name="review.training.sweep", queue="cpu")
def sweep() -> None:
    """Take up what waits for a device, and what killed workers and lost messages left behind."""
    forget_folders()
    _send_waiting()


def _send_waiting() -> None:
    for key in lost_runs()[:_MOST_SENT]:
        app.send_task(TASK, args=[key], queue="train", expires=30)
