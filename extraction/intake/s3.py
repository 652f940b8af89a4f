"""Images named by `s3://bucket/key`, read with the server's own credentials and endpoint (`AWS_*`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.http import Answer, AnswerTooLarge, BadAnswer, BadUrl, NoAnswer

_WORDS = {
    "NoSuchKey": "there is no such object",
    "404": "there is no such object",
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "the server's credentials may not read it",
    "403": "the server's credentials may not read it",
}


def check_address(url: str, *, field: str = "url") -> tuple[str, str]:
    """Bucket and key of an address. Raises BadUrl; InvalidInput where MIXCV_S3_BUCKETS does not list the bucket."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    # A key may have ? and #, which an address of the web would end at.
    bucket, key = parts.netloc, unquote(url[len("s3://") + len(parts.netloc) + 1 :])
    if not bucket or not key or len(url) > 2000 or "@" in bucket or any(ord(sign) < 32 for sign in url):
        raise BadUrl(f"{url[:200]!r} is no address of an object. Write it as s3://bucket/key.", field=field)
    allowed = settings.MIXCV_S3_BUCKETS
    if allowed and bucket not in allowed:
        raise InvalidInput(
            f"This server does not read from the bucket {bucket!r}. Allowed: {', '.join(allowed)}.",
            field=field,
        )
    return bucket, key


def read(url: str, *, max_bytes: int, seconds: float) -> Answer:
    """The bytes of an object. Raises BadUrl, NoAnswer, BadAnswer, AnswerTooLarge, in words for a person."""
    from botocore.exceptions import BotoCoreError, ClientError  # takes a second: not in the web process

    bucket, key = check_address(url)
    try:
        found = _client(seconds).get_object(Bucket=bucket, Key=key)
        too_large = AnswerTooLarge(
            f"{url} has more than {max_bytes / 1e6:,.1f} MB, which is the most allowed.", field="url"
        )
        if found["ContentLength"] > max_bytes:
            raise too_large
        with found["Body"] as body:
            content = body.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise too_large
        return Answer(200, content, found.get("ContentType", ""), url)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise BadAnswer(
            f"{url} cannot be read: {_WORDS.get(code, code or 'refused')}.", field="url"
        ) from None
    except (BotoCoreError, OSError) as error:
        raise NoAnswer(f"{url} cannot be read: {error}", field="url") from None


@lru_cache(maxsize=2)
def _client(seconds: float) -> Any:
    """One client for the process; botocore's are safe to share between threads."""
    import boto3  # takes a second: not in the web process
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=seconds,
        retries={"max_attempts": 2},
        s3={"addressing_style": "path"} if settings.MIXCV_S3_PATH_STYLE else {},
    )
    return boto3.client("s3", endpoint_url=settings.MIXCV_S3_ENDPOINT or None, config=config)
