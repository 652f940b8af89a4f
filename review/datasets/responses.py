"""An export as the answer of a page or of the API."""

from __future__ import annotations

from django.http import StreamingHttpResponse

from review.datasets.export import entries_of, stream_zip
from review.datasets.models import DatasetVersion


def zip_response(version: DatasetVersion, format: str) -> StreamingHttpResponse:
    """The version's zip, streamed. Raises InvalidInput for a format that there is not."""
    name = f"{version.dataset.public_id.encode('ascii', 'ignore').decode()}_{version.number}_{format}.zip"
    return StreamingHttpResponse(
        stream_zip(entries_of(version, format)),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Manifest-SHA256": version.manifest_sha256,
        },
    )
