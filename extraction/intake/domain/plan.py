"""What becomes of items on their way into a bucket: new objects, changed ones, and those that were there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from extraction.intake.domain.incoming import Checked
from extraction.intake.models import Bucket, Image, Object
from mixcv.kernel.errors import AlreadyExists, DomainError, NotFound

Policy = Bucket.Policy


@dataclass(frozen=True)
class Outcome:
    """What became of one item, in the order in which the items came. A duplicate names the object that was there."""

    name: str
    status: Literal["created", "updated", "duplicate", "error"]
    object: Object | None = None
    error: DomainError | None = None


@dataclass(frozen=True)
class Change:
    """An object that was there, as it is now."""

    row: Object
    image_changed: bool = False
    old_bytes: int = 0


def taken(bucket: Bucket, row: Object) -> AlreadyExists:
    values = ", ".join(f"{name}={row.metadata.get(name)!r}" for name in bucket.unique_key)
    return AlreadyExists(
        f"{bucket.name} has the object {row.public_id} of {values} already.", field="metadata"
    )


class Plan:
    """Decides item by item; the bucket's row is locked, so what it sees stays."""

    def __init__(self, bucket: Bucket, images: dict[str, Image], skip_duplicates: bool, policy: str) -> None:
        self.news: list[Object] = []
        self.changes: list[Change] = []
        self._bucket = bucket
        self._images = images
        self._skip = skip_duplicates
        self._policy = policy
        self._by_image: dict[int, Object] = {}
        self._by_key: dict[str, Object] = {}
        self._by_value: dict[str, Object] = {}

    def make(self, names: Sequence[str], checked: Sequence[Checked | DomainError]) -> list[Outcome]:
        self._look([item for item in checked if isinstance(item, Checked)])
        return [self._one(name, result) for name, result in zip(names, checked, strict=True)]

    def _look(self, items: Sequence[Checked]) -> None:
        """What the bucket has of these items, in at most three queries."""
        rows = Object.objects.filter(bucket=self._bucket).select_related("image__original").order_by("-id")
        if self._skip:
            found = rows.filter(image__in=[image.pk for image in self._images.values()])
            self._by_image = {row.image_id: row for row in found if row.image_id}
        if keys := {item.idempotency_key for item in items if item.idempotency_key}:
            self._by_key = {row.idempotency_key: row for row in rows.filter(idempotency_key__in=keys)}
        if values := {item.unique_value for item in items if item.unique_value}:
            self._by_value = {row.unique_value: row for row in rows.filter(unique_value__in=values)}

    def _one(self, name: str, result: Checked | DomainError) -> Outcome:
        if isinstance(result, DomainError):
            return Outcome(name, "error", error=result)
        image = self._images[result.picture.sha256] if result.picture else None
        if known := self._by_key.get(result.idempotency_key):
            return Outcome(result.key, "duplicate", known)
        if result.unique_value:
            twin = self._by_value.get(result.unique_value)
            if twin is not None and self._policy == Policy.INSERT:
                return Outcome(result.key, "error", error=taken(self._bucket, twin))
            if twin is None and self._policy == Policy.UPDATE:
                missing = NotFound("The bucket has no object of these values to update.", field="metadata")
                return Outcome(result.key, "error", error=missing)
            if twin is not None:
                return self._change(twin, result, image)
        if self._skip and image and (known := self._by_image.get(image.pk)):
            return Outcome(result.key, "duplicate", known)
        return self._add(result, image)

    def _add(self, result: Checked, image: Image | None) -> Outcome:
        row = Object(
            bucket=self._bucket,
            key=result.key,
            property=result.property,
            metadata=result.metadata,
            source_url=result.url,
            image=image,
            state=Object.State.READY if image else Object.State.PENDING,
            idempotency_key=result.idempotency_key,
            unique_value=result.unique_value,
        )
        self.news.append(row)
        if image:
            self._by_image[image.pk] = row
        if row.idempotency_key:
            self._by_key[row.idempotency_key] = row
        if row.unique_value:
            self._by_value[row.unique_value] = row
        return Outcome(result.key, "created", row)

    def _change(self, row: Object, result: Checked, image: Image | None) -> Outcome:
        if row._state.adding:  # came earlier in this call
            row.metadata, row.key, row.image, row.source_url = result.metadata, result.key, image, result.url
            row.state = Object.State.READY if image else Object.State.PENDING
            return Outcome(result.key, "updated", row)
        old = row.image
        same = image is not None and old is not None and image.pk == old.pk
        row.key, row.property, row.metadata = result.key, result.property, result.metadata
        if image is None:
            # The picture that is there stays until the new one is fetched.
            row.source_url, row.error, row.state = result.url, "", Object.State.PENDING
        elif not same:
            row.image, row.source_url, row.error, row.state = image, "", "", Object.State.READY
        self.changes = [change for change in self.changes if change.row.pk != row.pk]
        changed = image is not None and not same
        size = old.original.size if old and changed else 0
        self.changes.append(Change(row, image_changed=changed, old_bytes=size))
        return Outcome(result.key, "updated", row)
