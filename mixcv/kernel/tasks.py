"""Housekeeping that belongs to no app."""

from __future__ import annotations

from mixcv.celery import app
from mixcv.kernel.idempotency import forget_old_calls


@app.task(name="mixcv.forget_old_calls", queue="cpu")
def forget() -> int:
    return forget_old_calls()
