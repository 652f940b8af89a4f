"""The registry of models: weights by name and version, which extractors load."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mixcv.client.archives import tar_of
from mixcv.client.errors import ApiError
from mixcv.client.extractors import accepted
from mixcv.client.manager import Manager, given, part, wait_for
from mixcv.client.rows import Page, Row


class Models(Manager):
    """`model_id` is the name with the version: yolo-detector_2_0_0."""

    def upload(
        self,
        weights: str | Path,
        *,
        name: str,
        version: str,
        model_format: str = "pytorch",
        task_type: str | None = None,
        framework: str | None = None,
        description: str | None = None,
        **more: Any,
    ) -> Row:
        """Send weights: a folder, a .tar.gz, or one file (.pt, .onnx, .safetensors). The confirmation, with
        `model_id`. Raises ApiError where the server finds that they are none."""
        path = Path(weights)
        if not path.exists():
            raise ApiError(f"There is no {path}.", code="no_file")
        with tempfile.TemporaryDirectory() as folder:
            archive = tar_of(path, Path(folder) / f"{path.name}.tar.gz") if path.is_dir() else path
            size = archive.stat().st_size
            upload = self._create(
                "models/uploads",
                given(
                    name=name,
                    version=version,
                    model_format=model_format,
                    task_type=task_type,
                    framework=framework,
                    description=description,
                    file_size_bytes=size,
                    file_name=archive.name,
                    **more,
                ),
            )
            etag = self._transport.put_file(
                upload.presigned_url, archive, content_type="application/octet-stream"
            )
        path_of = f"models/uploads/{part(upload.upload_id)}/confirm"
        return accepted(self._create(path_of, given(etag=etag or None, file_size_bytes=size)), str(path))

    def deploy(self, model_id: str) -> Row:
        """Ask a worker to unpack the model where extractors load it; `wait` for it afterwards."""
        return self._row("POST", f"models/{part(model_id)}/deploy", repeatable=True)

    def wait(self, model_id: str, *, timeout: float = 300, every: float = 1) -> Row:
        """The model once it is deployed. Raises ApiError with the reason where it failed, and after `timeout`."""
        row = wait_for(
            lambda: self.get(model_id),
            lambda row: row.deployment_status != "pending",
            what=f"The deployment of {model_id}",
            timeout=timeout,
            every=every,
        )
        if row.deployment_status != "deployed":
            reason = (row.get("deployment_info") or {}).get("error") or row.deployment_status
            raise ApiError(f"{model_id} is not deployed: {reason}", code="failed", details=row.to_dict())
        return row

    def get(self, model_id: str) -> Row:
        return Row(self._row("GET", f"models/{part(model_id)}")["model"])

    def delete(self, model_id: str) -> Row:
        """Delete a model that no version in use needs."""
        return self._row("DELETE", f"models/{part(model_id)}")

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("models/list", asked, limit=limit, key="models")

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("models/list", asked, key="models")
