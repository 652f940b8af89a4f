"""What a version has seen in training, and which holdout images that touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from extraction.packages.models import ExtractorVersion
from extraction.packages.queries import models_needed
from review.datasets.models import DatasetItem, DatasetVersion
from review.training.models import TrainingRun

_DEEPEST = 100


@dataclass(frozen=True)
class Lineage:
    """The dataset versions that a version and those before it were trained on. `begins_with`: the version at whose
    beginning nothing more is known: its weights came from elsewhere."""

    dataset_versions: list[int]
    begins_with: ExtractorVersion


def lineage_of(version: ExtractorVersion) -> Lineage:
    """From the version back along what its weights were trained from, as far as training runs know.

    Weights are known by their bytes or as a model of the registry as well, so that a version which somebody made of
    them by hand, or named as the base, leads back to the run that they came of.
    """
    found: list[int] = []
    seen: set[int] = set()
    waiting = list(_runs(_made(version)))
    for _ in range(_DEEPEST):
        if not waiting:
            break
        run = waiting.pop(0)
        seen.add(run.pk)
        found.append(run.dataset_version_id)
        version = run.base_version
        weights = Q(produced_version__weights=run.base_blob_id) | Q(model__archive=run.base_blob_id)
        before = _runs(_made(version) | Q(weights, namespace=run.namespace_id))
        waiting += before.exclude(pk__in=[*seen, *(one.pk for one in waiting)])
    return Lineage(list(dict.fromkeys(found)), version)


def _made(version: ExtractorVersion) -> Q:
    """Runs that made the version, or the weights that it has or loads."""
    made = Q(produced_version=version)
    if version.weights_id is not None:
        made |= Q(produced_version__weights=version.weights_id) | Q(model__archive=version.weights_id)
    loaded = [*models_needed(version), *version.model_overrides.values()]
    made |= Q(model__public_id__in=loaded) | Q(model__uses__extractor_version=version)
    return Q(made, namespace=version.extractor.namespace_id)


def _runs(made: Q) -> QuerySet[TrainingRun]:
    return (
        TrainingRun.objects.filter(made)
        .select_related("base_version__extractor")
        .order_by("-created_at", "-pk")
        .distinct()
    )


def trained_on(held: DatasetVersion, dataset_versions: Sequence[int]) -> int:
    """How many holdout images of `held` stood outside the holdout of what was trained on.

    An image is known by itself, by its content, and by its group (a camera, a patient), whose pictures are alike.
    Images that chose the best epoch count as trained on.
    """
    seen = DatasetItem.objects.filter(dataset_version__in=dataset_versions, holdout=False)
    same = Q(image__in=seen.values("image"))
    same |= Q(image__working__in=seen.values("image__working"))
    grouped = seen.exclude(image__group_key="")
    same |= ~Q(image__group_key="") & Q(image__group_key__in=grouped.values("image__group_key"))
    return DatasetItem.objects.filter(same, dataset_version=held, holdout=True).count()
