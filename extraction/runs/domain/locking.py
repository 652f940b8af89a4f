"""The order in which rows are locked; see docs/adr/0011."""

from __future__ import annotations

from typing import Any

from extraction.runs.models import Detection


def lock_detections_of(**which: Any) -> list[int]:
    """Lock detections in the order of their keys, before documents and queues, as everybody who decides does.

    Returns the keys.
    """
    rows = Detection.objects.select_for_update(no_key=True, of=("self",)).filter(**which).order_by("pk")
    return list(rows.values_list("pk", flat=True).iterator(chunk_size=5000))
