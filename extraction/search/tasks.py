"""Tasks of search: thin, and safe to run twice."""

from __future__ import annotations

from celery import shared_task

from extraction.search.indexing import TASK, build_index


@shared_task(name=TASK, queue="cpu")
def build_vector_index(job_id: int) -> None:
    """Build the index of a feature that has outgrown exact search."""
    build_index(job_id=job_id)
