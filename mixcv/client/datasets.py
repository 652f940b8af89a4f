"""Datasets: what to train on, frozen as versions, and their exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row


class Datasets(Manager):
    def create(
        self,
        name: str,
        *,
        feature_extractor_name: str,
        policy: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Row:
        """Make a dataset for an extractor's classes. `policy`: buckets, accept_above, background_share,
        validation_share, seed, only_included; what is left out is as usual."""
        body = given(dataset_name=name, feature_extractor_name=feature_extractor_name, policy=policy)
        return self._create("datasets", body, key=idempotency_key)

    def get(self, dataset_id: str) -> Row:
        return self._row("GET", _path(dataset_id))

    def update(self, dataset_id: str, *, policy: dict[str, Any]) -> Row:
        """Change some of the policy; versions that are there stay as they are."""
        return self._row("PATCH", _path(dataset_id), json={"policy": policy})

    def delete(self, dataset_id: str) -> Row:
        """Delete a dataset that has no version."""
        return self._row("DELETE", _path(dataset_id))

    def plan(self, dataset_id: str) -> Row:
        """What a version built now would take, and what it would leave out and why."""
        return self._row("GET", f"{_path(dataset_id)}/plan")

    def include(
        self,
        dataset_id: str,
        *,
        document_ids: Sequence[str] | None = None,
        collection_id: str | None = None,
        object_ids: Sequence[str] | None = None,
        kind: str | None = None,
    ) -> Row:
        """Ask for images one by one; `kind` is add or hard_negative."""
        body = _named(document_ids, collection_id, object_ids, kind)
        return self._row("POST", f"{_path(dataset_id)}/includes", json=body, repeatable=True)

    def exclude(
        self,
        dataset_id: str,
        *,
        document_ids: Sequence[str] | None = None,
        collection_id: str | None = None,
        object_ids: Sequence[str] | None = None,
    ) -> Row:
        """Take back what was asked for one by one."""
        body = _named(document_ids, collection_id, object_ids)
        return self._row("POST", f"{_path(dataset_id)}/includes/remove", json=body, repeatable=True)

    def build(self, dataset_id: str, *, idempotency_key: str | None = None) -> Row:
        """Freeze the dataset as it is now; the version, with its number as `version`."""
        return self._create(f"{_path(dataset_id)}/versions", {}, key=idempotency_key)

    def version(self, dataset_id: str, number: int) -> Row:
        return self._row("GET", f"{_path(dataset_id)}/versions/{number}")

    def versions(self, dataset_id: str, *, limit: int | None = None, **asked: Any) -> Page:
        """Its versions, the latest first."""
        return self._list(f"{_path(dataset_id)}/versions/list", given(**asked), limit=limit)

    def delete_version(self, dataset_id: str, number: int) -> Row:
        return self._row("DELETE", f"{_path(dataset_id)}/versions/{number}")

    def export(self, dataset_id: str, number: int, target: str | Path, *, format: str = "yolo") -> Path:
        """The version as a zip in the file `target`: `yolo`, in the layout of ultralytics, or `coco`."""
        path = Path(target)
        self._transport.get_file(
            f"{_path(dataset_id)}/versions/{number}/export", path, params={"format": format}
        )
        return path

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("datasets/list", given(**asked), limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("datasets/list", given(**asked))


def _path(dataset_id: str) -> str:
    return f"datasets/{part(dataset_id)}"


def _named(
    document_ids: Sequence[str] | None,
    collection_id: str | None,
    object_ids: Sequence[str] | None,
    kind: str | None = None,
) -> dict[str, Any]:
    return given(
        document_ids=[*document_ids] if document_ids is not None else None,
        collection_id=collection_id,
        object_ids=[*object_ids] if object_ids is not None else None,
        kind=kind,
    )
