"""From trained weights to a registered model and the extractor's next version, once."""

from __future__ import annotations

from pathlib import Path

from django.db import transaction
from django.utils import timezone

from extraction.packages import domain as packages
from extraction.packages.files import keep_file
from extraction.packages.models import Extractor, ExtractorVersion, RegistryModel
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.holding import Holding
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from review.training.models import TrainingRun
from review.training.weights import models_loaded


def register(run: TrainingRun, weights: Path, holding: Holding) -> None:
    """Keep the weights, register and deploy the model, register the next version, ask for its deployment, end the run.

    All in one transaction under the run's lease. Raises Lost, with nothing written, where the lease is another's, and
    DomainError where the registry refuses.
    """
    blob = keep_file(namespace=run.namespace, path=weights)
    by = Actor(run.actor)
    with transaction.atomic():
        holding.lock()
        job = Job.objects.get(pk=run.job_id)
        extractor = Extractor.objects.select_for_update().get(pk=run.extractor_id)
        name = _model_name(run)
        number = next_major(extractor, name)
        model = packages.register_model(
            namespace=run.namespace,
            name=name,
            version=number,
            archive=blob,
            file_name="best.pt",
            framework="ultralytics",
            task_type="detection",
            description=f"Trained from {run.base_version} on {run.dataset_version}.",
            by=by,
        )
        packages.deploy_model(model=model, by=by)
        packages.bring_up_model(model=model)
        model.refresh_from_db()
        version = _next_version(run, model, number, weights, by)
        packages.deploy(version=version, by=by)
        TrainingRun.objects.filter(pk=run.pk).update(
            model=model, produced_version=version, phase=TrainingRun.Phase.DONE
        )
        _end(run, job, version, model)
    run.refresh_from_db(fields=["model", "produced_version", "phase"])


def _end(run: TrainingRun, job: Job, version: ExtractorVersion, model: RegistryModel) -> None:
    done = Job.objects.filter(pk=job.pk)
    # An early end leaves batches that were never wanted.
    done.update(
        state=Job.State.COMPLETED,
        finished_at=timezone.now(),
        lease_until=None,
        rate=0,
        total=job.done or job.total,
        done=job.done or job.total,
    )
    publish(
        namespace_id=run.namespace_id,
        actor=run.actor,
        happenings=[
            Happening(
                "training_run.completed",
                run.public_id,
                {
                    "extractor_version_id": version.public_id,
                    "model_id": model.public_id,
                    "dataset_id": run.dataset_version.dataset.public_id,
                    "dataset_version": run.dataset_version.number,
                    "best": run.best,
                },
            )
        ],
    )


def _model_name(run: TrainingRun) -> str:
    """The extractor's; where its code loads several models, that of the one which the run started from."""
    if len(models_loaded(run.base_version)) > 1:
        used = RegistryModel.objects.filter(namespace=run.namespace, public_id=run.base_weights).first()
        if used is not None:
            return used.name
    return run.extractor.name


def next_major(extractor: Extractor, model_name: str) -> str:
    """`2.0.0` after 1.3.0: the first major number that neither a version nor a model has or had after it."""
    taken = list(extractor.versions.values_list("version", flat=True))
    models = RegistryModel.objects.filter(namespace_id=extractor.namespace_id, name=model_name)
    taken += list(models.values_list("version", flat=True))
    return f"{max((int(one.split('.')[0]) for one in taken), default=0) + 1}.0.0"


def _next_version(
    run: TrainingRun, model: RegistryModel, number: str, weights: Path, by: Actor
) -> ExtractorVersion:
    """The base's code with the new weights; where that takes none, the built-in package's code."""
    base = run.base_version
    if base.archive_id is not None and models_loaded(base):
        return packages.next_version_from_model(version=base, model=model, new_version=number, by=by)
    return packages.register_version(
        namespace=run.namespace,
        extractor=run.extractor.name,
        version=number,
        package="yolo",
        weights_path=weights,
        weights_name=f"{model.public_id}.pt",
        parameters={**base.parameters, "image_size": run.settings["image_size"]},
        description=run.extractor.description,
        by=by,
    )
