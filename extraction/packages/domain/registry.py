"""The model registry: weights by name and version, which packages load in the host."""

from __future__ import annotations

import logging
import re
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from extraction.intake.models import Blob
from extraction.packages import registry_files
from extraction.packages.domain.errors import InUse, NotDeployable
from extraction.packages.manifest import normal_version
from extraction.packages.models import RegistryModel
from extraction.packages.queries import versions_using
from mixcv.celery import app
from mixcv.kernel import storage
from mixcv.kernel.errors import AlreadyExists, Conflict, DomainError, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.models import Namespace

log = logging.getLogger(__name__)


class RegistryFull(Conflict):
    """The namespace has as many models as it may have."""

    code = "registry_full"


def model_id(name: str, version: str) -> str:
    """`yolo-detector_2_0_0` for yolo-detector 2.0.0: a hyphen stays."""
    return f"{name}_{version.replace('.', '_')}"


def check_model_name(namespace: Namespace, name: str, version: str) -> tuple[str, str]:
    """Name and version as they are kept. Raises InvalidInput, AlreadyExists, RegistryFull."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{1,63}", name):
        raise InvalidInput(
            "A model's name starts with a letter and has 2 to 64 letters, digits, _ or -.", field="name"
        )
    version = normal_version(version)
    rows = RegistryModel.objects.filter(namespace=namespace)
    if rows.filter(public_id=model_id(name, version)).exists():
        raise AlreadyExists(
            f"{name} has a version {version} already. Send new weights under a new version.", field="version"
        )
    if rows.count() >= settings.MIXCV_MAX_MODELS:
        raise RegistryFull(
            f"This namespace has {settings.MIXCV_MAX_MODELS} models, the most there may be. Delete one first."
        )
    return name, version


def register_model(
    *,
    namespace: Namespace,
    name: str,
    version: str,
    archive: Blob,
    file_name: str,
    model_format: str = "",
    framework: str = "",
    task_type: str = "",
    description: str = "",
    resources: dict[str, Any] | None = None,
    by: Actor = SYSTEM,
) -> RegistryModel:
    """A new model from its bytes, a `.tar.gz` or one weights file; `file_name` tells which. It is not deployed yet.

    Raises InvalidInput for a name, version or file that will not do, AlreadyExists, RegistryFull.
    """
    file_name = file_name.rpartition("/")[2].rpartition("\\")[2][-200:]
    registry_files.check_model_file(storage.local_path(archive.storage_name), file_name)
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two at once queue up here, so that the count holds.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('models', %s))", [namespace.pk])
        name, version = check_model_name(namespace, name, version)
        row = RegistryModel.objects.create(
            namespace=namespace,
            name=name,
            version=version,
            public_id=model_id(name, version),
            archive=archive,
            file_name=file_name,
            model_format=model_format or _format_of(file_name),
            framework=framework,
            task_type=task_type,
            description=description,
            resources=resources or {},
            actor=by.name,
        )
        _publish(row, "registered", by.name)
    return row


def _format_of(file_name: str) -> str:
    ending = file_name.rpartition(".")[2]
    return ending if ending in {"onnx", "safetensors"} else RegistryModel.Format.PYTORCH


def deploy_model(*, model: RegistryModel, by: Actor = SYSTEM) -> RegistryModel:
    """Ask a worker to unpack the model where hosts find it. One that is deployed already stays so.

    Raises NotDeployable while that goes on.
    """
    state = RegistryModel.State
    with transaction.atomic():
        allowed = RegistryModel.objects.filter(pk=model.pk).exclude(state=state.DEPLOYING)
        if not allowed.update(state=state.DEPLOYING, error="", actor=by.name, asked_at=timezone.now()):
            raise NotDeployable(f"{model} is being deployed already.")
        send = partial(app.send_task, "extraction.deploy_model", args=[model.pk], queue="gpu")
        transaction.on_commit(send, robust=True)
    model.refresh_from_db()
    return model


def bring_up_model(*, model: RegistryModel) -> None:
    """Unpack it and note what weights it holds; the worker's part, safe to run twice."""
    if model.state != RegistryModel.State.DEPLOYING:
        return
    try:
        weights, error = registry_files.lay_out(model), ""
    except DomainError as refused:
        weights, error = [], refused.message
    except Exception as broken:  # the worker's boundary: the model must not stay half deployed
        log.exception("The deployment of the model %s broke", model)
        weights, error = [], f"The deployment broke: {broken}"[:2000]
    state = RegistryModel.State.FAILED if error else RegistryModel.State.DEPLOYED
    with transaction.atomic():
        waiting = RegistryModel.objects.filter(pk=model.pk, state=RegistryModel.State.DEPLOYING)
        done = waiting.update(
            state=state,
            error=error.replace("\x00", "?"),
            weights=weights,
            deployed_at=None if error else timezone.now(),
        )
        if done:
            _publish(model, str(state), model.actor, error=error)
    if not RegistryModel.objects.filter(pk=model.pk).exists():  # deleted meanwhile
        registry_files.forget(model)


def lost_models() -> list[int]:
    """Models that nobody seems to be unpacking, though they were asked for long ago."""
    before = timezone.now() - timedelta(seconds=10 * settings.MIXCV_LEASE_SECONDS)
    rows = RegistryModel.objects.filter(state=RegistryModel.State.DEPLOYING, asked_at__lt=before)
    return list(rows.values_list("pk", flat=True))


def delete_model(*, model: RegistryModel, by: Actor) -> None:
    """Remove a model that no version in use needs. Raises InUse naming the versions."""
    with transaction.atomic():
        model = RegistryModel.objects.select_for_update().get(pk=model.pk)
        if used := [row.public_id for row in versions_using(model)]:
            raise InUse(
                f"{model} is needed by {', '.join(used[:10])}{' …' if len(used) > 10 else ''}. "
                "Undeploy or delete that version first, or give it newer weights.",
                details={"versions": used},
            )
        _publish(model, "deleted", by.name)
        gone = copy(model)
        model.delete()
        transaction.on_commit(partial(registry_files.forget, gone), robust=True)


def _publish(model: RegistryModel, what: str, actor: str, **payload: str) -> None:
    publish(
        namespace_id=model.namespace_id,
        actor=actor,
        happenings=[Happening(f"model.{what}", model.public_id, {"version": model.version, **payload})],
    )
