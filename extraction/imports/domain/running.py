"""An import at work: held by one worker, group by group, each with its checkpoint."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction

from extraction.classes.domain import ensure_classes
from extraction.classes.models import ObjectClass
from extraction.imports.domain.counting import Counts
from extraction.imports.domain.faults import keep_faults
from extraction.imports.domain.groups import Group, in_groups, order
from extraction.imports.formats import Fault, NoTruth, Picture, Reading, read
from extraction.imports.models import TruthImport
from extraction.packages.archives import Bounds, unpack_zip
from mixcv.kernel import storage
from mixcv.kernel.errors import DomainError, Unavailable
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.holding import Holding, Lost, Stopped, close, take
from mixcv.kernel.models import Job

log = logging.getLogger(__name__)
_MOST_ATTEMPTS = 5
Show = Callable[[int, int], None]


def run_import(
    *, key: int, bounds: Bounds, source: Path | None = None, show: Show = lambda done, total: None
) -> None:
    """Do an import, or go on with one that a killed worker left. Safe to call twice: one at a time holds it.

    `source`: the folder or zip, where it is not the archive that was sent.
    """
    holding = take(Job.objects.filter(truth_import=key))
    if holding is None:
        return
    row = TruthImport.objects.select_related("job", "bucket__namespace", "archive").get(pk=key)
    try:
        with holding.kept():
            _Run(row, holding, show).run(source, bounds)
    except Lost:
        log.info("The import %s is another worker's now", row.public_id)
    except Stopped:
        end_import(row, Job.State.CANCELED, "")
    except DomainError as error:
        end_import(row, Job.State.FAILED, error.message)
    except Exception as error:
        log.exception("The import %s broke", row.public_id)
        if source is not None or row.job.attempt >= _MOST_ATTEMPTS:
            end_import(row, Job.State.FAILED, f"The import broke: {error}"[:2000])
        raise


def end_import(row: TruthImport, state: str, error: str, *, unless_held: bool = False) -> None:
    """Close an import that is not over, and tell of it."""
    with transaction.atomic():
        kept = close(row.job_id, state, error, unless_held=unless_held)
        if kept is None:
            return
        row.refresh_from_db(fields=["counts"])
        payload = {"import_id": row.public_id, "bucket_id": row.bucket.public_id, "status": state}
        publish(
            namespace_id=row.bucket.namespace_id,
            actor=row.actor,
            happenings=[
                Happening(
                    f"truth_import.{_WORDS[state]}",
                    row.public_id,
                    {**payload, "error": kept, "counts": row.counts},
                )
            ],
        )


_WORDS: dict[str, str] = {
    Job.State.COMPLETED: "completed",
    Job.State.COMPLETED_WITH_ERRORS: "completed",
    Job.State.FAILED: "failed",
    Job.State.CANCELED: "canceled",
}


class _Run:
    """One worker's go at an import."""

    def __init__(self, row: TruthImport, holding: Holding, show: Show) -> None:
        self.row, self.holding, self.show = row, holding, show

    def run(self, source: Path | None, bounds: Bounds) -> None:
        self.holding.check()
        with self._files(source, bounds) as folder:
            reading = read(folder, self.row.format)
            classes = ensure_classes(namespace=self.row.bucket.namespace, names=_names(reading))
            pictures, by_picture = order(reading), _by_picture(reading)
            start = int(self.row.job.checkpoint.get("next", -1))
            if start < 0:
                start = self._begin(reading, len(pictures), by_picture.pop("", []))
            self._groups(folder, pictures, start, by_picture, classes)
        counts = Counts.of(self.row)
        state = Job.State.COMPLETED_WITH_ERRORS if counts["left_out"] else Job.State.COMPLETED
        end_import(self.row, state, "")

    def _groups(
        self,
        folder: Path,
        pictures: Sequence[Picture],
        start: int,
        faults: dict[str, list[Fault]],
        classes: dict[str, ObjectClass],
    ) -> None:
        began, done, total = time.monotonic(), start, len(pictures)
        self.show(done, total)
        for paths in in_groups(folder, pictures[start:]):
            self.holding.check()
            group = Group(self.row, folder, paths, faults, classes)
            group.read()
            with transaction.atomic():
                counts = Counts.of(self.row)
                group.write(counts)
                done += len(paths)
                rate = (done - start) / max(time.monotonic() - began, 0.001)
                self._checkpoint(counts, done, rate)
            self.show(done, total)

    def _begin(self, reading: Reading, total: int, faults: Sequence[Fault]) -> int:
        """Note what concerns no single picture; once, however often the import starts again."""
        with transaction.atomic():
            counts = Counts.of(self.row)
            counts.add("pictures", total)
            keep_faults(self.row, faults, {}, counts)
            TruthImport.objects.filter(pk=self.row.pk).update(format=reading.format)
            self.row.format = reading.format
            Job.objects.filter(pk=self.row.job_id).update(total=total)
            self._checkpoint(counts, 0, 0)
        return 0

    def _checkpoint(self, counts: Counts, done: int, rate: float) -> None:
        """In the group's transaction: it counts exactly when what it wrote does. Raises Lost."""
        TruthImport.objects.filter(pk=self.row.pk).update(counts=dict(counts))
        self.holding.note(done=done, rate=rate, checkpoint={"next": done})
        self.row.counts = dict(counts)

    @contextmanager
    def _files(self, source: Path | None, bounds: Bounds) -> Iterator[Path]:
        """The source as a folder; an archive's is thrown away at the end. Raises ArchiveRefused, Unavailable."""
        if source is not None and source.is_dir():
            yield source
            return
        archive = source
        if archive is None:
            if self.row.archive is None:
                raise NoTruth("The folder of this import can only be read by the command that was told it.")
            archive = storage.local_path(self.row.archive.storage_name)
        place = Path(settings.MIXCV_CACHE) / "imports"
        place.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(place).free < 2 * archive.stat().st_size:
            raise Unavailable("The disk has no room to unpack the archive.")
        folder = place / f"{self.row.public_id}-{self.holding.owner}"
        try:
            unpack_zip(archive, folder, bounds=bounds)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _names(reading: Reading) -> list[str]:
    used = {box.class_name: None for picture in reading.pictures for box in picture.boxes}
    return list(dict.fromkeys([*reading.names, *used]))


def _by_picture(reading: Reading) -> dict[str, list[Fault]]:
    """Faults by the picture that they are about; under no name those about none that is taken."""
    known = {picture.path for picture in reading.pictures}
    found: dict[str, list[Fault]] = {}
    for fault in reading.faults:
        found.setdefault(fault.picture if fault.picture in known else "", []).append(fault)
    return found
