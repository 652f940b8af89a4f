"""From bytes that were sent to a version or a model: by a signed address and a confirmation, or at once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from extraction.intake.models import Upload
from extraction.intake.presigned import create_upload, finish_upload, take_upload
from extraction.packages.domain.registering import check_new, check_package_name, register_package
from extraction.packages.domain.registry import check_model_name, register_model
from extraction.packages.files import keep_upload
from extraction.packages.models import ExtractorVersion, RegistryModel
from extraction.packages.registry_files import named_by_content
from mixcv.kernel import storage
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace


def ask_for_package(
    *,
    namespace: Namespace,
    name: str,
    version: str,
    description: str = "",
    expires_in: int = 3600,
    by: Actor,
) -> Upload:
    """Room for a package's zip. Raises InvalidInput, AlreadyExists before anything is sent."""
    name, version = check_package_name(name, version)
    check_new(namespace, name, version)
    params = {"name": name, "version": version, "description": description}
    return create_upload(
        namespace=namespace,
        kind=Upload.Kind.PACKAGE,
        filename=f"{name}-{version}.zip",
        content_type="application/zip",
        params=params,
        expires_in=expires_in,
        by=by,
    )


def confirm_package(
    *,
    namespace: Namespace,
    ref: str,
    file_size_bytes: int | None = None,
    etag: str | None = None,
    by: Actor,
) -> ExtractorVersion:
    """The version of a package that was sent. Raises InvalidPackage, after which better bytes may be sent."""
    with transaction.atomic():
        upload = take_upload(
            namespace=namespace,
            ref=ref,
            kind=Upload.Kind.PACKAGE,
            file_size_bytes=file_size_bytes,
            etag=etag,
        )
        assert upload.blob is not None
        version = register_package(namespace=namespace, archive=upload.blob, by=by, **upload.params)
        finish_upload(upload)
    return version


def add_package(
    *,
    namespace: Namespace,
    file: UploadedFile[Any],
    name: str = "",
    version: str = "",
    by: Actor,
    **more: str,
) -> ExtractorVersion:
    """The version of a package that is sent at once. Raises TooLarge, InvalidPackage, AlreadyExists."""
    if name or version:
        name, version = check_package_name(name, version)
    blob = keep_upload(
        namespace=namespace, file=file, most=settings.MIXCV_MAX_PACKAGE_BYTES, mime="application/zip"
    )
    return register_package(namespace=namespace, archive=blob, name=name, version=version, by=by, **more)


def ask_for_model(
    *,
    namespace: Namespace,
    name: str,
    version: str,
    file_name: str = "",
    expires_in: int = 3600,
    by: Actor,
    **params: Any,
) -> Upload:
    """Room for a model's bytes. Raises InvalidInput, AlreadyExists, RegistryFull before anything is sent."""
    name, version = check_model_name(namespace, name, version)
    return create_upload(
        namespace=namespace,
        kind=Upload.Kind.MODEL,
        filename=file_name or f"{name}-{version}",
        content_type="application/gzip",
        params={"name": name, "version": version, **params},
        expires_in=expires_in,
        by=by,
    )


def confirm_model(
    *,
    namespace: Namespace,
    ref: str,
    file_size_bytes: int | None = None,
    etag: str | None = None,
    by: Actor,
) -> RegistryModel:
    """The model whose bytes were sent. Raises InvalidInput where they are none, after which better ones may be."""
    with transaction.atomic():
        upload = take_upload(
            namespace=namespace,
            ref=ref,
            kind=Upload.Kind.MODEL,
            file_size_bytes=file_size_bytes,
            etag=etag,
        )
        assert upload.blob is not None
        path = storage.local_path(upload.blob.storage_name)
        model = register_model(
            namespace=namespace,
            archive=upload.blob,
            file_name=named_by_content(path, upload.filename),
            by=by,
            **upload.params,
        )
        finish_upload(upload)
    return model


def add_model(
    *, namespace: Namespace, file: UploadedFile[Any], name: str, version: str, by: Actor, **params: Any
) -> RegistryModel:
    """The model whose bytes are sent at once. Raises TooLarge, InvalidInput, AlreadyExists, RegistryFull."""
    name, version = check_model_name(namespace, name, version)
    blob = keep_upload(
        namespace=namespace, file=file, most=settings.MIXCV_MAX_MODEL_BYTES, mime="application/octet-stream"
    )
    return register_model(
        namespace=namespace,
        archive=blob,
        name=name,
        version=version,
        file_name=str(file.name or ""),
        by=by,
        **params,
    )
