"""Extractors: packages of code, sent, checked, deployed, one version beside another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mixcv.client.archives import manifest_in, named_in, zip_of
from mixcv.client.errors import ApiError
from mixcv.client.manager import Manager, given, part, wait_for
from mixcv.client.rows import Page, Row


class Extractors(Manager):
    """`plugin_id` is the name with the version: yolo_detector_1_0_0."""

    def upload(self, package: str | Path, *, description: str | None = None) -> Row:
        """Send a package, a folder with manifest.py or a zip of one; the confirmation, with `plugin_id`.

        Name and version are the manifest's. Raises ApiError, with `validation_errors` where the server finds faults.
        """
        path = Path(package)
        name, version = named_in(manifest_in(path))
        with tempfile.TemporaryDirectory() as folder:
            archive = zip_of(path, Path(folder) / "package.zip") if path.is_dir() else path
            size = archive.stat().st_size
            upload = self.create_upload(
                name=name,
                version=version,
                description=description,
                file_size_bytes=size,
            )
            etag = self._transport.put_file(upload.presigned_url, archive, content_type="application/zip")
        confirmed = self.confirm_upload(upload.upload_id, etag=etag or None, file_size_bytes=size)
        return accepted(confirmed, str(path))

    def create_upload(self, *, name: str, version: str, **more: Any) -> Row:
        """Ask for a signed address, which is `presigned_url`."""
        return self._create("plugins/uploads", given(name=name, version=version, **more))

    def confirm_upload(self, upload_id: str, **more: Any) -> Row:
        """The zip is there: have it looked over and made the version."""
        return self._create(f"plugins/uploads/{part(upload_id)}/confirm", given(**more))

    def deploy(self, plugin_id: str, *, deployment_type: str = "batch_only") -> Row:
        """Ask a worker to start the version; `wait` for it afterwards."""
        return self._row(
            "POST",
            f"plugins/{part(plugin_id)}/deploy",
            params={"deployment_type": deployment_type},
            repeatable=True,
        )

    def status(self, plugin_id: str) -> Row:
        return self._row("GET", f"plugins/{part(plugin_id)}/status")

    def wait(self, plugin_id: str, *, timeout: float = 300, every: float = 1) -> Row:
        """The status once it is deployed. Raises ApiError with the reason where it failed, and after `timeout`."""
        row = wait_for(
            lambda: self.status(plugin_id),
            lambda row: row.status not in {"QUEUED", "PENDING", "IN_PROGRESS"},
            what=f"The deployment of {plugin_id}",
            timeout=timeout,
            every=every,
        )
        if row.status != "DEPLOYED":
            reason = row.get("error") or row.get("message")
            raise ApiError(f"{plugin_id} is not deployed: {reason}", code="failed", details=row.to_dict())
        return row

    def next_version(
        self, plugin_id: str, *, model_id: str, version: str | None = None, deploy: bool = True
    ) -> Row:
        """The same code with newer weights of the registry, as the next version."""
        body = given(model_id=model_id, version=version, deploy=deploy)
        return Row(self._create(f"plugins/{part(plugin_id)}/versions", body)["plugin"])

    def production(self, name: str) -> Row:
        """Which version of an extractor is in production, and what was before."""
        return self._row("GET", f"extractors/{part(name)}/production")

    def gate(self, name: str, version: str) -> Row:
        """Whether a version may go into production, check by check."""
        return self._row("GET", f"extractors/{part(name)}/gate", params={"version": version})

    def promote(
        self, name: str, version: str, *, reason: str | None = None, override: bool | None = None
    ) -> Row:
        """Put a version into production. Raises ApiError where the gate refuses it, unless an admin overrides."""
        body = given(version=version, reason=reason, override=override)
        return self._row("POST", f"extractors/{part(name)}/production", json=body, repeatable=True)

    def roll_back(self, name: str, *, reason: str | None = None) -> Row:
        """Put the version that was in production before there again."""
        return self._row("POST", f"extractors/{part(name)}/production/rollback", json=given(reason=reason))

    def undeploy(self, plugin_id: str) -> Row:
        return self._row("POST", f"plugins/{part(plugin_id)}/undeploy", repeatable=True)

    def get(self, plugin_id: str) -> Row:
        return Row(self._row("GET", f"plugins/{part(plugin_id)}")["plugin"])

    def delete(self, plugin_id: str) -> Row:
        return self._row("DELETE", f"plugins/{part(plugin_id)}")

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        """All versions of all extractors, newest first."""
        return self._list("plugins/list", asked, limit=limit, key="plugins")

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("plugins/list", asked, key="plugins")

    def available(self, *, limit: int | None = None, **asked: Any) -> Page:
        """What a collection's feature_extractor may name: `source` is builtin or custom."""
        return self._list("extractors/list", asked, limit=limit, key="extractors")


def accepted(confirmed: Row, what: str) -> Row:
    """The confirmation, unless it says that the bytes are not what they should be: that raises ApiError."""
    if confirmed.get("success") and confirmed.get("validation_status") != "failed":
        return confirmed
    raise ApiError(
        f"{what} was refused: {confirmed.get('message')}",
        status=422,
        code="invalid_package",
        details=confirmed.to_dict(),
    )
