"""Datasets beside a picture: which ones it was asked into, and a way into the others."""

from __future__ import annotations

from extraction.intake.hooks import ImagePanel
from extraction.intake.models import Image
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest
from review.datasets.models import Dataset, DatasetInclude

MOST = 50


def datasets_panel(request: AppRequest, image: Image) -> ImagePanel | None:
    """The datasets that this picture was added to by hand, and the rest to choose from; nothing without a dataset."""
    included = DatasetInclude.objects.filter(image=image).select_related("dataset").order_by("dataset__name")
    inside = list(included)
    others = Dataset.objects.filter(namespace=request.namespace)
    others = others.exclude(pk__in=[row.dataset_id for row in inside]).order_by("name", "pk")
    choices = list(others[:MOST]) if at_least(request.role, Role.MANAGER) else []
    if not inside and not choices:
        return None
    values = {"image": image, "inside": inside, "choices": choices, "kinds": DatasetInclude.Kind.choices}
    return ImagePanel("review/datasets/_image_panel.html", values)
