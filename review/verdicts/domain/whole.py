"""Images that a person or a program says to have seen whole."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from extraction.truth.domain import declare_images
from extraction.truth.models import ImageReview
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace


def declare_whole(*, namespace: Namespace, image_ids: Iterable[int], by: Actor) -> dict[int, str]:
    """Nothing is missing on these images, in a few statements. How far each is reviewed then, by image."""
    keys = sorted(set(image_ids))
    with transaction.atomic():
        declare_images(image_ids=keys)
        at = timezone.now().isoformat()
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("image.completed", f"img_{key}", {"at": at}) for key in keys],
        )
    return dict(ImageReview.objects.filter(image_id__in=keys).values_list("image_id", "completeness"))
