"""What requests say, read and checked: bodies of the API and files of forms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from extraction.intake.domain import Incoming
from extraction.intake.domain.incoming import decode_base64, name_of
from extraction.intake.images import check_size
from extraction.intake.models import Bucket
from extraction.intake.schema import check_metadata, metadata_fields
from mixcv.kernel.errors import DomainError, InvalidInput
from mixcv.kernel.faults import Faults

OBJECT_KEYS = ("blobs", "metadata", "key_prefix", "skip_duplicates", "idempotency_key")
BLOB_KEYS = ("property", "type", "data", "key_prefix", "metadata")
# Sent by clients, of no effect here.
TOLERATED = frozenset(
    {"canonicalize_source", "force_remirror", "edges", "checksum", "properties", "upload_id", "details"}
)
FORM_KEYS = ("metadata", "key_prefix", "property", "skip_duplicates", "idempotency_key")
MOST_OBJECTS = 1000
_GROUP_FILES, _GROUP_BYTES = 64, 128_000_000


class UnknownKey(InvalidInput):
    code = "extra_forbidden"


def json_object(data: Any) -> dict[str, Any]:
    """The body as an object; none at all is an empty one. Raises InvalidInput for a list, text or number."""
    if data is None or data == "" or data == b"":
        return {}
    if not isinstance(data, dict):
        raise InvalidInput("The body must be a JSON object.")
    return data


def only(
    body: Mapping[str, Any],
    allowed: Sequence[str],
    *,
    place: str = "",
    faults: Faults | None = None,
    tolerated: frozenset[str] = frozenset(),
) -> None:
    """Raises UnknownKey, or adds to `faults`, for each key that is not allowed, naming those that are."""
    mine = faults or Faults()
    for key in body:
        if key not in allowed and key not in tolerated:
            mine.add(
                UnknownKey(
                    f"{str(key)[:100]!r} is no key here. Allowed: {', '.join(allowed)}.",
                    field=f"{place}{str(key)[:100]}",
                )
            )
    if faults is None:
        mine.tell()


def flag(value: Any, field: str) -> bool:
    """true or false, as JSON or as a form's text."""
    if isinstance(value, bool):
        return value
    words = {
        "true": True,
        "1": True,
        "on": True,
        "yes": True,
        "false": False,
        "0": False,
        "off": False,
        "": False,
    }
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise InvalidInput(f"{field} must be true or false.", field=field)


def object_body(
    body: Mapping[str, Any], bucket: Bucket, *, place: str = "", needs_image: bool = True
) -> Incoming:
    """One object of the API. The bucket's own fields may stand at the root beside `metadata`.

    Raises InvalidInput that lists every fault with its place.
    """
    faults = Faults()
    fields = metadata_fields(bucket.schema)
    only(body, [*OBJECT_KEYS, *fields], place=place, faults=faults, tolerated=TOLERATED)
    metadata = body.get("metadata", {})
    if not isinstance(metadata, Mapping):
        faults.add(InvalidInput("metadata must be an object.", field=f"{place}metadata"))
        metadata = {}
    merged = {name: body[name] for name in fields if name in body and name not in OBJECT_KEYS} | dict(
        metadata
    )
    idempotency = ""
    with faults.of():
        idempotency = idempotency_key(body.get("idempotency_key"), f"{place}idempotency_key")
    image = _blobs(body.get("blobs"), fields, merged, place, faults, needs_image=needs_image)
    prefix = ""
    with faults.of():
        given = image[1].get("key_prefix") if image else None
        prefix = _prefix(body.get("key_prefix") if given is None else given, f"{place}key_prefix")
    incoming = Incoming(metadata=merged)
    if image:
        name, blob, where = image
        with faults.of():
            incoming = _from_data(
                blob.get("data"), prefix=prefix, name=name, metadata=merged, field=f"{where}.data"
            )
    with faults.of():
        check_metadata(merged, bucket.schema)
    faults.tell()
    return replace(incoming, idempotency_key=idempotency)


def _blobs(
    blobs: Any,
    fields: Mapping[str, Any],
    merged: dict[str, Any],
    place: str,
    faults: Faults,
    *,
    needs_image: bool,
) -> tuple[str, Mapping[str, Any], str] | None:
    """The one image among the blobs, with its property and place; values of other fields go into `merged`."""
    if blobs is None and not needs_image:
        return None
    if not isinstance(blobs, list) or not blobs:
        faults.add(
            InvalidInput(
                "blobs must be a list with one image: [{property, type, data}].", field=f"{place}blobs"
            )
        )
        return None
    images = []
    for number, blob in enumerate(blobs):
        where = f"{place}blobs.{number}"
        if not isinstance(blob, Mapping):
            faults.add(InvalidInput("A blob is an object {property, type, data}.", field=where))
            return None
        only(blob, BLOB_KEYS, place=f"{where}.", faults=faults, tolerated=TOLERATED)
        name, kind = blob.get("property", "image"), blob.get("type", "image")
        if not isinstance(name, str) or not name:
            faults.add(InvalidInput("property must be text.", field=f"{where}.property"))
        elif kind == "image":
            images.append((name, blob, where))
        elif isinstance(kind, str) and name in fields:
            merged[name] = blob.get("data")
        else:
            faults.add(
                InvalidInput(
                    f"The type {str(kind)[:50]!r} is not taken here; allowed: image.", field=f"{where}.type"
                )
            )
            return None
    if len(images) != 1 and not faults.found:
        faults.add(
            InvalidInput(f"An object has one image; this one has {len(images)}.", field=f"{place}blobs")
        )
    return images[0] if images else None


def _from_data(data: Any, *, prefix: str, name: str, metadata: dict[str, Any], field: str) -> Incoming:
    """`data` is an address, `{"url": …}`, a data address or base64."""
    if isinstance(data, Mapping):
        only(data, ("url", "base64", "filename"), place=f"{field}.")
        filename = data.get("filename", "")
        if not isinstance(filename, str):
            raise InvalidInput("filename must be text.", field=f"{field}.filename")
        given = data.get("url", data.get("base64"))
        if not isinstance(given, str) or not given.strip():
            raise InvalidInput('data must be {"url": "https://…"}.', field=field)
        is_url = "url" in data
    elif isinstance(data, str) and data.strip():
        given, filename = data, ""
        scheme = given[:20].partition(":")[0].strip().lower()
        is_url = "://" in given[:20] or scheme == "data"
    else:
        raise InvalidInput('data must be an address, {"url": …}, a data: address or base64.', field=field)
    given = given.strip()
    if is_url:
        key = filename or (name_of(given, "") if not given.lower().startswith("data:") else "")
        return Incoming(_joined(prefix, key), url=given, metadata=metadata, property=name)
    return Incoming(
        _joined(prefix, filename or "image"), data=decode_base64(given), metadata=metadata, property=name
    )


def form_fields(form: Mapping[str, Any]) -> tuple[dict[str, Any], str, str, bool]:
    """metadata, prefix, property and skip_duplicates of a multipart body. Raises InvalidInput."""
    only(form, FORM_KEYS)
    try:
        metadata = json.loads(form.get("metadata") or "{}")
    except (ValueError, RecursionError):
        raise InvalidInput("metadata must be a JSON object as text.", field="metadata") from None
    if not isinstance(metadata, dict):
        raise InvalidInput("metadata must be a JSON object.", field="metadata")
    prefix = _prefix(form.get("key_prefix"), "key_prefix")
    return (
        metadata,
        prefix,
        str(form.get("property") or "image"),
        flag(form.get("skip_duplicates", ""), "skip_duplicates"),
    )


def from_file(
    file: UploadedFile[Any],
    *,
    metadata: Mapping[str, Any],
    prefix: str = "",
    name: str = "",
    property_name: str = "image",
    idempotency_key: str = "",
) -> Incoming | DomainError:
    """An uploaded file, or why it is not even read."""
    try:
        check_size(file.size or 0)
    except DomainError as error:
        return error
    key = _joined(prefix, name or file.name or "image")
    return Incoming(
        key,
        data=file.read(),
        content_type=file.content_type or "",
        metadata=metadata,
        property=property_name,
        idempotency_key=idempotency_key,
    )


def in_groups(files: Sequence[UploadedFile[Any]], order: Sequence[int]) -> Iterator[list[int]]:
    """The places of files in groups that fit into memory together, in this order."""
    group: list[int] = []
    size = 0
    for place in order:
        own = files[place].size or 0
        if group and (len(group) >= _GROUP_FILES or size + own > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(place)
        size += own
    if group:
        yield group


def idempotency_key(value: Any, field: str = "idempotency_key") -> str:
    """What the sender calls an object, or nothing. Raises InvalidInput."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 255 or not value.isprintable():
        raise InvalidInput("idempotency_key is text of at most 255 printable characters.", field=field)
    return value


def _prefix(value: Any, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 400:
        raise InvalidInput("key_prefix must be text of at most 400 characters.", field=field)
    return value.strip("/")


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix and name else name
