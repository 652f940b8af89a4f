"""Intake's work outside a request."""

from __future__ import annotations

from extraction.intake.domain import fetch_objects, stuck_objects
from extraction.intake.media import trim_cache
from extraction.intake.presigned import forget_old_uploads
from mixcv.celery import app


@app.task(name="extraction.intake.fetch_object", queue="io")
def fetch_object(key: int) -> None:
    """Fetch the image of one object that came as an address."""
    fetch_objects(keys=[key])


@app.task(name="extraction.intake.sweep_pending", queue="io")
def sweep_pending() -> None:
    """Queue again what waits to be fetched for minutes. Meant to run once a minute."""
    for key in stuck_objects():
        fetch_object.delay(key)


@app.task(name="extraction.intake.trim_cache", queue="cpu")
def trim_media_cache() -> None:
    """Throw out the thumbnails and crops used longest ago where they take too much room. Meant to run hourly."""
    trim_cache()


@app.task(name="extraction.intake.forget_uploads", queue="cpu")
def forget_uploads() -> None:
    """Delete uploads that were never confirmed. Meant to run hourly."""
    forget_old_uploads()
