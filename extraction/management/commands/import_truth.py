"""`manage.py import_truth FOLDER|ZIP --bucket NAME`: pictures with their ground truth into a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from extraction.imports import domain
from extraction.imports.domain.counting import Counts
from extraction.imports.formats import FORMATS
from extraction.imports.models import ImportFault, TruthImport
from extraction.imports.queries import faults_of
from extraction.intake.domain import ensure_bucket
from mixcv.kernel.errors import DomainError
from mixcv.kernel.models import Job
from mixcv.kernel.progress import Bar
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace

_BY = Actor("import_truth", "command")
_NAMED = 50


class Command(BaseCommand):
    help = (
        "Takes pictures with YOLO, COCO or Pascal VOC truth into a bucket. Called again it doubles nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="FOLDER|ZIP", type=Path)
        parser.add_argument("--bucket", required=True, help="its name; made where there is none")
        parser.add_argument("--format", default="auto", choices=["auto", *FORMATS], help="(default: auto)")
        parser.add_argument("--namespace", default="demo", help="its name or id (default: demo)")
        parser.add_argument(
            "--all", action="store_true", help=f"list every fault, not the first {_NAMED} only"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        self.bar = Bar(self.stderr)
        try:
            bucket = ensure_bucket(namespace=_namespace(options["namespace"]), name=options["bucket"], by=_BY)
            row = domain.import_truth(
                bucket=bucket,
                source=options["source"],
                format=options["format"],
                by=_BY,
                show=lambda done, total: self.bar.show("Importing", done, total),
            )
        except DomainError as error:
            self.bar.done()
            raise CommandError(error.message) from None
        self.bar.done()
        self._report(row, whole=options["all"])
        if row.job.state == Job.State.CANCELED:
            raise CommandError("It was stopped; what it brought stays.")

    def _report(self, row: TruthImport, *, whole: bool) -> None:
        counts = Counts.of(row)
        faults = faults_of(row)
        number = counts["left_out"] + counts["kept"]
        for fault in faults if whole else faults[:_NAMED]:
            place = f"{fault.file}:{fault.line}" if fault.line else fault.file
            left = "" if fault.cost == ImportFault.Cost.KEPT else "left out: "
            self.stderr.write(f"{place}: {left}{fault.message}")
        if not whole and number > _NAMED:
            self.stderr.write(f"and {number - _NAMED:,} more; --all lists them.")
        self.stderr.write(
            f"{row.bucket.name}, from {row.format.upper()}: {counts['added']:,} images added, "
            f"{counts['present']:,} there already, {counts['refused']:,} refused; {counts['boxes_added']:,} boxes "
            f"added, {counts['boxes_there']:,} there already, {counts['boxes_of_people']:,} left to what people "
            f"decided; {counts['complete']:,} images complete, {counts['empty']:,} verified empty, "
            f"{counts['partial']:,} not complete, {counts['unlabelled']:,} without labels; "
            f"{counts['train']:,} for training, {counts['holdout']:,} in the holdout."
        )


def _namespace(ref: str) -> Namespace:
    found = Namespace.objects.filter(name=ref).first() or Namespace.objects.filter(public_id=ref).first()
    if found is None:
        names = ", ".join(Namespace.objects.values_list("name", flat=True)) or "none yet"
        raise CommandError(f"There is no namespace {ref!r}. There are: {names}.")
    return found
