"""Bringing a version up: a worker starts its host and records what that says of itself."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from extraction.classes.domain import ensure_classes
from extraction.packages.builtin.weights import resolve_weights
from extraction.packages.domain.errors import NotDeployable
from extraction.packages.domain.versions import set_production
from extraction.packages.files import keep_file
from extraction.packages.host.spec import HostInfo
from extraction.packages.hosts import forget_hosts, warm_host
from extraction.packages.manifest import normal_metric
from extraction.packages.models import (
    ClassIndex,
    Deployment,
    Extractor,
    ExtractorVersion,
    Feature,
    RegistryModel,
    VectorSpace,
)
from extraction.packages.requirements import compare
from mixcv.celery import app
from mixcv.kernel.errors import Conflict, DomainError
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.leases import renewed
from mixcv.tenancy.actors import SYSTEM, Actor

log = logging.getLogger(__name__)
CROP_EMBEDDING = "crop_embedding"


class ClassesDiffer(Conflict):
    """The weights order classes otherwise than the extractor's earlier versions; indices are never moved."""

    code = "classes_differ"


class DependenciesMissing(Conflict):
    """Something that the package depends on is not installed on this server."""

    code = "dependencies_missing"


def deploy(*, version: ExtractorVersion, by: Actor = SYSTEM) -> Deployment:
    """Ask a GPU worker to bring the version up. Raises NotDeployable while it is being deployed or after it retired."""
    allowed = [ExtractorVersion.State.REGISTERED, ExtractorVersion.State.FAILED, ExtractorVersion.State.READY]
    with transaction.atomic():
        mine = ExtractorVersion.objects.filter(pk=version.pk, state__in=allowed).update(
            state=ExtractorVersion.State.DEPLOYING, error=""
        )
        if not mine:
            version.refresh_from_db()
            raise NotDeployable(
                f"{version} is {version.state}; it can be deployed when registered, ready or failed."
            )
        deployment = Deployment.objects.create(extractor_version=version, actor=by.name)
        # Where the broker is away, the sweep finds it later.
        send = partial(app.send_task, "extraction.deploy_version", args=[deployment.pk], queue="gpu")
        transaction.on_commit(send, robust=True)
    return deployment


def bring_up(*, deployment: Deployment) -> None:
    """Start a host for the deployment's version, read what it says of itself, and record it; the worker's part.

    One worker at a time: the lease is renewed while it works, and a killed one's deployment is taken up by another.
    """
    version = deployment.extractor_version
    if version.state != ExtractorVersion.State.DEPLOYING or not _hold(deployment.pk):
        return
    with renewed(lambda: _renew(deployment.pk), every=settings.MIXCV_LEASE_SECONDS / 4):
        _bring_up(deployment, version)


def _hold(key: int) -> bool:
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    return bool(Deployment.objects.filter(free, pk=key, finished_at=None).update(lease_until=_lease()))


def _renew(key: int) -> None:
    Deployment.objects.filter(pk=key, finished_at=None).update(lease_until=_lease())


def _lease() -> datetime:
    return timezone.now() + timedelta(seconds=settings.MIXCV_LEASE_SECONDS)


def lost_deployments() -> list[int]:
    """Deployments whose worker went away, or whose message was lost."""
    before = timezone.now() - timedelta(seconds=settings.MIXCV_LEASE_SECONDS)
    lost = Q(lease_until__lt=timezone.now()) | Q(lease_until=None, started_at__lt=before)
    rows = Deployment.objects.filter(
        lost, finished_at=None, extractor_version__state=ExtractorVersion.State.DEPLOYING
    )
    return list(rows.values_list("pk", flat=True))


def _bring_up(deployment: Deployment, version: ExtractorVersion) -> None:
    try:
        warnings = _compared(version)
        if version.weights is None and version.weights_name:
            found = resolve_weights(version.weights_name, settings.MIXCV_WEIGHTS, allow_download=True)
            version.weights = keep_file(namespace=version.extractor.namespace, path=found)
            version.save(update_fields=["weights"])
        _record(deployment, version, warm_host(version).info, warnings)
    except DomainError as error:
        _finish(deployment, version, ExtractorVersion.State.FAILED, error.message)
    except (
        Exception
    ) as error:  # the worker's boundary: whatever it was, the version must not stay half deployed
        log.exception("The deployment of %s broke", version)
        _finish(deployment, version, ExtractorVersion.State.FAILED, f"The deployment broke: {error}"[:2000])


def _compared(version: ExtractorVersion) -> list[str]:
    """Warnings of dependencies that are here in another version. Raises DependenciesMissing."""
    found = compare(version.manifest.get("dependencies", []))
    if found.missing:
        raise DependenciesMissing(
            f"The package needs {', '.join(found.missing)}, which is not installed on this server. "
            "Install it beside mixcv and deploy again, or leave it out of dependencies."
        )
    if found.other and settings.MIXCV_STRICT_DEPENDENCIES:
        raise DependenciesMissing(" ".join(found.other) + " MIXCV_STRICT_DEPENDENCIES refuses that.")
    return found.other


def _wishes(version: ExtractorVersion, device: str) -> list[str]:
    """What the package, or a model that it loads, wished of the machine and does not get."""
    if device.startswith(("cuda", "mps")):
        return []
    wished = []
    profile = version.manifest.get("compute_profile") or {}
    if profile.get("resource_type") == "gpu" or profile.get("num_gpus"):
        wished.append("The package wishes for a GPU; this server has none for it, and it runs on the CPU.")
    loaded = RegistryModel.objects.filter(uses__extractor_version=version).order_by("public_id")
    names = [row.public_id for row in loaded if row.resources.get("num_gpus")]
    if names:
        wished.append(f"The model {', '.join(names)} wishes for a GPU; it runs on the CPU.")
    return wished


def _class_names(info: HostInfo) -> list[str]:
    """The weights' class names in order of their indices. Raises ClassesDiffer where two are the same."""
    names = [info.class_names[index].strip() for index in sorted(info.class_names)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ClassesDiffer(f"The weights name a class twice: {', '.join(twice[:5])}. Names must differ.")
    return names


def _record(deployment: Deployment, version: ExtractorVersion, info: HostInfo, warnings: list[str]) -> None:
    names = _class_names(info)
    with transaction.atomic():
        _index_classes(version.extractor, names)
        _make_features(version, info)
        version.class_names = names
        version.runtime = {
            "device": info.device,
            "libraries": info.libraries,
            "embedder": info.embedder,
            "embedder_setting": version.runtime.get("embedder_setting") or settings.MIXCV_EMBEDDER,
        }
        version.warnings = [*warnings, *_wishes(version, info.device)]
        version.deployed_at = timezone.now()
        version.save(update_fields=["class_names", "runtime", "warnings", "deployed_at"])
        up = _finish(deployment, version, ExtractorVersion.State.READY, "")
        if not up:  # undeployed, retired or deleted while it came up: its host is not wanted any more
            transaction.on_commit(partial(forget_hosts, version.pk), robust=True)
        extractor = Extractor.objects.select_for_update().get(pk=version.extractor_id)
        if up and extractor.production_id is None:
            set_production(version, actor=SYSTEM, reason="the first version that was deployed")


def _finish(
    deployment: Deployment, version: ExtractorVersion, state: ExtractorVersion.State, error: str
) -> bool:
    """Close a deployment; False where the version was retired meanwhile, which stands."""
    error = error.replace("\x00", "?")
    with transaction.atomic():
        Deployment.objects.filter(pk=deployment.pk).update(finished_at=timezone.now(), error=error)
        deploying = ExtractorVersion.objects.filter(pk=version.pk, state=ExtractorVersion.State.DEPLOYING)
        if not deploying.update(state=state, error=error):
            return False
        publish(
            namespace_id=version.extractor.namespace_id,
            actor=deployment.actor,
            happenings=[Happening(f"extractor_version.{state}", version.public_id, {"error": error})],
        )
        if state == ExtractorVersion.State.READY:
            transaction.on_commit(lambda: _wake_collections(version), robust=True)
    return True


def _wake_collections(version: ExtractorVersion) -> None:
    for collection_id in version.collections.values_list("pk", flat=True):
        app.send_task("extraction.extract", args=[collection_id], queue="gpu")


def _index_classes(extractor: Extractor, names: list[str]) -> None:
    """Give the weights' classes their indices, once per extractor. Raises ClassesDiffer where one would move."""
    if not names:
        return
    classes = ensure_classes(namespace=extractor.namespace, names=names)
    indices = ClassIndex.objects.filter(extractor=extractor).select_related("object_class")
    # A class that was merged keeps its index; the weights' name for it answers with what it became.
    known = {row.index: {row.object_class_id, row.object_class.merged_into_id} for row in indices}
    for index, name in enumerate(names):
        if classes[name].pk not in known.get(index, {classes[name].pk}):
            raise ClassesDiffer(
                f"Class {index} of these weights is {name!r}, but {extractor.name} has another class at {index}. "
                "Train with the extractor's class order, or register the weights under a new name."
            )
    ClassIndex.objects.bulk_create(
        [
            ClassIndex(extractor=extractor, object_class=classes[name], index=index)
            for index, name in enumerate(names)
            if index not in known
        ]
    )


def _make_features(version: ExtractorVersion, info: HostInfo) -> None:
    embedder = info.embedder
    space, _ = VectorSpace.objects.get_or_create(
        embedder=embedder["id"],
        version=str(embedder["version"]),
        weights_sha256=embedder["weights_sha256"],
        dimension=embedder["dim"],
        metric="cosine",
    )
    crop, _ = Feature.objects.update_or_create(
        extractor_version=version,
        name=CROP_EMBEDDING,
        defaults={"kind": Feature.Kind.EMBEDDING, "space": space},
    )
    for declared in version.manifest["features"]:
        name, kind = declared["feature_name"], declared["feature_type"]
        if declared.get("source") == "crop":
            defaults: dict[str, Any] = {"kind": kind, "space": space, "same_as": crop}
        elif kind == Feature.Kind.EMBEDDING:
            own, _ = VectorSpace.objects.get_or_create(
                embedder=f"{version.extractor.name}/{name}",
                version=version.version,
                weights_sha256=version.weights.sha256 if version.weights else "",
                dimension=declared["embedding_dim"],
                metric=normal_metric(declared.get("distance_metric")),
            )
            defaults = {"kind": kind, "space": own}
        else:
            defaults = {"kind": kind}
        Feature.objects.update_or_create(extractor_version=version, name=name, defaults=defaults)
