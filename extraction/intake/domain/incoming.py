"""What somebody sends, checked before anything is stored."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from django.conf import settings

from extraction.intake import s3
from extraction.intake.domain.images import Verified, prepare
from extraction.intake.images import FileTooLarge
from extraction.intake.models import Bucket
from extraction.intake.schema import check_json, check_metadata, image_fields
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.http import check_url

_EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/tiff": ".tif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
}


class Unsupported(InvalidInput):
    code = "unsupported"


class BadData(InvalidInput):
    code = "bad_data"


@dataclass(frozen=True)
class Incoming:
    """One thing to put into a bucket: bytes, or the address of them (http, https, s3, data)."""

    name: str = ""
    data: bytes | None = None
    url: str = ""
    content_type: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    property: str = "image"
    # `train` or `holdout` where the sender knows; empty: content or group decides.
    split: str = ""
    # What the sender calls it: a second one of the same name in the bucket adds nothing.
    idempotency_key: str = ""


@dataclass(frozen=True)
class Checked:
    """What is ready to be stored: a verified picture, or an address to fetch from."""

    key: str
    property: str
    metadata: dict[str, Any]
    picture: Verified | None
    url: str = ""
    idempotency_key: str = ""
    unique_value: str = ""


def check(incoming: Incoming, bucket: Bucket) -> Checked:
    """Validate one item; decodes its image. Touches no row. Raises a DomainError naming the field."""
    metadata = check_metadata(incoming.metadata, bucket.schema)
    images = image_fields(bucket.schema)
    if images and incoming.property not in images:
        raise InvalidInput(
            f"This bucket has no image property {str(incoming.property)[:100]!r}; it has {', '.join(images)}.",
            field="property",
        )
    if len(incoming.property) > 100:
        raise InvalidInput("property has more than 100 characters.", field="property")
    data, declared, url = incoming.data, incoming.content_type, incoming.url.strip()
    if data is None and url.lower().startswith("data:"):
        data, declared = decode_data_uri(url)
        url = ""
    if data is None:
        if not url:
            raise InvalidInput("There is neither data nor a url.", field="data")
        if url.lower().startswith("gs://"):
            raise Unsupported(
                "gs:// addresses are not read. Send an s3, http or https address, or the bytes.",
                field="data",
            )
        if url.lower().startswith("s3://"):
            s3.check_address(url, field="data")
        else:
            check_url(url, field="data")
    key = check_key(incoming.name or name_of(url, declared))
    picture = None if data is None else prepare(data, declared=declared, group=group_of(metadata, bucket))
    if picture and incoming.split:
        picture = replace(picture, split=incoming.split)
    return Checked(
        key,
        incoming.property,
        metadata,
        picture,
        url if picture is None else "",
        incoming.idempotency_key,
        unique_value(metadata, bucket),
    )


def unique_value(metadata: Mapping[str, Any], bucket: Bucket) -> str:
    """What tells this object from the bucket's others, hashed; empty without a `unique_key`. Raises InvalidInput."""
    if not bucket.unique_key:
        return ""
    if missing := [name for name in bucket.unique_key if metadata.get(name) is None]:
        raise InvalidInput(
            f"metadata lacks {', '.join(missing)}, which together name an object of this bucket.",
            field=f"metadata.{missing[0]}",
        )
    packed = json.dumps([metadata[name] for name in bucket.unique_key], sort_keys=True)
    return hashlib.sha256(packed.encode()).hexdigest()


def check_key(key: str) -> str:
    """An object's key: a name or a relative path. Raises InvalidInput."""
    key = key.strip().replace("\\", "/").lstrip("/")
    if not key or len(key) > 500:
        raise InvalidInput("A name has 1 to 500 characters.", field="name")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in key):
        raise InvalidInput("The name has control characters.", field="name")
    check_json(key, field="name")
    return key


def name_of(url: str, declared: str) -> str:
    """The last part of an address, or `image.jpg` where it has none."""
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError:
        name = ""
    name = "".join(sign for sign in name if sign.isprintable())[:500]
    return name or f"image{_EXTENSIONS.get(declared.split(';')[0].strip().lower(), '')}"


def group_of(metadata: Mapping[str, Any], bucket: Bucket) -> str:
    """What keeps near-duplicates on one side of the holdout, or nothing."""
    value = metadata.get(bucket.split_key) if bucket.split_key else None
    return "" if value is None else str(value)


def decode_data_uri(uri: str) -> tuple[bytes, str]:
    """The bytes and content type of a `data:` address. Raises BadData, FileTooLarge."""
    head, comma, body = uri[5:].partition(",")
    if not comma:
        raise BadData(
            "A data address looks like data:image/jpeg;base64,… and this one has no comma.", field="data"
        )
    kind, *options = [part.strip() for part in head.split(";")]
    if options and options[-1].lower() == "base64":
        return decode_base64(unquote(body) if "%" in body else body), kind
    return unquote_to_bytes(body), kind


def decode_base64(text: str) -> bytes:
    """Raises BadData, FileTooLarge."""
    if len(text) * 3 // 4 > settings.MIXCV_MAX_IMAGE_BYTES + 3:
        raise FileTooLarge(
            f"The file is larger than {settings.MIXCV_MAX_IMAGE_BYTES / 1e6:,.1f} MB, which is the most allowed.",
            field="data",
        )
    packed = "".join(text.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadData(
            "The data is neither an http, https or data address nor valid base64.", field="data"
        ) from None
