"""Who works on what: items under a lease, claimed by SKIP LOCKED. The broker never decides it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from extraction.runs.domain.batches import finish_if_done
from extraction.runs.models import Batch
from mixcv.kernel.leases import renewed

TRIES = 3
# After a crash the images of a chunk are tried in smaller company, so that one bad image cannot fail its neighbours.
_COMPANY = {0: None, 1: 8, 2: 1}


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item that this worker owns until its lease ends. `storage_name` is the working image's."""

    item_id: int
    batch_id: int
    object_id: int
    image_id: int
    storage_name: str
    key: str
    object_ref: str
    attempt: int


_CLAIM = """
WITH mine AS (
    SELECT i.id FROM extraction_batchitem i
    JOIN extraction_batch b ON b.id = i.batch_id
    JOIN extraction_object o ON o.id = i.object_id
    WHERE i.collection_id = %(collection)s AND i.state = 'PENDING' AND i.attempt = %(attempt)s
      AND b.state = 'PROCESSING' AND o.state = 'READY'
    ORDER BY i.id LIMIT %(limit)s FOR UPDATE OF i SKIP LOCKED)
UPDATE extraction_batchitem i SET state = 'RUNNING', attempt = i.attempt + 1, lease_owner = %(worker)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM mine, extraction_object o, extraction_image m, extraction_blob w
WHERE i.id = mine.id AND o.id = i.object_id AND m.id = o.image_id AND w.id = m.working_id
RETURNING i.id, i.batch_id, o.id, m.id,
    w.namespace_id || '/' || left(w.sha256, 2) || '/' || w.sha256, o.key, o.public_id, i.attempt
"""


def claim_items(*, collection_id: int, worker: str, limit: int) -> list[Claimed]:
    """Take up to `limit` items of a collection that are ready to be detected, untried ones first."""
    for attempt, company in _COMPANY.items():
        arguments: dict[str, int | str] = {
            "collection": collection_id,
            "attempt": attempt,
            "limit": min(limit, company or limit),
            "worker": worker,
            "lease": settings.MIXCV_LEASE_SECONDS,
        }
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_CLAIM, arguments)
            claimed = [Claimed(*row) for row in cursor.fetchall()]
        if claimed:
            return sorted(claimed, key=lambda item: item.item_id)
    return []


def renew_leases(*, worker: str, item_ids: Sequence[int]) -> None:
    """Push the leases that are still this worker's into the future."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE extraction_batchitem SET lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = ANY(%s) AND lease_owner = %s AND state = 'RUNNING'
            """,
            [settings.MIXCV_LEASE_SECONDS, list(item_ids), worker],
        )


def release_items(*, worker: str, items: Sequence[Claimed], reason: str) -> None:
    """Give items back after their host failed; those that were tried three times fail with `reason`."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE extraction_batchitem SET
                state = CASE WHEN attempt >= %(tries)s THEN 'FAILED' ELSE 'PENDING' END,
                reason = CASE WHEN attempt >= %(tries)s THEN %(reason)s ELSE '' END,
                finished_at = CASE WHEN attempt >= %(tries)s THEN now() END,
                lease_owner = '', lease_until = NULL
            WHERE id = ANY(%(ids)s) AND lease_owner = %(worker)s AND state = 'RUNNING'
            """,
            {
                "tries": TRIES,
                "reason": reason.replace("\x00", "?"),
                "ids": [item.item_id for item in items],
                "worker": worker,
            },
        )
    for batch in Batch.objects.filter(pk__in={item.batch_id for item in items}):
        finish_if_done(batch)


def sweep_leases() -> list[int]:
    """Put items whose lease ended back to work. Returns the collections that have something to do now.

    A killed worker's try counts: an image that kills its worker each time fails after three.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # Batches before their items, as everybody else.
        cursor.execute(
            "SELECT id FROM extraction_batch WHERE state = 'PROCESSING' ORDER BY id FOR NO KEY UPDATE"
        )
        cursor.execute(
            """
            UPDATE extraction_batchitem SET
                state = CASE WHEN attempt >= %(tries)s THEN 'FAILED' ELSE 'PENDING' END,
                reason = CASE WHEN attempt >= %(tries)s THEN 'its worker went away three times' ELSE '' END,
                finished_at = CASE WHEN attempt >= %(tries)s THEN now() END,
                lease_owner = '', lease_until = NULL
            WHERE id IN (SELECT id FROM extraction_batchitem
                         WHERE state = 'RUNNING' AND lease_until < clock_timestamp()
                         ORDER BY id FOR UPDATE SKIP LOCKED)
            """,
            {"tries": TRIES},
        )
        _fail_hopeless(cursor)
        cursor.execute(
            """
            SELECT DISTINCT i.collection_id FROM extraction_batchitem i
            JOIN extraction_batch b ON b.id = i.batch_id JOIN extraction_object o ON o.id = i.object_id
            JOIN extraction_collection c ON c.id = i.collection_id
            JOIN extraction_extractorversion v ON v.id = c.extractor_version_id
            WHERE i.state = 'PENDING' AND b.state = 'PROCESSING' AND o.state = 'READY' AND v.state = 'ready'
            """
        )
        collections = [row[0] for row in cursor.fetchall()]
    for batch in Batch.objects.filter(state=Batch.State.PROCESSING):
        finish_if_done(batch)
    return collections


def _fail_hopeless(cursor: CursorWrapper) -> None:
    """Items that wait for an image that cannot be had, or for a detector that is retired."""
    cursor.execute(
        """
        UPDATE extraction_batchitem i SET state = 'FAILED', finished_at = now(), reason = o.error
        FROM extraction_object o, extraction_batch b
        WHERE o.id = i.object_id AND b.id = i.batch_id AND b.state = 'PROCESSING'
          AND i.state = 'PENDING' AND o.state = 'FAILED'
        """
    )
    cursor.execute(
        """
        UPDATE extraction_batchitem i SET state = 'FAILED', finished_at = now(), reason = 'its detector was retired'
        FROM extraction_collection c, extraction_extractorversion v, extraction_batch b
        WHERE c.id = i.collection_id AND v.id = c.extractor_version_id AND b.id = i.batch_id
          AND i.state = 'PENDING' AND b.state = 'PROCESSING' AND v.state = 'retired'
        """
    )


@contextmanager
def kept_leases(worker: str) -> Iterator[set[int]]:
    """Renews the leases of the items in the set that it gives, until the block ends."""
    held: set[int] = set()

    def renew() -> None:
        if held:
            renew_leases(worker=worker, item_ids=list(held))

    with renewed(renew, every=settings.MIXCV_LEASE_SECONDS / 4):
        yield held
