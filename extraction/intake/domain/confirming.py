"""From an upload's bytes to an object."""

from __future__ import annotations

from django.db import transaction

from extraction.intake.domain.incoming import Incoming
from extraction.intake.domain.objects import add_objects
from extraction.intake.domain.plan import Outcome
from extraction.intake.models import Bucket, Upload
from extraction.intake.presigned import finish_upload, take_upload
from mixcv.kernel import storage
from mixcv.kernel.errors import NotFound
from mixcv.tenancy.actors import Actor


def confirm_object(
    *,
    bucket: Bucket,
    ref: str,
    by: Actor,
    file_size_bytes: int | None = None,
    etag: str | None = None,
    policy: str = "",
) -> Outcome | None:
    """Make the object of an upload whose bytes came; None where it was made without one.

    Raises what `take_upload` and `add_objects` do; the upload then stays open, so that other bytes can be sent.
    """
    with transaction.atomic():
        upload = take_upload(
            namespace=bucket.namespace,
            ref=ref,
            kind=Upload.Kind.OBJECT,
            file_size_bytes=file_size_bytes,
            etag=etag,
        )
        if upload.bucket_id != bucket.pk:
            raise NotFound(f"There is no upload {ref[:100]!r} of {bucket.name}.", field="upload_id")
        assert upload.blob is not None
        outcome = None
        if upload.params.get("create_object", True):
            incoming = Incoming(
                name=upload.filename,
                data=storage.read(upload.blob.storage_name),
                content_type=upload.content_type,
                metadata=upload.params.get("object_metadata") or {},
                property=upload.params.get("property", "image"),
            )
            outcome = add_objects(
                bucket=bucket,
                incoming=[incoming],
                by=by,
                skip_duplicates=upload.params.get("skip_duplicates", True),
                policy=policy,
            )[0]
            if outcome.error:
                raise outcome.error
            upload.object = outcome.object
        finish_upload(upload)
    return outcome


def delete_upload(*, upload: Upload) -> None:
    """Forget an upload. Its bytes stay where an object has the same."""
    upload.delete()
