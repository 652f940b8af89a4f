"""What a version has seen in training, and which holdout images that touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from extraction.packages.models import ExtractorVersion
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
    """From the version back along its base versions, as far as training runs know."""
    found: list[int] = []
    seen = {version.pk}
    for _ in range(_DEEPEST):
        run = (
            TrainingRun.objects.filter(produced_version=version)
            .select_related("base_version__extractor")
            .order_by("-created_at")
            .first()
        )
        if run is None:
            break
        found.append(run.dataset_version_id)
        if run.base_version_id in seen:
            break
        version = run.base_version
        seen.add(version.pk)
    return Lineage(list(dict.fromkeys(found)), version)


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
