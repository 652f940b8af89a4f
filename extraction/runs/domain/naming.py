"""Readable ids of documents and detections: `doc_frame_001`, `doc_frame_001_det_0`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from mixcv.kernel.ids import slug

_DETECTION = re.compile(r"^(?P<document>.+)_det_(?P<ordinal>\d{1,9})$")
_LONGEST = 180


def wanted_slug(key: str) -> str:
    """The slug that a document of the object `key` would like: its file name without ending."""
    return slug(PurePosixPath(key).stem)[:_LONGEST]


def choose_slugs(objects: Iterable[tuple[str, str]], taken: set[str]) -> list[str]:
    """A slug for each (key, object's public id), none of them in `taken` or twice.

    A second one of a name gets a short suffix from its object's id, and so does a name that ends like a detection's id.
    """
    used = set(taken)
    chosen = []
    for key, object_ref in objects:
        name = wanted_slug(key)
        if name in used or _DETECTION.match(name):
            random_part = object_ref.rpartition("_")[2]
            name = next(
                candidate
                for length in range(4, len(random_part) + 1)
                if (candidate := f"{name}_{random_part[-length:]}") not in used
            )
        used.add(name)
        chosen.append(name)
    return chosen


def document_ref(document_slug: str) -> str:
    return f"doc_{document_slug}"


def detection_ref(document_slug: str, ordinal: int) -> str:
    return f"doc_{document_slug}_det_{ordinal}"


def parse_ref(ref: str) -> tuple[str, int | None]:
    """The slug of the document, and the detection's ordinal where `ref` names one; `doc_` may be left out."""
    name = ref.removeprefix("doc_")
    if match := _DETECTION.match(name):
        return match["document"], int(match["ordinal"])
    return name, None
