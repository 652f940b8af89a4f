"""Tasks of evaluations: thin, and safe to run twice."""

from __future__ import annotations

from celery import shared_task

from mixcv.celery import app
from review.evaluation.domain import TASK, lost_evaluations, run_evaluation


@shared_task(name=TASK, queue="gpu")
def run(key: int) -> None:
    """Measure versions on a holdout."""
    run_evaluation(key=key)


@shared_task(name="review.evaluation.sweep", queue="cpu")
def sweep() -> None:
    """Take up what killed workers and lost messages left behind. Meant to run every few seconds."""
    for key in lost_evaluations():
        app.send_task(TASK, args=[key], queue="gpu", expires=30)
