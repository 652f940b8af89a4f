"""What an import did, in numbers."""

from __future__ import annotations

from extraction.imports.models import TruthImport

# Pictures: of the source, new in the bucket, there before, not taken, the same as another one of the source.
# Boxes: told, added, there before, a person's. Images by what is known of them now. Faults by what they cost.
KEYS = (
    *("pictures", "added", "present", "refused", "repeated"),
    *("boxes", "boxes_added", "boxes_there", "boxes_of_people", "detections_matched"),
    *("complete", "empty", "partial", "unlabelled", "train", "holdout"),
    *("left_out", "kept"),
)


class Counts(dict[str, int]):
    """Numbers by name, all there from the start."""

    @classmethod
    def of(cls, row: TruthImport) -> Counts:
        return cls({key: int(row.counts.get(key, 0)) for key in KEYS})

    def add(self, key: str, number: int = 1) -> None:
        self[key] += number
