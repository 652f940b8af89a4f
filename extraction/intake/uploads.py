"""Many files of one request, taken in group by group."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import connection

from extraction.intake.bodies import from_file, in_groups
from extraction.intake.domain import Incoming, Outcome
from extraction.intake.domain.objects import Kept, add_kept, keep_incoming
from extraction.intake.models import Bucket
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
    policy: str = "",
    idempotency_key: str = "",
) -> list[Outcome]:
    """One outcome per file, in order. `names` are relative paths where the browser knows them.

    Files are read group by group, so that many of them never lie in memory together; objects are made at the end.
    """
    paths = list(names) if len(names) == len(files) else [file.name or "image" for file in files]
    outcomes: dict[int, Outcome] = {}
    places: list[int] = []
    kept: list[Kept] = []
    for group in in_groups(files, _order(files)):
        good: list[Incoming] = []
        for place in group:
            item = from_file(
                files[place],
                metadata=metadata or {},
                prefix=prefix,
                name=paths[place],
                property_name=property_name,
                idempotency_key=idempotency_key,
            )
            if isinstance(item, Incoming):
                good.append(item)
                places.append(place)
            else:
                outcomes[place] = Outcome(paths[place], "error", error=item)
        kept.append(keep_incoming(bucket=bucket, incoming=good))
    done = add_kept(bucket=bucket, kept=kept, by=by, skip_duplicates=skip_duplicates, policy=policy)
    outcomes |= dict(zip(places, done, strict=True))
    return [outcomes[place] for place in range(len(files))]


def _order(files: Sequence[UploadedFile[Any]]) -> list[int]:
    """The files' places: as they came, or by their content where all groups are one transaction. Two such calls then
    come to the same images in the same order and do not lock each other up."""
    if not connection.in_atomic_block:
        return list(range(len(files)))
    return sorted(range(len(files)), key=lambda place: _hash(files[place]))


def _hash(file: UploadedFile[Any]) -> str:
    digest = hashlib.sha256()
    for part in file.chunks():
        digest.update(part)
    file.seek(0)
    return digest.hexdigest()
