"""Bytes sent to a signed address: asked for with a key, sent without one, then confirmed with a key again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, ClassVar

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from extraction.intake.models import Blob, Bucket, Upload
from extraction.intake.schema import check_json
from mixcv.kernel import storage
from mixcv.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound, TooLarge
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace

SHORTEST, LONGEST = 60, 86_400
_CHUNK = 1 << 20


class UploadExpired(Forbidden):
    """The address was good for a time that is over."""

    code = "upload_expired"


class NothingSent(Conflict):
    """No bytes came to the signed address yet."""

    code = "nothing_sent"
    status: ClassVar[int] = 409


def create_upload(
    *,
    namespace: Namespace,
    kind: str,
    filename: str,
    by: Actor,
    content_type: str = "",
    params: dict[str, Any] | None = None,
    expires_in: int = 3600,
    bucket: Bucket | None = None,
) -> Upload:
    """Room for one file. `presigned_url` is where its bytes go. Raises InvalidInput for a time out of range."""
    if not SHORTEST <= expires_in <= LONGEST:
        raise InvalidInput(
            f"presigned_url_expiration is {expires_in}; it must be {SHORTEST} to {LONGEST:,} seconds.",
            field="presigned_url_expiration",
        )
    check_json(params or {}, field="metadata")
    return Upload.objects.create(
        namespace=namespace,
        kind=kind,
        filename=filename,
        content_type=content_type,
        params=params or {},
        bucket=bucket,
        actor=by.name,
        expires_at=timezone.now() + timedelta(seconds=expires_in),
    )


def presigned_url(request: HttpRequest, row: Upload) -> str:
    """The address to PUT the bytes to. Whoever has it may send them until it expires."""
    expires = int(row.expires_at.timestamp())
    return request.build_absolute_uri(
        f"/v1/uploads/{row.public_id}?expires={expires}&signature={_signature(row.public_id, expires)}"
    )


def signed_upload(*, ref: str, expires: str, signature: str) -> Upload:
    """The upload that a signed address names. Raises NotFound, Forbidden, UploadExpired, Conflict."""
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
        raise Forbidden("This address lacks its time of expiry. Use it as it was given.")
    if not constant_time_compare(signature, _signature(ref, int(expires))):
        raise Forbidden("This address is not signed by this server. Use it as it was given.")
    if int(expires) < timezone.now().timestamp():
        raise UploadExpired("This address was good for a time that is over. Ask for a new upload.")
    row = Upload.objects.filter(public_id=ref).select_related("namespace").first()
    if row is None:
        raise NotFound(f"There is no upload {ref[:100]!r} any more.", field="upload_id")
    if row.state == Upload.State.COMPLETED:
        raise Conflict("This upload is confirmed already. Ask for a new one.")
    return row


def receive(*, upload: Upload, stream: IO[bytes], length: int | None = None) -> Upload:
    """Keep the bytes of a signed address. Sent again before the confirmation, the latest stand.

    `length` is what the sender said beforehand. Raises TooLarge, InvalidInput for an empty or a broken-off body.
    """
    folder = Path(settings.MIXCV_CACHE) / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix="upload-")
    path = Path(name)
    try:
        size, sha256, md5 = _copy(stream, handle, most=most_bytes(upload.kind))
        if length is not None and size != length:
            raise InvalidInput(
                f"{size:,} bytes came of {length:,}: the connection broke off. Send the file again.",
                field="body",
            )
        blob = Blob(
            namespace=upload.namespace,
            sha256=sha256,
            size=size,
            mime_type=upload.content_type or "application/octet-stream",
        )
        storage.adopt(blob.storage_name, path)
    finally:
        path.unlink(missing_ok=True)
    with transaction.atomic():
        kept, _ = Blob.objects.get_or_create(
            namespace=upload.namespace,
            sha256=sha256,
            defaults={"size": size, "mime_type": blob.mime_type},
        )
        mine = Upload.objects.filter(pk=upload.pk).exclude(state=Upload.State.COMPLETED)
        if not mine.update(blob=kept, etag=md5, state=Upload.State.UPLOADED, error=""):
            raise Conflict("This upload was confirmed meanwhile. Ask for a new one.")
    upload.refresh_from_db()
    return upload


def most_bytes(kind: str) -> int:
    """How large a file of this kind may be."""
    return int(
        {
            Upload.Kind.OBJECT: settings.MIXCV_MAX_IMAGE_BYTES,
            Upload.Kind.PACKAGE: settings.MIXCV_MAX_PACKAGE_BYTES,
            Upload.Kind.MODEL: settings.MIXCV_MAX_MODEL_BYTES,
            Upload.Kind.TRUTH: settings.MIXCV_MAX_TRUTH_BYTES,
        }[Upload.Kind(kind)]
    )


def take_upload(
    *,
    namespace: Namespace,
    ref: str,
    kind: str,
    file_size_bytes: int | None = None,
    etag: str | None = None,
) -> Upload:
    """The upload to be confirmed, locked: call it in the transaction of what is made of it.

    Raises NotFound, NothingSent before its bytes came, Conflict where it was confirmed before, InvalidInput where size
    or etag (MD5) that the sender tells are not those of what came.
    """
    row = (
        Upload.objects.select_for_update(of=("self",))
        .filter(namespace=namespace, public_id=ref, kind=kind)
        .select_related("blob", "namespace", "bucket")
        .first()
    )
    if row is None:
        raise NotFound(f"There is no upload {ref[:100]!r} here.", field="upload_id")
    if row.state == Upload.State.COMPLETED:
        raise Conflict("This upload is confirmed already.")
    if row.blob is None:
        raise NothingSent("No bytes came to this upload's address yet. PUT the file there first.")
    if file_size_bytes is not None and file_size_bytes != row.blob.size:
        raise InvalidInput(
            f"file_size_bytes is {file_size_bytes:,}, but {row.blob.size:,} bytes came. Send the file again.",
            field="file_size_bytes",
        )
    if etag and etag.strip('"').lower() != row.etag:
        raise InvalidInput(
            f"etag is {etag[:100]!r}, but what came has {row.etag}. Send the file again.", field="etag"
        )
    return row


def finish_upload(row: Upload) -> None:
    """Mark an upload as confirmed; in the transaction of `take_upload`."""
    row.state, row.completed_at = Upload.State.COMPLETED, timezone.now()
    row.save(update_fields=["state", "completed_at", "object"])


def forget_old_uploads() -> int:
    """Delete uploads that expired a day ago without being confirmed."""
    old = Upload.objects.filter(expires_at__lt=timezone.now() - timedelta(days=1))
    gone, _ = old.exclude(state=Upload.State.COMPLETED).delete()
    return gone


def _signature(ref: str, expires: int) -> str:
    return salted_hmac("mixcv.upload", f"{ref}:{expires}", algorithm="sha256").hexdigest()


def _copy(stream: IO[bytes], handle: int, *, most: int) -> tuple[int, str, str]:
    """Size, SHA-256 and MD5 of what came. Raises TooLarge as soon as it is too much."""
    size, sha256, md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with os.fdopen(handle, "wb") as file:
        for part in _parts(stream):
            size += len(part)
            if size > most:
                raise TooLarge(f"The file has more than {most / 1e6:,.1f} MB, which is the most allowed.")
            sha256.update(part)
            md5.update(part)
            file.write(part)
    if not size:
        raise InvalidInput("The body is empty. Send the file's bytes as the body.", field="body")
    return size, sha256.hexdigest(), md5.hexdigest()


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    while part := stream.read(_CHUNK):
        yield part
