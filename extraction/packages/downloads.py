"""Archives by a signed address that expires: whoever has it may fetch the bytes, without a key."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import FileResponse, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import urlencode
from django.utils.text import get_valid_filename

from extraction.intake.models import Blob
from extraction.intake.put_view import WrongMethod
from extraction.packages.models import ExtractorVersion, RegistryModel
from mixcv.kernel import storage
from mixcv.kernel.api import error_response
from mixcv.kernel.errors import DomainError, Forbidden, NotFound

GOOD_FOR = timedelta(hours=1)


class DownloadExpired(Forbidden):
    """The address was good for a time that is over."""

    code = "download_expired"


def file_name(row: ExtractorVersion | RegistryModel) -> str:
    """What the archive is called where it is kept."""
    if isinstance(row, RegistryModel):
        return get_valid_filename(row.file_name or row.public_id)
    return f"{row.public_id}.zip"


def download_url(request: HttpRequest, blob: Blob, name: str) -> tuple[str, datetime]:
    """The address to GET a blob's bytes from, and when it ends."""
    ends = timezone.now().replace(microsecond=0) + GOOD_FOR
    expires = int(ends.timestamp())
    query = urlencode({"expires": str(expires), "signature": _signature(blob.pk, name, expires)})
    return request.build_absolute_uri(f"/archives/{blob.pk}/{name}?{query}"), ends


def get_bytes(request: HttpRequest, blob_id: int, name: str) -> HttpResponseBase:
    """GET: the bytes, in pieces. The signature stands in for a key."""
    try:
        if request.method not in {"GET", "HEAD"}:
            raise WrongMethod(f"GET the file here, not {request.method}.")
        blob = _signed(blob_id, name, request.GET.get("expires", ""), request.GET.get("signature", ""))
        file = storage.open_blob(blob.storage_name)
    except DomainError as error:
        return error_response(error)
    answer = FileResponse(file, as_attachment=True, filename=name, content_type="application/octet-stream")
    answer["Content-Length"] = str(blob.size)
    answer["Cache-Control"] = "private, no-store"
    return answer


def _signed(blob_id: int, name: str, expires: str, signature: str) -> Blob:
    """Raises Forbidden, DownloadExpired, NotFound."""
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
        raise Forbidden("This address lacks its time of expiry. Use it as it was given.")
    if not constant_time_compare(signature, _signature(blob_id, name, int(expires))):
        raise Forbidden("This address is not signed by this server. Use it as it was given.")
    if int(expires) < timezone.now().timestamp():
        raise DownloadExpired("This address was good for a time that is over. Ask for a new one.")
    blob = Blob.objects.filter(pk=blob_id).first()
    if blob is None:
        raise NotFound("This file is not here any more.")
    return blob


def _signature(blob_id: int, name: str, expires: int) -> str:
    return salted_hmac("mixcv.download", f"{blob_id}:{name}:{expires}", algorithm="sha256").hexdigest()
