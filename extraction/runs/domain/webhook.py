"""One message to a batch's `webhook_url` once the batch is over, tried again until it is taken."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from extraction.runs.models import Batch
from mixcv.kernel import http
from mixcv.kernel.errors import DomainError

log = logging.getLogger(__name__)
# Seconds until the next try; after the last the message is given up.
WAITS = (5, 60, 300, 1800, 10_800)
# A worker that has the message in hand for longer than this was killed.
IN_HAND = 30


def due_webhooks(*, limit: int = 200) -> list[int]:
    """Batches whose message waits for a while already: its task was lost, or it failed before."""
    late = timezone.now() - timedelta(seconds=2)
    rows = Batch.objects.filter(webhook_due_at__lt=late).order_by("webhook_due_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def tell_webhook(*, batch_id: int) -> bool:
    """Send the message of a batch that is over. True once it is taken. Two workers at once send it once."""
    row = Batch.objects.filter(pk=batch_id).select_related("namespace", "bucket").first()
    now = timezone.now()
    if row is None or not row.is_over or row.webhook_due_at is None or row.webhook_due_at > now:
        return False
    tried = row.webhook_attempts
    mine = Batch.objects.filter(pk=row.pk, webhook_due_at=row.webhook_due_at, state=row.state)
    if not mine.update(webhook_due_at=now + timedelta(seconds=IN_HAND), webhook_attempts=tried + 1):
        return False
    try:
        http.post(
            row.webhook_url,
            content=json.dumps(message(row)).encode(),
            headers={"Content-Type": "application/json"},
        )
    except DomainError as error:
        log.warning("%s: the webhook was not taken: %s", row.public_id, error.message)
        wait = WAITS[tried] if tried < len(WAITS) else None
        again = timezone.now() + timedelta(seconds=wait) if wait is not None else None
        _still_over(row).update(webhook_error=error.message, webhook_due_at=again)
        return False
    _still_over(row).update(webhook_due_at=None, webhook_sent_at=timezone.now(), webhook_error="")
    return True


def _still_over(row: Batch) -> QuerySet[Batch]:
    """The batch, unless it was taken up again meanwhile: what that has to tell comes later."""
    return Batch.objects.filter(pk=row.pk, finished_at=row.finished_at)


def message(row: Batch) -> dict[str, object]:
    return {
        "event_type": "batch.completed",
        "occurred_at": row.finished_at.isoformat() if row.finished_at else None,
        "namespace_id": row.namespace.public_id,
        "subject": {"type": "batch", "id": row.public_id},
        "metadata": {
            "bucket_id": row.bucket.public_id,
            "status": row.state,
            "done": row.done_count,
            "failed": row.failed_count,
            "skipped": row.skipped_count,
        },
    }
