"""`GET /healthz`: 200 when database, broker and a worker answer, else 503 that says which one does not."""

from __future__ import annotations

import logging

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from mixcv.celery import app

log = logging.getLogger(__name__)
_WORKER_FRESH_SECONDS = 5
_KEY = "health:worker"


def healthz(request: HttpRequest) -> JsonResponse:
    checks = {"database": _database(), "broker": _broker()}
    checks["worker"] = _worker() if checks["broker"] == "ok" else "not asked: the broker does not answer"
    well = all(answer == "ok" for answer in checks.values())
    return JsonResponse(
        {"status": "ok" if well else "unavailable", "checks": checks}, status=200 if well else 503
    )


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("healthz: the database does not answer: %s", error)
        return "does not answer"
    return "ok"


def _broker() -> str:
    try:
        cache.get(_KEY)
    except RedisError as error:
        log.warning("healthz: the broker does not answer: %s", error)
        return "does not answer"
    return "ok"


def _worker() -> str:
    """A yes is good for some seconds, so that a busy health check does not become a load of its own."""
    if cache.get(_KEY):
        return "ok"
    try:
        answers = app.control.ping(timeout=1.0, limit=1)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("healthz: no worker could be asked: %s", error)
        answers = []
    if not answers:
        return "no worker answers"
    cache.set(_KEY, True, _WORKER_FRESH_SECONDS)
    return "ok"
