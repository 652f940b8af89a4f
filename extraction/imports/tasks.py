"""Tasks of imports: thin, and safe to run twice."""

from __future__ import annotations

from celery import shared_task

from extraction.imports.domain import lost_imports, run_import
from extraction.imports.domain.starting import TASK, bounds
from mixcv.celery import app


@shared_task(name=TASK, queue="cpu")
def run(key: int) -> None:
    """Import one archive that was sent."""
    run_import(key=key, bounds=bounds())


@shared_task(name="extraction.imports.sweep", queue="cpu")
def sweep() -> None:
    """Take up what killed workers and lost messages left behind. Meant to run every few seconds."""
    for key in lost_imports():
        app.send_task(TASK, args=[key], queue="cpu", expires=30)
