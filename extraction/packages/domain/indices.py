"""The indices of classes that enter a dataset before any weights know them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from extraction.classes.models import ObjectClass
from extraction.packages.models import ClassIndex, Extractor


def give_indices(*, extractor: Extractor, class_ids: Iterable[int]) -> dict[int, int]:
    """The index of each class, by its key; one that has none yet gets the next free one, in the order of keys.

    An index is given once and never moved. A proposed class becomes active by it.
    """
    wanted = sorted(set(class_ids))
    with transaction.atomic():
        Extractor.objects.select_for_update(no_key=True).get(pk=extractor.pk)
        known = dict(ClassIndex.objects.filter(extractor=extractor).values_list("object_class_id", "index"))
        free = max(known.values(), default=-1) + 1
        missing = [key for key in wanted if key not in known]
        news = {key: free + n for n, key in enumerate(missing)}
        ClassIndex.objects.bulk_create(
            ClassIndex(extractor=extractor, object_class_id=key, index=index) for key, index in news.items()
        )
        ObjectClass.objects.filter(pk__in=missing, state=ObjectClass.State.PROPOSED).update(
            state=ObjectClass.State.ACTIVE
        )
    return {key: (known | news)[key] for key in wanted}
