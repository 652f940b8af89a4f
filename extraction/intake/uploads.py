"""Many files of one request, taken in group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from extraction.intake.bodies import from_file, in_groups
from extraction.intake.domain import Incoming, Outcome, add_objects
from extraction.intake.models import Bucket
from mixcv.kernel.errors import DomainError
from mixcv.tenancy.actors import Actor


def add_files(
    *,
    bucket: Bucket,
    files: Sequence[UploadedFile[Any]],
    by: Actor,
    names: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    prefix: str = "",
    property_name: str = "image",
    skip_duplicates: bool = False,
) -> list[Outcome]:
    """One outcome per file, in order. `names` are relative paths where the browser knows them."""
    paths = list(names) if len(names) == len(files) else [file.name or "image" for file in files]
    outcomes: list[Outcome] = []
    for group in in_groups(files):
        read = [
            from_file(
                file,
                metadata=metadata or {},
                prefix=prefix,
                name=paths[len(outcomes) + place],
                property_name=property_name,
            )
            for place, file in enumerate(group)
        ]
        done = iter(
            add_objects(
                bucket=bucket,
                incoming=[item for item in read if isinstance(item, Incoming)],
                by=by,
                skip_duplicates=skip_duplicates,
            )
        )
        start = len(outcomes)
        outcomes += [
            next(done) if isinstance(item, Incoming) else _refused(paths[start + place], item)
            for place, item in enumerate(read)
        ]
    return outcomes


def _refused(name: str, error: DomainError) -> Outcome:
    return Outcome(name, "error", error=error)
