"""`manage.py export_dataset DATASET TARGET`: a version of a dataset as a folder or a zip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mixcv.kernel.errors import DomainError
from mixcv.kernel.progress import Bar
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.datasets.domain import build_version
from review.datasets.export import FORMATS, export_folder, export_zip_file
from review.datasets.models import DatasetVersion
from review.datasets.queries import get_dataset, get_version, versions_of

_BY = Actor("export_dataset", "command")


class Command(BaseCommand):
    help = "Writes a version of a dataset as a folder, or as a zip where TARGET ends in .zip."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset", help="its name or id")
        parser.add_argument("target", metavar="TARGET", type=Path)
        parser.add_argument("--number", type=int, help="of the version (default: the latest)")
        parser.add_argument("--build", action="store_true", help="freeze a new version first")
        parser.add_argument("--format", choices=sorted(FORMATS), default="yolo")
        parser.add_argument("--namespace", default="demo", help="its name or id (default: demo)")
        parser.add_argument(
            "--links",
            action="store_true",
            help="hard links to the store in place of copies; whoever writes into such an image damages the store",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        target: Path = options["target"]
        bar = Bar(self.stderr)
        try:
            version = _version(options)

            def report(done: int) -> None:
                bar.show("Exporting", done, version.image_count)

            if target.suffix == ".zip":
                export_zip_file(version=version, target=target, format=options["format"], report=report)
            else:
                export_folder(
                    version=version,
                    target=target,
                    format=options["format"],
                    links=options["links"],
                    report=report,
                )
        except DomainError as error:
            raise CommandError(error.message) from None
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.") from None
        finally:
            bar.done()
        self.stderr.write(
            f"{version}: {version.image_count:,} images with {version.box_count:,} boxes in {target}."
        )


def _version(options: dict[str, Any]) -> DatasetVersion:
    ref = options["namespace"]
    namespace = Namespace.objects.filter(name=ref).first() or Namespace.objects.filter(public_id=ref).first()
    if namespace is None:
        raise CommandError(f"There is no namespace {ref!r}.")
    dataset = get_dataset(namespace, options["dataset"])
    if options["build"]:
        return build_version(dataset=dataset, by=_BY)
    if options["number"] is not None:
        return get_version(dataset, options["number"])
    latest = versions_of(dataset).first()
    if latest is None:
        raise CommandError(f"{dataset.name} has no version yet. Add --build, or build one on its page.")
    return latest
