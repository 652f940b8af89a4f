"""`/v1/collections`, `/v1/buckets/{bucket}/batches`, `/v1/documents`."""

# Until those who show documents import them from there.
from extraction.runs.presenters import present_detection, present_document

__all__ = ["present_detection", "present_document"]
