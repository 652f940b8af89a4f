"""Tasks of extraction: thin, and safe to run twice."""

from __future__ import annotations

from celery import shared_task

from extraction.packages.domain import lost_deployments
from extraction.runs import domain
from extraction.runs.domain.automatic import close_old_batches
from extraction.runs.domain.webhook import due_webhooks, tell_webhook
from mixcv.celery import app


@shared_task(name="extraction.extract", queue="gpu")
def extract(collection_id: int) -> int:
    """Detect whatever waits in a collection."""
    return domain.run_collection(collection_id=collection_id)


@shared_task(name="extraction.close_batch", queue="cpu")
def close_batch(batch_id: int) -> None:
    """Hand an automatic batch to the workers."""
    domain.close_batch(batch_id=batch_id)


@shared_task(name="extraction.tell_batch", queue="io")
def tell_batch(batch_id: int) -> bool:
    """Tell a batch's webhook that it is over."""
    return tell_webhook(batch_id=batch_id)


@shared_task(name="extraction.sweep", queue="cpu")
def sweep() -> None:
    """Take up what killed workers and lost messages left behind."""
    close_old_batches()
    for batch_id in due_webhooks():
        app.send_task("extraction.tell_batch", args=[batch_id], queue="io", expires=30)
    for deployment_id in lost_deployments():
        app.send_task("extraction.deploy_version", args=[deployment_id], queue="gpu", expires=30)
    for collection_id in domain.sweep_leases():
        app.send_task("extraction.extract", args=[collection_id], queue="gpu", expires=30)
