"""The collection of what a run made, beside those of its base."""

from __future__ import annotations

from extraction.runs.domain.beside import collection_beside
from extraction.runs.models import Batch, Collection
from mixcv.kernel.errors import Conflict
from mixcv.tenancy.actors import Actor
from review.training.models import TrainingRun


class NoVersionYet(Conflict):
    """The run has made no version."""

    code = "no_version_yet"


def collect_with(*, run: TrainingRun, name: str = "", by: Actor) -> tuple[Collection, list[Batch]]:
    """A collection of the run's version over the buckets of the base version's collections, with its batches.

    Raises NoVersionYet, and what `collection_beside` does.
    """
    if run.produced_version is None:
        raise NoVersionYet(
            "The run has made no version (yet), so nothing can detect with it. Wait until it is done, or start another."
        )
    return collection_beside(
        namespace=run.namespace, version=run.produced_version, base=run.base_version, name=name, by=by
    )
