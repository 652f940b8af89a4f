"""Fetching the bytes of objects that came as addresses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from extraction.intake import s3
from extraction.intake.domain.images import Verified, keep_images, prepare
from extraction.intake.domain.incoming import group_of
from extraction.intake.domain.objects import describe, mark_ready
from extraction.intake.models import Bucket, Object
from mixcv.kernel import http
from mixcv.kernel.errors import DomainError
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import SYSTEM, Actor

log = logging.getLogger(__name__)
_STUCK_AFTER = timedelta(minutes=3)
_FETCH_SECONDS = 60


def fetch_objects(*, keys: Sequence[int], by: Actor = SYSTEM) -> int:
    """Fetch what these objects' addresses name; each becomes READY, or FAILED with its reason.

    Safe to run twice: whoever finds an object no longer PENDING leaves it. Returns how many became READY.
    """
    waiting = Object.objects.filter(pk__in=keys, state=Object.State.PENDING).select_related(
        "bucket__namespace"
    )
    return sum(_fetch(row, by) for row in waiting)


def stuck_objects(*, limit: int = 1000) -> list[int]:
    """Objects whose fetch got lost, taken for one more try: whoever calls this next does not get them again at once."""
    now = timezone.now()
    lost = Object.objects.filter(state=Object.State.PENDING, updated_at__lt=now - _STUCK_AFTER).order_by("id")
    with transaction.atomic():
        keys = list(lost.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        Object.objects.filter(pk__in=keys).update(updated_at=now)
    return keys


def _fetch(row: Object, by: Actor) -> bool:
    try:
        answer = _answer(row.source_url)
        picture = prepare(
            answer.content, declared=answer.content_type, group=group_of(row.metadata, row.bucket)
        )
    except DomainError as error:
        _finish(row, None, error.message, by)
        return False
    except Exception as error:  # the worker's boundary: else this object would be fetched again for ever
        log.exception("%s: fetching %s", row.public_id, row.source_url)
        _finish(row, None, f"The fetch broke off ({type(error).__name__}); the server's log says why.", by)
        return False
    return _finish(row, picture, "", by)


def _answer(url: str) -> http.Answer:
    most = settings.MIXCV_MAX_IMAGE_BYTES
    if url.lower().startswith("s3://"):
        return s3.read(url, max_bytes=most, seconds=_FETCH_SECONDS)
    return http.fetch(url, max_bytes=most, seconds=_FETCH_SECONDS)


def _finish(row: Object, picture: Verified | None, reason: str, by: Actor) -> bool:
    with transaction.atomic():
        namespace = row.bucket.namespace
        # Images before the bucket's lock, as everywhere: else two writers could wait for each other.
        image = keep_images(namespace=namespace, pictures=[picture])[picture.sha256] if picture else None
        bucket = (
            Bucket.objects.select_for_update(no_key=True).select_related("namespace").get(pk=row.bucket_id)
        )
        # An address that was changed meanwhile has a fetch of its own.
        now_there = Object.objects.filter(
            pk=row.pk, state=Object.State.PENDING, source_url=row.source_url
        ).select_related("image__original")
        current = now_there.first()
        if current is None:
            return False
        old = current.image
        state = Object.State.READY if image or old else Object.State.FAILED
        now_there.update(state=state, image=image or old, error=reason, updated_at=timezone.now())
        row.state, row.image, row.error = state, image or old, reason
        if image and old:
            Bucket.objects.filter(pk=bucket.pk).update(total_bytes=F("total_bytes") - old.original.size)
        publish(
            namespace_id=bucket.namespace_id,
            actor=by.name,
            happenings=[
                Happening(
                    "object.ready" if image else "object.failed",
                    row.public_id,
                    describe(row, bucket) | {"error": reason},
                )
            ],
        )
        mark_ready(bucket=bucket, rows=[row] if image else [])
    return image is not None
