"""An evaluation at work: held by one worker, chunk by chunk, then measured."""

from __future__ import annotations

import logging

from mixcv.kernel.errors import DomainError
from mixcv.kernel.holding import Holding, Lost, Stopped, lost, take
from mixcv.kernel.models import Job
from review.evaluation.domain.ending import end_evaluation
from review.evaluation.domain.measuring import measure_versions
from review.evaluation.domain.predicting import predict_version
from review.evaluation.models import EvaluatedVersion, Evaluation, ImagePrediction

log = logging.getLogger(__name__)
_MOST_ATTEMPTS = 5


def run_evaluation(*, key: int) -> None:
    """Do an evaluation, or go on with one that a killed worker left. Safe to call twice: one at a time holds it."""
    holding = take(Job.objects.filter(evaluation=key))
    if holding is None:
        return
    row = Evaluation.objects.select_related("job", "namespace", "dataset_version").get(pk=key)
    try:
        with holding.kept():
            _run(row, holding)
    except Lost:
        log.info("The evaluation %s is another worker's now", row.public_id)
    except Stopped:
        end_evaluation(row, Job.State.CANCELED, "")
    except DomainError as error:
        end_evaluation(row, Job.State.FAILED, error.message, owner=holding.owner)
    except Exception as error:
        log.exception("The evaluation %s broke", row.public_id)
        if row.job.attempt >= _MOST_ATTEMPTS:
            end_evaluation(row, Job.State.FAILED, f"The evaluation broke: {error}", owner=holding.owner)
        raise


def _run(row: Evaluation, holding: Holding) -> None:
    versions = EvaluatedVersion.objects.filter(evaluation=row).select_related(
        "extractor_version__extractor", "extractor_version__weights", "extractor_version__archive"
    )
    for evaluated in versions.order_by("position"):
        holding.check()
        predict_version(row, evaluated, holding)
    holding.note(checkpoint={"phase": "measuring"}, rate=0)
    measure_versions(row, holding.check)
    failed = ImagePrediction.objects.filter(evaluated__evaluation=row).exclude(error="").exists()
    state = Job.State.COMPLETED_WITH_ERRORS if failed else Job.State.COMPLETED
    end_evaluation(row, state, "", owner=holding.owner)


def lost_evaluations() -> list[int]:
    """Evaluations whose worker went away or whose message was lost."""
    rows = list(Evaluation.objects.filter(lost()).select_related("job"))
    for row in rows:
        if row.job.attempt >= _MOST_ATTEMPTS and row.job.state == Job.State.RUNNING:
            end_evaluation(
                row, Job.State.FAILED, f"Its worker went away {row.job.attempt} times.", unless_held=True
            )
    return [row.pk for row in rows if row.job.attempt < _MOST_ATTEMPTS]
