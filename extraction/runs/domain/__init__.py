"""Verbs of the room: collections, batches, the worker's claim and write, and what others may decide on detections."""

from extraction.runs.domain.automatic import add_ready_objects, close_batch
from extraction.runs.domain.batches import (
    cancel_batch,
    create_batch,
    delete_batch,
    finish_if_done,
    retry_failed,
    submit_batch,
)
from extraction.runs.domain.claim import Claimed, claim_items, release_items, renew_leases, sweep_leases
from extraction.runs.domain.collections import (
    create_collection,
    delete_collection,
    ensure_collection,
    get_collection,
    trigger_collection,
    update_collection,
)
from extraction.runs.domain.decide import Decided, decide_detections
from extraction.runs.domain.documents import delete_documents, update_documents
from extraction.runs.domain.process import run_collection
from extraction.runs.domain.write import write_chunk

__all__ = [
    "Claimed",
    "Decided",
    "add_ready_objects",
    "cancel_batch",
    "claim_items",
    "close_batch",
    "create_batch",
    "create_collection",
    "decide_detections",
    "delete_batch",
    "delete_collection",
    "delete_documents",
    "ensure_collection",
    "finish_if_done",
    "get_collection",
    "release_items",
    "renew_leases",
    "retry_failed",
    "run_collection",
    "submit_batch",
    "sweep_leases",
    "trigger_collection",
    "update_collection",
    "update_documents",
    "write_chunk",
]
