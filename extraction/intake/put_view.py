"""Where the bytes of presigned uploads arrive. The address's signature stands in for a key."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from extraction.intake.presigned import most_bytes, receive, signed_upload
from mixcv.kernel.api import error_response
from mixcv.kernel.errors import DomainError, TooLarge


@csrf_exempt
def put_bytes(request: HttpRequest, upload_id: str) -> HttpResponse:
    """PUT: keep the body. 200 with its `ETag` (MD5, as object stores give it), no body."""
    if request.method != "PUT":
        answer: HttpResponse = error_response(
            WrongMethod(f"PUT the file's bytes here, not {request.method}.")
        )
        answer["Allow"] = "PUT"
        return answer
    try:
        row = signed_upload(
            ref=upload_id,
            expires=request.GET.get("expires", ""),
            signature=request.GET.get("signature", ""),
        )
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > most_bytes(row.kind):
            raise TooLarge(f"The file has more than {most_bytes(row.kind) / 1e6:,.1f} MB, the most allowed.")
        said = int(length) if length.isdigit() and "CONTENT_LENGTH" in request.META else None
        row = receive(upload=row, stream=request, length=said)  # type: ignore[arg-type]  # a request reads like a file
    except DomainError as error:
        return error_response(error)
    return HttpResponse(status=200, headers={"ETag": f'"{row.etag}"'})


class WrongMethod(DomainError):
    code = "method_not_allowed"
    status = 405
