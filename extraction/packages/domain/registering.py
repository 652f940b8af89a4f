"""New versions: of a built-in package's code with weights, or of an uploaded package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from extraction.intake.models import Blob
from extraction.packages.builtin import builtin_packages
from extraction.packages.checking import check_archive
from extraction.packages.files import keep_file
from extraction.packages.manifest import Fault, normal_version, read_manifest
from extraction.packages.models import Extractor, ExtractorVersion
from mixcv.kernel import storage
from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import slug
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.models import Namespace


class InvalidPackage(InvalidInput):
    """The package cannot be taken; `faults` says all that is wrong with it."""

    code = "invalid_package"

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = [str(fault) for fault in faults]
        number = len(faults)
        super().__init__(
            f"The package has {number} fault{'' if number == 1 else 's'}: {'; '.join(self.faults[:5])}"
            + (" …" if number > 5 else "."),
            details={"faults": self.faults},
        )


def register_version(
    *,
    namespace: Namespace,
    extractor: str,
    version: str,
    package: str = "yolo",
    weights_name: str = "",
    weights_path: Path | None = None,
    parameters: dict[str, Any] | None = None,
    description: str = "",
    by: Actor = SYSTEM,
) -> ExtractorVersion:
    """A new version of an extractor from a built-in package's code and weights. It is not deployed yet.

    `weights_path` is read now and kept by hash; with `weights_name` alone the file is looked for when the version is
    deployed. Raises InvalidInput for a version that is not `1.2.3` or an unknown package, AlreadyExists where the
    extractor has this version.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise InvalidInput(f"A version is three numbers such as 1.0.0; this is {version!r}.", field="version")
    check_package_name(extractor, version)
    folder = builtin_packages().get(package)
    if folder is None:
        raise InvalidInput(
            f"No built-in package {package!r}: {', '.join(builtin_packages())}.", field="package"
        )
    fields = {
        "package": package,
        "manifest": read_manifest(folder / "manifest.py"),
        "weights": keep_file(namespace=namespace, path=weights_path) if weights_path else None,
        "weights_name": weights_name or (weights_path.name if weights_path else ""),
        "parameters": parameters or {},
    }
    return create_version(namespace, extractor, version, fields, description=description, by=by)


def register_package(
    *,
    namespace: Namespace,
    archive: Blob,
    name: str = "",
    version: str = "",
    description: str = "",
    by: Actor = SYSTEM,
) -> ExtractorVersion:
    """A new version from an uploaded package (a zip kept as `archive`). It is not deployed yet.

    `name` and `version`, where given, must be the manifest's. Raises InvalidPackage with every fault of the package,
    AlreadyExists where the extractor has this version.
    """
    checked = check_archive(storage.local_path(archive.storage_name))
    manifest = checked.manifest
    faults = [*checked.faults]
    if manifest:
        faults += _differing("feature_extractor_name", manifest["feature_extractor_name"], name)
        faults += _differing("version", manifest["version"], normal_version(version) if version else "")
    if faults:
        raise InvalidPackage(faults)
    fields = {"archive": archive, "manifest": manifest, "models_named": checked.models}
    return create_version(
        namespace,
        manifest["feature_extractor_name"],
        manifest["version"],
        fields,
        description=description or manifest.get("description", ""),
        by=by,
    )


def _differing(key: str, said: str, wanted: str) -> list[Fault]:
    if not wanted or said == wanted:
        return []
    return [
        Fault("manifest.py", 0, f"{key} is {said!r}, but the upload says {wanted!r}; the two must be equal")
    ]


def check_package_name(name: str, version: str) -> tuple[str, str]:
    """Name and version as they are kept. Raises InvalidInput."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{1,63}", name):
        raise InvalidInput(
            "An extractor's name starts with a letter and has 2 to 64 letters, digits, _ or -.", field="name"
        )
    return name, normal_version(version)


def check_new(namespace: Namespace, extractor: str, version: str) -> None:
    """Raises AlreadyExists where a version of this name or id is there already."""
    public_id = version_id(extractor, version)
    rows = ExtractorVersion.objects.filter(extractor__namespace=namespace, public_id=public_id)
    found = rows.select_related("extractor").first()
    if found is None:
        return
    if found.extractor.name == extractor:
        raise AlreadyExists(
            f"{extractor} has a version {version} already; a version never changes.", field="version"
        )
    raise AlreadyExists(f"{found} has the id {public_id} already. Choose another name.", field="name")


def version_id(extractor: str, version: str) -> str:
    return slug(f"{extractor}_{version}".replace(".", "_"))


def create_version(
    namespace: Namespace,
    extractor: str,
    version: str,
    fields: dict[str, Any],
    *,
    description: str,
    by: Actor,
) -> ExtractorVersion:
    """The rows of a new version and its event; the extractor's too where this is its first."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two of one name or id at once queue up here: the id has no key of its own.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('versions', %s))", [namespace.pk])
        parent, _ = Extractor.objects.get_or_create(
            namespace=namespace, name=extractor, defaults={"description": description}
        )
        check_new(namespace, extractor, version)
        row = ExtractorVersion.objects.create(
            extractor=parent, version=version, public_id=version_id(extractor, version), **fields
        )
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("extractor_version.registered", row.public_id, {"version": version})],
        )
    return row
