"""How far each extractor is on its way round the loop. Pure functions over `rows.Rows`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from extraction.packages.models import Extractor, ExtractorVersion
from mixcv.kernel.models import Job
from review.datasets.models import DatasetVersion
from review.home.rows import Rows
from review.home.values import Candidate, Difference, Line, Training
from review.training.models import TrainingRun


def lines_of(rows: Rows, complete: Mapping[int, int]) -> tuple[Line, ...]:
    """One per extractor, the one last worked on first. `complete`: images by extractor, 0: all."""
    newest = sorted(rows.extractors, key=lambda one: _last_touch(rows, one), reverse=True)
    return tuple(_line(rows, one, complete) for one in newest)


def _last_touch(rows: Rows, extractor: Extractor) -> datetime:
    times = [extractor.created_at]
    times += [one.created_at for one in rows.versions_of(extractor.pk)[:1]]
    times += [run.created_at for run in rows.runs if run.extractor_id == extractor.pk][:1]
    times += [one.created_at for one in rows.dataset_versions if one.dataset.extractor_id == extractor.pk][:1]
    return max(times)


def _line(rows: Rows, extractor: Extractor, complete: Mapping[int, int]) -> Line:
    built = [one for one in rows.dataset_versions if one.dataset.extractor_id == extractor.pk]
    latest = built[0] if built else None
    dataset = latest.dataset if latest else None
    if dataset is None:
        dataset = next((one for one in rows.datasets if one.extractor_id == extractor.pk), None)
    runs = [run for run in rows.runs if run.extractor_id == extractor.pk]
    live = next((run for run in runs if not run.job.is_over), None)
    undetected = _undetected(rows, runs)
    candidates = _candidates(rows, extractor)
    return Line(
        extractor=extractor.name,
        production=f"{extractor.name} {extractor.production.version}" if extractor.production else "",
        dataset=dataset.public_id if dataset else "",
        dataset_name=dataset.name if dataset else "",
        number=latest.number if latest else 0,
        images=latest.image_count if latest else 0,
        holdout=_holdout(latest),
        complete_since=complete.get(extractor.pk if latest else 0, 0),
        trained_on=latest is not None and any(_used(run, latest) for run in runs),
        training=training_of(live) if live else None,
        undetected=str(undetected.produced_version) if undetected else "",
        run=undetected.public_id if undetected else "",
        candidate=candidates[0] if candidates else None,
        measured=next((one for one in candidates if one.evaluation), None),
    )


def _holdout(version: DatasetVersion | None) -> int:
    counts = version.counts.values() if version else ()
    return sum(one.get("holdout", 0) for one in counts if isinstance(one, dict))


def _used(run: TrainingRun, version: DatasetVersion) -> bool:
    gave_up = run.job.state in {Job.State.FAILED, Job.State.CANCELED}
    return run.dataset_version_id == version.pk and not gave_up


def _undetected(rows: Rows, runs: list[TrainingRun]) -> TrainingRun | None:
    """The run whose version is the newest that a run has made, where that is up and has no collection."""
    run = next((run for run in runs if run.produced_version is not None), None)
    if run is None or run.produced_version is None or run.produced_version.pk in rows.collected:
        return None
    return run if run.produced_version.state == ExtractorVersion.State.READY else None


def training_of(run: TrainingRun) -> Training:
    """`epoch` is the one at work, from 1; 0 while the run prepares."""
    epochs = int(run.settings.get("epochs") or 0)
    last = getattr(run, "last_epoch", None) or 0
    begun = run.phase in {run.Phase.TRAINING, run.Phase.REGISTERING}
    return Training(
        run.public_id,
        run.extractor.name,
        min(epochs, last + 1) if begun else 0,
        epochs,
        min(1.0, run.job.done / run.job.total) if run.job.total else 0.0,
        run.job.seconds_left,
        run.job.state == Job.State.PENDING,
    )


def _candidates(rows: Rows, extractor: Extractor) -> list[Candidate]:
    """Versions that are up, younger than the one in production, and were never there; the newest first."""
    production = extractor.production
    if production is None:
        return []
    served = rows.served()
    return [
        _candidate(rows, one, production)
        for one in rows.versions_of(extractor.pk)
        if one.state == ExtractorVersion.State.READY
        and one.created_at > production.created_at
        and one.pk not in served
    ]


def _candidate(rows: Rows, version: ExtractorVersion, production: ExtractorVersion) -> Candidate:
    evaluation, gain = compared_with(rows, version.pk, production.pk)
    busy = any(
        one.version == version.pk and one.state in {Job.State.PENDING, Job.State.RUNNING}
        for one in rows.evaluated
    )
    return Candidate(version.public_id, str(version), evaluation, busy and not evaluation, gain)


def compared_with(rows: Rows, version: int, other: int) -> tuple[str, Difference | None]:
    """The newest evaluation of the two, and by how much `version` is above `other`."""
    for one in rows.compared:
        if (one.old, one.new) == (other, version):
            return one.evaluation, Difference(one.value, one.low, one.high)
        if (one.old, one.new) == (version, other):
            low = -one.high if one.high is not None else None
            high = -one.low if one.low is not None else None
            return one.evaluation, Difference(-one.value, low, high)
    return "", None
