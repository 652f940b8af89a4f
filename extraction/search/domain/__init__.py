"""Verbs of retrievers: made, changed, copied, deleted, run."""

from extraction.search.domain.leaving import deleted_collections, leave_collection
from extraction.search.domain.retrievers import (
    RetrieverInUse,
    clone_retriever,
    create_retriever,
    delete_retriever,
    ensure_retriever,
    update_retriever,
)
from extraction.search.domain.running import (
    Plan,
    Ran,
    execute,
    page_of_execution,
    plan_of,
    selection_of,
)

__all__ = [
    "Plan",
    "Ran",
    "RetrieverInUse",
    "clone_retriever",
    "create_retriever",
    "delete_retriever",
    "deleted_collections",
    "ensure_retriever",
    "execute",
    "leave_collection",
    "page_of_execution",
    "plan_of",
    "selection_of",
    "update_retriever",
]
