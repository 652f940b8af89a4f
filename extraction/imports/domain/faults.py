"""Keeping what was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extraction.imports.domain.counting import Counts
from extraction.imports.formats import Cost, Fault
from extraction.imports.models import ImportFault, TruthImport
from mixcv.kernel.bulk import copy_in

_COLUMNS = ("truth_import_id", "image_id", "file", "line", "message", "cost")


def keep_faults(row: TruthImport, faults: Sequence[Fault], images: Mapping[str, int], counts: Counts) -> None:
    """Store faults, with the image where its picture's path has one in `images`."""
    if not faults:
        return
    counts.add("kept", sum(fault.cost == Cost.KEPT for fault in faults))
    counts.add("left_out", sum(fault.cost != Cost.KEPT for fault in faults))
    copy_in(
        ImportFault,
        _COLUMNS,
        (
            (
                row.pk,
                images.get(fault.picture),
                storable(fault.file),
                fault.line,
                storable(fault.message),
                fault.cost.value,
            )
            for fault in faults
        ),
    )


def storable(text: str) -> str:
    """PostgreSQL keeps neither NUL nor halves of signs, and files may be called anything."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode()
