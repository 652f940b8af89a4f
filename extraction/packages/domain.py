"""Writes of detectors: register a version, deploy it, retire it, put it into production."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from extraction.classes.domain import ensure_classes
from extraction.packages.builtin import builtin_packages
from extraction.packages.builtin.weights import resolve_weights
from extraction.packages.files import keep_file
from extraction.packages.host.spec import HostInfo
from extraction.packages.hosts import warm_host
from extraction.packages.manifest import read_manifest
from extraction.packages.models import (
    ClassIndex,
    Deployment,
    Extractor,
    ExtractorVersion,
    Feature,
    ProductionChange,
    VectorSpace,
)
from mixcv.celery import app
from mixcv.kernel.errors import AlreadyExists, Conflict, DomainError, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import slug
from mixcv.kernel.leases import renewed
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.models import Namespace

log = logging.getLogger(__name__)
CROP_EMBEDDING = "crop_embedding"


class NotDeployable(Conflict):
    """The version's state does not allow this now."""

    code = "not_deployable"


class ClassesDiffer(Conflict):
    """The weights order classes otherwise than the extractor's earlier versions; indices are never moved."""

    code = "classes_differ"


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
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{1,63}", extractor):
        raise InvalidInput(
            "An extractor's name starts with a letter and has 2 to 64 letters, digits, _ or -.", field="name"
        )
    folder = builtin_packages().get(package)
    if folder is None:
        raise InvalidInput(
            f"No built-in package {package!r}: {', '.join(builtin_packages())}.", field="package"
        )
    manifest = read_manifest(folder / "manifest.py")
    blob = keep_file(namespace=namespace, path=weights_path) if weights_path else None
    with transaction.atomic():
        parent, _ = Extractor.objects.get_or_create(
            namespace=namespace, name=extractor, defaults={"description": description}
        )
        row, created = ExtractorVersion.objects.get_or_create(
            extractor=parent,
            version=version,
            defaults={
                "public_id": slug(f"{extractor}_{version}".replace(".", "_")),
                "package": package,
                "manifest": manifest,
                "weights": blob,
                "weights_name": weights_name or (weights_path.name if weights_path else ""),
                "parameters": parameters or {},
            },
        )
        if not created:
            raise AlreadyExists(
                f"{extractor} has a version {version} already; a version never changes.", field="version"
            )
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("extractor_version.registered", row.public_id, {"version": version})],
        )
    return row


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
        if version.weights is None and version.weights_name:
            found = resolve_weights(version.weights_name, settings.MIXCV_WEIGHTS, allow_download=True)
            version.weights = keep_file(namespace=version.extractor.namespace, path=found)
            version.save(update_fields=["weights"])
        _record(deployment, version, warm_host(version).info)
    except DomainError as error:
        _finish(deployment, version, ExtractorVersion.State.FAILED, error.message)
    except (
        Exception
    ) as error:  # the worker's boundary: whatever it was, the version must not stay half deployed
        log.exception("The deployment of %s broke", version)
        _finish(deployment, version, ExtractorVersion.State.FAILED, f"The deployment broke: {error}"[:2000])


def _class_names(info: HostInfo) -> list[str]:
    """The weights' class names in order of their indices. Raises ClassesDiffer where two are the same."""
    names = [info.class_names[index].strip() for index in sorted(info.class_names)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ClassesDiffer(f"The weights name a class twice: {', '.join(twice[:5])}. Names must differ.")
    return names


def _record(deployment: Deployment, version: ExtractorVersion, info: HostInfo) -> None:
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
        version.deployed_at = timezone.now()
        version.save(update_fields=["class_names", "runtime", "deployed_at"])
        up = _finish(deployment, version, ExtractorVersion.State.READY, "")
        extractor = Extractor.objects.select_for_update().get(pk=version.extractor_id)
        if up and extractor.production_id is None:
            _set_production(version, actor=SYSTEM, reason="the first version that was deployed")


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
    known = dict(ClassIndex.objects.filter(extractor=extractor).values_list("index", "object_class_id"))
    for index, name in enumerate(names):
        if known.get(index, classes[name].pk) != classes[name].pk:
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
                metric=declared.get("distance_metric", "cosine"),
            )
            defaults = {"kind": kind, "space": own}
        else:
            defaults = {"kind": kind}
        Feature.objects.update_or_create(extractor_version=version, name=name, defaults=defaults)


def retire(*, version: ExtractorVersion, by: Actor, reason: str = "") -> None:
    """Take a version out of use; what it found stays. Raises NotDeployable while it is in production."""
    with transaction.atomic():
        extractor = Extractor.objects.select_for_update().get(pk=version.extractor_id)
        if extractor.production_id == version.pk:
            raise NotDeployable(f"{version} is in production. Put another version there first.")
        ExtractorVersion.objects.filter(pk=version.pk).update(
            state=ExtractorVersion.State.RETIRED, retired_at=timezone.now()
        )
        publish(
            namespace_id=extractor.namespace_id,
            actor=by.name,
            happenings=[Happening("extractor_version.retired", version.public_id, {"reason": reason})],
        )


def promote(*, version: ExtractorVersion, by: Actor, reason: str = "") -> None:
    """Put a version into production. Raises NotDeployable for one that is not ready."""
    with transaction.atomic():
        Extractor.objects.select_for_update().get(pk=version.extractor_id)
        version = ExtractorVersion.objects.select_related("extractor").get(pk=version.pk)
        if version.state != ExtractorVersion.State.READY:
            raise NotDeployable(f"{version} is {version.state}; only a ready version goes into production.")
        _set_production(version, actor=by, reason=reason)


def _set_production(version: ExtractorVersion, *, actor: Actor, reason: str) -> None:
    Extractor.objects.filter(pk=version.extractor_id).update(production=version)
    ProductionChange.objects.create(
        extractor_id=version.extractor_id, version=version, actor=actor.name, reason=reason
    )
    publish(
        namespace_id=version.extractor.namespace_id,
        actor=actor.name,
        happenings=[Happening("extractor.promoted", version.public_id, {"reason": reason})],
    )
