"""From a zip or a folder to an import under way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from extraction.imports.domain.running import end_import, run_import
from extraction.imports.formats import FORMATS, NoTruth
from extraction.imports.models import TruthImport
from extraction.intake.models import Blob, Bucket, Upload
from extraction.intake.presigned import finish_upload, take_upload
from extraction.packages.archives import Bounds, list_zip
from extraction.packages.files import keep_upload
from mixcv.celery import app
from mixcv.kernel import storage
from mixcv.kernel.errors import InvalidInput, NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.holding import lost
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor

KIND = "truth_import"
TASK = "extraction.imports.run"


def bounds() -> Bounds:
    """How much a zip of pictures and labels may hold."""
    return Bounds(files=settings.MIXCV_MAX_TRUTH_FILES, unpacked=settings.MIXCV_MAX_TRUTH_UNPACKED)


def start_import(
    *, bucket: Bucket, name: str, by: Actor, archive: Blob | None = None, format: str = "auto"
) -> TruthImport:
    """An import that waits for a worker, or (without an archive) for the command that reads the folder itself.

    Raises InvalidInput for a format that is none.
    """
    if format not in ("auto", *FORMATS):
        raise InvalidInput(
            f"There is no format {format[:40]!r}; there are auto, {', '.join(FORMATS)}.", field="format"
        )
    with transaction.atomic():
        row = TruthImport(bucket=bucket, name=name[:500], archive=archive, format=format, actor=by.name)
        row.job = Job.objects.create(namespace_id=bucket.namespace_id, kind=KIND, subject=row.public_id)
        row.save()
        publish(
            namespace_id=bucket.namespace_id,
            actor=by.name,
            happenings=[
                Happening(
                    "truth_import.created",
                    row.public_id,
                    {"import_id": row.public_id, "bucket_id": bucket.public_id, "name": row.name},
                )
            ],
        )
        if archive is not None:
            # Where the broker is away, the sweep finds it later.
            send = partial(app.send_task, TASK, args=[row.pk], queue="cpu")
            transaction.on_commit(send, robust=True)
    return row


def import_zip(*, bucket: Bucket, file: UploadedFile[Any], by: Actor, format: str = "auto") -> TruthImport:
    """Take a zip that is sent at once. Raises TooLarge, ArchiveRefused, InvalidInput."""
    blob = keep_upload(
        namespace=bucket.namespace, file=file, most=settings.MIXCV_MAX_TRUTH_BYTES, mime="application/zip"
    )
    list_zip(storage.local_path(blob.storage_name), bounds())
    return start_import(bucket=bucket, name=file.name or "upload.zip", archive=blob, format=format, by=by)


def import_upload(*, bucket: Bucket, ref: str, by: Actor, format: str = "auto") -> TruthImport:
    """Take a zip that was sent to a signed address. Raises what `take_upload` does, ArchiveRefused, InvalidInput."""
    with transaction.atomic():
        upload = take_upload(namespace=bucket.namespace, ref=ref, kind=Upload.Kind.TRUTH)
        if upload.bucket_id != bucket.pk:
            raise NotFound(f"There is no upload {ref[:100]!r} of {bucket.name}.", field="upload_id")
        assert upload.blob is not None
        list_zip(storage.local_path(upload.blob.storage_name), bounds())
        row = start_import(bucket=bucket, name=upload.filename, archive=upload.blob, format=format, by=by)
        finish_upload(upload)
    return row


def import_truth(
    *,
    bucket: Bucket,
    source: Path,
    by: Actor,
    format: str = "auto",
    show: Callable[[int, int], None] = lambda done, total: None,
) -> TruthImport:
    """Import a folder or a zip of this machine, here and now; ended without success it raises DomainError.

    `show` is told how many pictures of how many are done. Killed and called again it doubles nothing.
    """
    if not source.exists():
        raise NoTruth(f"There is no {source}.")
    row = start_import(bucket=bucket, name=source.name, format=format, by=by)
    try:
        run_import(key=row.pk, source=source, bounds=bounds(), show=show)
    except KeyboardInterrupt:
        end_import(row, Job.State.CANCELED, "")
        raise
    row.refresh_from_db()
    row.job.refresh_from_db()
    if row.job.state == Job.State.FAILED:
        raise NoTruth(row.job.error)
    return row


def lost_imports() -> list[int]:
    """Imports whose worker went away or whose message was lost. Those of a command that ended are ended, too."""
    rows = TruthImport.objects.filter(lost())
    left = []
    for row in rows.select_related("job", "bucket"):
        if row.archive_id is not None:
            left.append(row.pk)
        else:
            message = (
                "The command that read the folder ended before it was done. Run it again: nothing is doubled."
            )
            end_import(row, Job.State.FAILED, message, unless_held=True)
    return left
