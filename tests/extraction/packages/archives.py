"""Archives for tests, made in memory as users and attackers would make them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping

from extraction.intake.models import Blob
from extraction.packages.files import keep_upload
from mixcv.tenancy.models import Namespace
from tests.extraction.packages import packages


def zip_of(files: Mapping[str, str | bytes], folder: str = "") -> bytes:
    """A zip of these files, in a folder as `zip -r` makes it, or at the root."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if folder:
            archive.writestr(f"{folder}/", "")
        for name, content in files.items():
            archive.writestr(f"{folder}/{name}" if folder else name, content)
    return out.getvalue()


def package_zip(
    pipeline: str = packages.FICKLE.replace("os.system(", "str("),
    manifest: str = packages.MANIFEST,
    folder: str = "trial",
    **files: str,
) -> bytes:
    more = {name.replace("__", "/") + ".py": text for name, text in files.items()}
    return zip_of({"manifest.py": manifest, "pipeline.py": pipeline, **more}, folder)


def tar_of(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def keep(namespace: Namespace, data: bytes, name: str = "package.zip") -> Blob:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return keep_upload(
        namespace=namespace, file=SimpleUploadedFile(name, data), most=2**30, mime="application/zip"
    )
