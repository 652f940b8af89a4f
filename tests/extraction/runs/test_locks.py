"""People, workers and programs at the same rows at the same time: somebody waits, nobody dies."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection

from extraction.intake.domain import delete_objects
from extraction.intake.models import Object
from extraction.runs import domain
from extraction.runs.models import Document
from mixcv.kernel.errors import DomainError
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.domain import cancel_job
from review.queues.models import Queue
from review.verdicts.domain import Verdict, record_verdicts
from tests import factories as make

pytestmark = pytest.mark.django_db(transaction=True)


def together(*calls, rounds=1):
    """Runs the calls at once; what they raised, but for what a person is told."""
    faults = []
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        try:
            call()
        except DomainError:
            pass
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return faults


@pytest.fixture
def collection():
    return make.make_collection(make.make_bucket(make.make_namespace(), "yard"), "found")


def verdicts_on(documents, namespace):
    keys = [d.pk for document in documents for d in make.detections_of(document)]
    return lambda: record_verdicts(
        namespace=namespace,
        verdicts=[Verdict(label="confirmed", detection_id=key) for key in keys],
        by=SYSTEM,
    )


def slowly(monkeypatch, target, name):
    """The call takes its time, so that two of them really meet."""
    real = getattr(target, name)

    def slow(*args, **kwargs):
        done = real(*args, **kwargs)
        time.sleep(0.3)
        return done

    monkeypatch.setattr(target, name, slow)


@pytest.mark.parametrize("what", ["document", "object", "collection"])
def test_deleting_and_deciding_meet(collection, monkeypatch, what):
    documents = make.make_detected(collection, 3)
    bucket = collection.buckets.get()
    objects = list(Object.objects.all())
    deletions = {
        "document": lambda: domain.delete_documents(documents=documents, by=SYSTEM),
        "object": lambda: delete_objects(bucket=bucket, rows=objects, by=SYSTEM),
        "collection": lambda: domain.delete_collection(collection=collection, by=SYSTEM),
    }
    slowly(monkeypatch, domain.documents, "_say")
    faults = together(verdicts_on(documents, collection.namespace), deletions[what])
    assert faults == []
    queue = Queue.objects.first()
    if queue:
        assert queue.waiting_count == queue.items.filter(state="waiting").count()
    assert Document.objects.count() in {0, 3}


def test_stopping_a_task_and_its_worker_meet(collection, monkeypatch):
    objects = make.make_objects(collection.buckets.get(), 40)
    batch = domain.create_batch(bucket=collection.buckets.get(), collections=[collection])
    domain.submit_batch(batch=batch)
    batch.refresh_from_db()
    items = domain.claim_items(collection_id=collection.pk, worker="test", limit=40)
    slowly(monkeypatch, domain.write, "_settle")
    faults = together(
        lambda: domain.write_chunk(
            collection=collection,
            worker="test",
            items=items,
            results=[make.result([make.found()])] * len(items),
        ),
        lambda: (time.sleep(0.1), cancel_job(job=batch.job, by=SYSTEM)),
    )
    assert faults == []
    assert len(objects) == 40
    assert Job.objects.get().state in {"CANCELED", "COMPLETED"}
