"""A call that is repeated with the same `Idempotency-Key` happens once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from mixcv.kernel.errors import Conflict, DomainError, InvalidInput
from mixcv.kernel.models import IdempotentCall

KEPT_FOR = timedelta(hours=24)


class KeyUsedOtherwise(DomainError):
    """The key came before with another body or for another call."""

    code = "idempotency_key_reused"
    status: ClassVar[int] = 422


def once(request: Request, call: Callable[[], Response], *, where: str = "") -> Response:
    """The answer of `call`, or of the first call with this caller's key. `where` is the namespace that it is about.

    The call and the record of it are one transaction: what failed left nothing behind and may be tried again, and a
    second call at the same time waits for the first. Raises KeyUsedOtherwise, InvalidInput for a key that is none.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return call()
    if not 0 < len(key) <= 255 or not key.isprintable():
        raise InvalidInput("Idempotency-Key has 1 to 255 printable characters.", field="Idempotency-Key")
    caller = str(getattr(request.auth, "pk", ""))
    wanted = _fingerprint(request, where)
    with transaction.atomic():
        row, first = IdempotentCall.objects.get_or_create(
            caller=caller, key=key, defaults={"fingerprint": wanted}
        )
        if not first:
            return _replay(row, wanted)
        answer = call()
        row.status = answer.status_code
        row.answer = JSONRenderer().render(answer.data).decode()
        row.save(update_fields=["status", "answer"])
    return answer


def _replay(row: IdempotentCall, wanted: str) -> Response:
    if row.fingerprint != wanted:
        raise KeyUsedOtherwise(
            f"The Idempotency-Key {row.key!r} was used for another call or another body. Take a new one.",
            field="Idempotency-Key",
        )
    if not row.status:
        raise Conflict("The first call with this Idempotency-Key is not over yet. Try again in a moment.")
    return Response(json.loads(row.answer), status=row.status, headers={"Idempotency-Replayed": "true"})


def _fingerprint(request: Request, where: str) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()} {where}\n".encode())
    if (request.content_type or "").startswith("multipart/"):
        form: Any = request.data
        for name in sorted(form):
            for value in form.getlist(name):
                digest.update(f"{name}\n".encode())
                for part in _parts(value):
                    digest.update(part)
    else:
        digest.update(json.dumps(request.data, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _parts(value: Any) -> Any:
    if isinstance(value, UploadedFile):
        yield from value.chunks()
        value.seek(0)
    else:
        yield str(value).encode()


def forget_old_calls() -> int:
    """Delete the records that nobody repeats any more."""
    gone, _ = IdempotentCall.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    return gone
