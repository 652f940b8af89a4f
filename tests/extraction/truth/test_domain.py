"""How far images are reviewed, computed while somebody says something about them."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from extraction.truth.domain import declare_images, refresh_completeness
from extraction.truth.models import ImageReview
from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import Actor
from review.verdicts.domain import Verdict, record_verdicts
from tests import factories as make
from tests.processes import wait_until

# Not pg_stat_activity, which a transaction reads once.
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_what_is_computed_beside_a_declaration_does_not_undo_it():
    collection = make.make_collection(make.make_bucket(make.make_namespace()))
    (document,) = make.make_detected(collection, detections=[])
    box = Box(50, 60, 20, 30)
    verdict = Verdict("missed", image_id=document.image_id, class_name="bus", box=box)
    (outcome,) = record_verdicts(namespace=collection.namespace, verdicts=[verdict], by=Actor("ines"))
    assert outcome.error is None

    def compute() -> None:
        refresh_completeness([document.image_id])
        connection.close()

    other = threading.Thread(target=compute)
    with transaction.atomic():
        declare_images(image_ids=[document.image_id])
        other.start()
        wait_until(waits_for_a_lock, seconds=10, what="the other to wait")
    other.join()
    row = ImageReview.objects.get(image=document.image)
    assert (row.declared, row.completeness) == (True, "complete")
