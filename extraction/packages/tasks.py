"""Tasks of detectors."""

from __future__ import annotations

from celery import shared_task

from extraction.packages.domain import bring_up
from extraction.packages.models import Deployment


@shared_task(name="extraction.deploy_version", queue="gpu")
def deploy_version(deployment_id: int) -> None:
    """Bring a version up in this worker's hosts."""
    rows = Deployment.objects.select_related(
        "extractor_version__extractor__namespace", "extractor_version__weights"
    )
    deployment = rows.filter(pk=deployment_id).first()
    if deployment:
        bring_up(deployment=deployment)
