"""Tasks of detectors."""

from __future__ import annotations

import threading
from typing import Any

from celery import shared_task
from celery.worker.control import control_command

from extraction.packages.domain import bring_up, bring_up_model, lost_models
from extraction.packages.hosts import FORGET, pool
from extraction.packages.models import Deployment, RegistryModel
from mixcv.celery import app


@shared_task(name="extraction.deploy_version", queue="gpu")
def deploy_version(deployment_id: int) -> None:
    """Bring a version up in this worker's hosts."""
    rows = Deployment.objects.select_related(
        "extractor_version__extractor__namespace", "extractor_version__weights", "extractor_version__archive"
    )
    deployment = rows.filter(pk=deployment_id).first()
    if deployment:
        bring_up(deployment=deployment)


@shared_task(name="extraction.deploy_model", queue="gpu")
def deploy_model(model_id: int) -> None:
    """Unpack a registered model where this machine's hosts find it."""
    model = RegistryModel.objects.select_related("namespace", "archive").filter(pk=model_id).first()
    if model:
        bring_up_model(model=model)


@shared_task(name="extraction.sweep_models", queue="cpu")
def sweep_models() -> None:
    """Ask again for deployments of models whose message was lost or whose worker went away."""
    for model_id in lost_models():
        app.send_task("extraction.deploy_model", args=[model_id], queue="gpu", expires=30)


@control_command(name=FORGET, args=[("version_id", int)])  # type: ignore[untyped-decorator,unused-ignore]
def forget_hosts(state: Any, version_id: int) -> None:
    """Close a version's hosts in this worker; not in this thread, which is the one that takes messages."""
    threading.Thread(target=pool().close_labelled, args=[str(version_id)], daemon=True).start()
