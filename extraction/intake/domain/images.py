"""From bytes to image rows: each content once per namespace, however many people send it at the same time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from extraction.intake.images import Upright, verify
from extraction.intake.models import Blob, Image
from mixcv.kernel import storage
from mixcv.tenancy.models import Namespace

HOLDOUT_SHARE = 0.2


@dataclass(frozen=True)
class Verified:
    """A picture that decodes, with the bytes as they came. `group` decides the holdout where it is not empty."""

    data: bytes
    sha256: str
    upright: Upright
    group: str = ""
    split: str = ""

    @property
    def working_sha256(self) -> str:
        return (
            self.sha256 if self.upright.data is self.data else hashlib.sha256(self.upright.data).hexdigest()
        )


def prepare(data: bytes, *, declared: str = "", group: str = "") -> Verified:
    """Decode and hash; touches no row, so that several can run side by side. Raises what `images.verify` does."""
    return Verified(data, hashlib.sha256(data).hexdigest(), verify(data, declared), group[:200])


def split_of(sha256: str, group: str) -> Image.Split:
    """Holdout for about 20 % of contents, or of groups where near-duplicates are to stay together."""
    digest = hashlib.sha256((f"group:{group}" if group else sha256).encode())
    share = int.from_bytes(digest.digest()[:8]) / 2**64
    return Image.Split.HOLDOUT if share < HOLDOUT_SHARE else Image.Split.TRAIN


def keep_images(*, namespace: Namespace, pictures: Iterable[Verified]) -> dict[str, Image]:
    """Store bytes, blobs and images that are not there yet; every picture's image by the hash of its original.

    Bytes go to the store before their rows, so that no committed row lacks them.
    """
    by_hash = {picture.sha256: picture for picture in pictures}
    known = _images(namespace, by_hash)
    news = {sha: picture for sha, picture in by_hash.items() if sha not in known}
    if not news:
        return known
    blobs: dict[str, Blob] = {}
    for picture in news.values():
        for sha, data, mime in (
            (picture.sha256, picture.data, picture.upright.original_mime),
            (picture.working_sha256, picture.upright.data, picture.upright.mime),
        ):
            blob = Blob(namespace=namespace, sha256=sha, size=len(data), mime_type=mime)
            storage.write(blob.storage_name, data)
            blobs[sha] = blob
    with transaction.atomic():
        # In order of their hashes: two writers of the same ones wait for each other instead of locking up.
        Blob.objects.bulk_create(
            [blobs[sha] for sha in sorted(blobs)], ignore_conflicts=True, batch_size=1000
        )
        stored = {
            blob.sha256: blob for blob in Blob.objects.filter(namespace=namespace, sha256__in=list(blobs))
        }
        Image.objects.bulk_create(
            [
                Image(
                    namespace=namespace,
                    sha256=sha,
                    original=stored[sha],
                    working=stored[news[sha].working_sha256],
                    width=news[sha].upright.width,
                    height=news[sha].upright.height,
                    group_key=news[sha].group,
                    split=news[sha].split or split_of(sha, news[sha].group),
                )
                for sha in sorted(news)
            ],
            ignore_conflicts=True,
            batch_size=1000,
        )
    return known | _images(namespace, news)


def store_image(*, namespace: Namespace, data: bytes, declared: str = "", group: str = "") -> Image:
    """One image, verified and kept. Raises what `images.verify` does."""
    picture = prepare(data, declared=declared, group=group)
    return keep_images(namespace=namespace, pictures=[picture])[picture.sha256]


def _images(namespace: Namespace, hashes: Iterable[str]) -> dict[str, Image]:
    rows = Image.objects.filter(namespace=namespace, sha256__in=list(hashes)).select_related(
        "original", "working"
    )
    return {image.sha256: image for image in rows}
