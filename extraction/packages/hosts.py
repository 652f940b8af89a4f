"""Which host serves a version: its spec from rows and settings, and this process's pool of warm hosts."""

from __future__ import annotations

import threading
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from extraction.packages.builtin import builtin_packages
from extraction.packages.files import named_file, package_folder
from extraction.packages.host.client import Host
from extraction.packages.host.pool import HostPool
from extraction.packages.host.spec import HostInfo, HostSpec, parameters_json
from extraction.packages.models import ExtractorVersion, ModelUse, RegistryModel
from extraction.packages.registry_files import lay_out_models, models_folder
from mixcv.celery import app
from mixcv.kernel.errors import Conflict, NotFound

_lock = threading.Lock()
FORGET = "mixcv_forget_hosts"


class EmbedderChanged(Conflict):
    """The embedder is not the one with which the version's vectors were made."""

    code = "embedder_changed"


@cache
def _pool() -> HostPool:
    return HostPool(settings.MIXCV_MAX_HOSTS)


def pool() -> HostPool:
    """The hosts that this process keeps warm."""
    with _lock:
        return _pool()


def forget_hosts(version_id: int) -> None:
    """Close a version's hosts in this process and in every worker, each of which has hosts of its own."""
    pool().close_labelled(str(version_id))
    app.control.broadcast(FORGET, arguments={"version_id": version_id})


def effective_parameters(version: ExtractorVersion, overrides: dict[str, Any]) -> dict[str, Any]:
    """What the package is started with: the settings, then the version's fixed ones, then the collection's."""
    defaults = {"threshold": settings.MIXCV_THRESHOLD, "image_size": settings.MIXCV_IMAGE_SIZE}
    return {**defaults, **version.parameters, **overrides}


def spec_of(version: ExtractorVersion, overrides: dict[str, Any] | None = None) -> HostSpec:
    """How to start a host for `version`. Raises NotFound where its built-in package is gone, BlobMissing."""
    weights = named_file(version.weights, version.weights_name or "weights.pt") if version.weights else None
    wanted = dict(overrides or {})
    device = wanted.pop("device", settings.MIXCV_DEVICE)
    return HostSpec(
        package_dir=_package(version),
        weights_dir=settings.MIXCV_WEIGHTS,
        work_dir=settings.MIXCV_HOME / "hosts",
        weights=weights,
        # A version's vectors stay in the space that its first deployment chose, whatever the setting says later.
        embedder=version.runtime.get("embedder_setting") or settings.MIXCV_EMBEDDER,
        parameters=parameters_json(effective_parameters(version, wanted)),
        device=None if device == "auto" else device,
        models_dir=models_folder(version.extractor.namespace_id),
        model_overrides=parameters_json(version.model_overrides),
        label=str(version.pk),
        memory_limit_mb=settings.MIXCV_HOST_MEMORY_MB,
    )


def _package(version: ExtractorVersion) -> Path:
    if version.archive is not None:
        return package_folder(version.archive)
    folder = builtin_packages().get(version.package)
    if folder is None:
        raise NotFound(f"There is no built-in package {version.package!r}.")
    return folder


def warm_host(version: ExtractorVersion, overrides: dict[str, Any] | None = None) -> Host:
    """A running host of a deployed version. Raises HostError, EmbedderChanged."""
    namespace_id = version.extractor.namespace_id
    host = pool().get(spec_of(version, overrides), prepare=lambda: lay_out_models(namespace_id))
    check_embedder(version, host.info)
    if host.models:
        note_models(version, host.models)
    return host


def note_models(version: ExtractorVersion, models: Collection[str]) -> None:
    """Remember that the version needs these models of the registry, by id."""
    known = set(version.model_uses.values_list("model__public_id", flat=True))
    if new := set(models) - known:
        rows = RegistryModel.objects.filter(namespace_id=version.extractor.namespace_id, public_id__in=new)
        uses = [ModelUse(extractor_version=version, model=row) for row in rows]
        ModelUse.objects.bulk_create(uses, ignore_conflicts=True)


def check_embedder(version: ExtractorVersion, info: HostInfo) -> None:
    """Raises EmbedderChanged where the version has vectors of another space than this host writes."""
    known = version.runtime.get("embedder")
    if known and known != info.embedder:
        raise EmbedderChanged(
            f"{version} writes vectors of {known['id']} {known['version']}; this installation has "
            f"{info.embedder['id']} {info.embedder['version']} with other weights, and vectors of the two do not "
            "compare. Register a new version for the new embedder."
        )
