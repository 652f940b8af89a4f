"""`manage.py ingest DIR --bucket NAME --collection NAME [--wait]`: a folder of images into a bucket, and detected."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from extraction.intake.domain import Incoming, Outcome, add_objects, ensure_bucket
from extraction.intake.images import check_size
from extraction.intake.models import Bucket, Object
from extraction.runs import domain as runs
from extraction.runs.models import Batch, BatchItem, Collection
from mixcv.kernel.errors import DomainError, NotFound
from mixcv.kernel.progress import Bar
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_GROUP = 64
_GROUP_BYTES = 128_000_000
_QUIET_SECONDS = 20
_NAMED = 5
_BY = Actor("ingest", "command")


class Command(BaseCommand):
    help = "Takes a folder of images into a bucket; the collection detects them. Images that are there are passed over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument("--bucket", required=True, help="its name; made where there is none")
        parser.add_argument("--collection", required=True, help="its name or id")
        parser.add_argument("--namespace", default="demo", help="its name or id (default: demo)")
        parser.add_argument("--wait", action="store_true", help="return when all are detected")
        parser.add_argument("--timeout", type=float, default=3600, help="seconds that --wait waits at most")

    def handle(self, *_args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder.")
        try:
            namespace = _namespace(options["namespace"])
            collection = _collection(namespace, options["collection"])
            bucket = ensure_bucket(namespace=namespace, name=options["bucket"], by=_BY)
        except DomainError as error:
            raise CommandError(error.message) from None
        paths = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file()
        )
        if not paths:
            raise CommandError(f"{folder} has no image: no file that ends in {', '.join(sorted(_ENDINGS))}.")
        self.bar = Bar(self.stderr)
        outcomes = self._add(folder, paths, bucket)
        self._hand_over(bucket, collection, outcomes)
        if options["wait"]:
            self._wait(bucket, collection, outcomes, options["timeout"])

    def _add(self, folder: Path, paths: Sequence[Path], bucket: Bucket) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for group in _groups(paths):
            incoming = []
            for path in group:
                name = path.relative_to(folder).as_posix()
                try:
                    check_size(path.stat().st_size)
                    incoming.append(Incoming(name, data=path.read_bytes()))
                except DomainError as error:
                    outcomes.append(Outcome(name, "error", error=error))
                except OSError as error:
                    fault = DomainError(f"It cannot be read: {error.strerror}.")
                    outcomes.append(Outcome(name, "error", error=fault))
            outcomes += add_objects(bucket=bucket, incoming=incoming, by=_BY, skip_duplicates=True)
            self.bar.show("Adding images", len(outcomes), len(paths))
        self.bar.done()
        for one in outcomes:
            if one.error:
                self.stderr.write(f"{one.name}: {one.error.message}")
        counts = Counter(one.status for one in outcomes)
        self.stderr.write(
            f"{bucket.name}: {counts['created']:,} added, {counts['duplicate']:,} there already, "
            f"{counts['error']:,} refused."
        )
        if counts["error"] == len(outcomes):
            raise CommandError("No file could be taken in.")
        return outcomes

    def _hand_over(self, bucket: Bucket, collection: Collection, outcomes: Sequence[Outcome]) -> None:
        """A batch for what the collection does not take up by itself: it watches other buckets, or came later.

        What failed or was cancelled earlier is tried again.
        """
        watches = collection.enabled and collection.buckets.filter(pk=bucket.pk).exists()
        rows = {
            one.object.pk: one.object
            for one in outcomes
            if one.object and (one.status == "duplicate" or not watches)
        }
        known = set(
            _under_way(collection, rows)
            .union(
                BatchItem.objects.filter(collection=collection, object__in=rows, state=BatchItem.State.DONE)
            )
            .values_list("object_id", flat=True)
        )
        wanted = [row.public_id for key, row in rows.items() if key not in known]
        if not wanted:
            return
        try:
            batch = runs.create_batch(
                bucket=bucket,
                collections=[collection],
                object_ids=wanted,
                name=f"ingest into {bucket.name}",
                by=_BY,
            )
            runs.submit_batch(batch=batch, by=_BY)
        except DomainError as error:
            raise CommandError(error.message) from None

    def _wait(
        self, bucket: Bucket, collection: Collection, outcomes: Sequence[Outcome], seconds: float
    ) -> None:
        """Until no object of this folder waits for this collection.

        Raises CommandError when the time is up, and with the reasons where some failed.
        """
        keys = sorted({one.object.pk for one in outcomes if one.object})
        items = _under_way(collection, keys)
        end = time.monotonic() + seconds
        moved, last = time.monotonic(), -1
        while True:
            live = items.values("object_id").distinct().count()
            gathering = Batch.objects.filter(
                bucket=bucket, collections=collection, state=Batch.State.OPEN
            ).exists()
            self.bar.show("Detecting", len(keys) - live, len(keys))
            if live == 0 and not gathering:
                break
            if live != last:
                moved, last = time.monotonic(), live
            if time.monotonic() > end:
                self.bar.done()
                raise CommandError(
                    f"{live:,} images still wait after {seconds:g} s; detection goes on by itself."
                )
            if time.monotonic() - moved > _QUIET_SECONDS:
                self.stderr.write("Nothing moves: is a worker running? `manage.py up` starts one.")
                moved = time.monotonic() + 60
            time.sleep(0.5)
        self.bar.done()
        self._say_result(collection, keys)

    def _say_result(self, collection: Collection, keys: Sequence[int]) -> None:
        detected = Object.objects.filter(pk__in=keys, documents__collection=collection).distinct()
        number = detected.count()
        if number == len(keys):
            self.stderr.write(f"{collection.name}: {number:,} images detected.")
            return
        last = (
            BatchItem.objects.filter(collection=collection, object__in=keys)
            .exclude(object__in=detected)
            .select_related("object")
            .order_by("object_id", "-pk")
            .distinct("object_id")
        )
        reasons = [
            f"  {item.object.key}: {item.reason or item.get_state_display()}" for item in last[:_NAMED]
        ]
        more = len(keys) - number - len(reasons)
        raise CommandError(
            "\n".join(
                [
                    f"{collection.name}: {number:,} images detected, {len(keys) - number:,} failed:",
                    *reasons,
                    *([f"  and {more:,} more"] if more else []),
                    "The same command tries them again.",
                ]
            )
        )


def _under_way(collection: Collection, objects: Iterable[int]) -> QuerySet[BatchItem]:
    """Items of these objects that wait or are being detected; those of a draft, which nobody submitted, are neither."""
    live = [BatchItem.State.PENDING, BatchItem.State.RUNNING]
    items = BatchItem.objects.filter(collection=collection, object__in=list(objects), state__in=live)
    return items.exclude(batch__state=Batch.State.DRAFT)


def _namespace(ref: str) -> Namespace:
    found = Namespace.objects.filter(name=ref).first() or Namespace.objects.filter(public_id=ref).first()
    if found is None:
        names = ", ".join(Namespace.objects.values_list("name", flat=True)) or "none yet"
        raise NotFound(f"There is no namespace {ref!r}. There are: {names}.")
    return found


def _collection(namespace: Namespace, ref: str) -> Collection:
    try:
        return runs.get_collection(namespace, ref)
    except NotFound:
        names = (
            ", ".join(Collection.objects.filter(namespace=namespace).values_list("name", flat=True))
            or "none yet"
        )
        raise NotFound(f"There is no collection {ref!r} in {namespace.name}. There are: {names}.") from None


def _groups(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Files in groups that fit into memory together."""
    group: list[Path] = []
    size = 0
    for path in paths:
        if group and (len(group) >= _GROUP or size > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(path)
        size += path.stat().st_size
    if group:
        yield group
