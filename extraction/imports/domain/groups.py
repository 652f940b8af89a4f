"""One group of an import's pictures: their images, their boxes, how complete they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from extraction.classes.models import ObjectClass
from extraction.imports.domain.counting import Counts
from extraction.imports.domain.faults import keep_faults, storable
from extraction.imports.formats import Cost, Fault, Frame, Picture, Placed, Reading, place
from extraction.imports.models import ImportedImage, TruthImport
from extraction.intake.domain import Incoming, add_objects
from extraction.intake.images import check_size, stored_frame
from extraction.intake.models import Bucket, Image, Object
from extraction.intake.schema import image_fields
from extraction.truth.domain import declare_images, refresh_completeness
from extraction.truth.imported import Became, Told, add_imported
from extraction.truth.matching import lock_detections, match_detections
from extraction.truth.models import GroundTruthBox
from mixcv.kernel.bulk import copy_in
from mixcv.kernel.errors import DomainError
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor

_FILES, _BYTES = 64, 128_000_000


def order(reading: Reading) -> list[Picture]:
    """The pictures with their split in place of the part: those of the holdout first, so that a picture that is in two
    parts is never trained on.

    The test part is the holdout; where there is none, the validation part is.
    """
    held = "test" if any(picture.part == "test" for picture in reading.pictures) else "val"
    for picture in reading.pictures:
        if picture.part:
            picture.part = Image.Split.HOLDOUT if picture.part == held else Image.Split.TRAIN
    return sorted(reading.pictures, key=lambda one: (one.part != Image.Split.HOLDOUT, one.path))


def in_groups(folder: Path, pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    """Pictures in groups that fit into memory together."""
    group: list[Picture] = []
    size = 0
    for picture in pictures:
        try:
            weight = (folder / picture.path).stat().st_size
        except OSError:
            weight = 0
        if group and (len(group) >= _FILES or size + weight > _BYTES):
            yield group
            group, size = [], 0
        group.append(picture)
        size += weight
    if group:
        yield group


@dataclass(slots=True)
class _File:
    """A picture's bytes, and its image once that is there."""

    picture: Picture
    data: bytes
    sha256: str
    image: Image | None = None
    added: bool = False


class Group:
    """Reads outside a transaction, writes inside one."""

    def __init__(
        self,
        row: TruthImport,
        folder: Path,
        pictures: Sequence[Picture],
        faults: Mapping[str, list[Fault]],
        classes: Mapping[str, ObjectClass],
    ) -> None:
        self.row, self.folder, self.pictures, self.classes = row, folder, pictures, classes
        self.faults = [fault for picture in pictures for fault in faults.get(picture.path, [])]
        self.hidden = {fault.picture for fault in self.faults if fault.cost == Cost.HIDDEN}
        self.files: list[_File] = []

    def read(self) -> None:
        for picture in self.pictures:
            try:
                path = self.folder / picture.path
                check_size(path.stat().st_size)
                data = path.read_bytes()
            except DomainError as error:
                self._refuse(picture, error.message)
            except OSError as error:
                self._refuse(picture, f"It cannot be read: {error.strerror}.")
            else:
                self.files.append(_File(picture, data, hashlib.sha256(data).hexdigest()))

    def write(self, counts: Counts) -> None:
        """Images, then detections locked, then truth: in the order of locks."""
        self._add_images()
        files = self._first_ones(counts)
        told, placed = self._told(files)
        detections = lock_detections(file.image.pk for file in files if file.image)
        became = add_imported(told)
        self._count_boxes(counts, became, placed)
        counts.add("detections_matched", match_detections(detections))
        self._complete(files, counts)
        images = {file.picture.path: file.image.pk for file in self.files if file.image}
        counts.add("refused", len(self.pictures) - len(images))
        keep_faults(self.row, self.faults, images, counts)
        self._tell(files, told, became)

    def _refuse(self, picture: Picture, message: str) -> None:
        self.faults.append(Fault(picture.path, 0, message, Cost.LEFT_OUT, picture.path))

    def _add_images(self) -> None:
        """Give every file its image; the bucket takes those that it lacks. A picture that is none is a fault."""
        bucket = self.row.bucket
        rows = Object.objects.filter(bucket=bucket, image__sha256__in=[file.sha256 for file in self.files])
        known = {row.image.sha256: row.image for row in rows.select_related("image") if row.image}
        # Of one content the first is sent: it says the split.
        missing: dict[str, _File] = {}
        for file in self.files:
            if file.sha256 not in known:
                missing.setdefault(file.sha256, file)
        outcomes = add_objects(
            bucket=bucket,
            incoming=[self._incoming(file, bucket) for file in missing.values()],
            by=Actor(self.row.actor),
            skip_duplicates=True,
            policy=bucket.unique_policy or (Bucket.Policy.INSERT if bucket.unique_key else ""),
        )
        refused: dict[str, str] = {}
        for file, outcome in zip(missing.values(), outcomes, strict=True):
            if outcome.object is not None and outcome.object.image is not None:
                known[file.sha256] = outcome.object.image
                file.added = outcome.status == "created"
            else:
                refused[file.sha256] = outcome.error.message if outcome.error else "It was not taken."
        for file in self.files:
            file.image = known.get(file.sha256)
            if file.image is None:
                self._refuse(file.picture, refused[file.sha256])

    def _incoming(self, file: _File, bucket: Bucket) -> Incoming:
        fields = image_fields(bucket.schema)
        name = "image" if not fields or "image" in fields else fields[0]
        return Incoming(file.picture.path, data=file.data, split=file.picture.part, property=name)

    def _first_ones(self, counts: Counts) -> list[_File]:
        """The files whose content this import did not have before; of the others, the first one's boxes stand."""
        have = [file.image.pk for file in self.files if file.image]
        rows = ImportedImage.objects.filter(truth_import=self.row, image_id__in=have)
        before = dict(rows.values_list("image_id", "path"))
        boxes = {file.picture.path: file.picture.boxes for file in self.files}
        files = []
        for file in self.files:
            if file.image is None:
                continue
            first = before.get(file.image.pk)
            if first is None:
                before[file.image.pk] = file.picture.path
                files.append(file)
                self._note_split(file)
                counts.add("added" if file.added else "present")
                counts.add("holdout" if file.image.split == Image.Split.HOLDOUT else "train")
                continue
            counts.add("repeated")
            other = file.picture.boxes and boxes.get(first) != file.picture.boxes
            message = f"It is the same picture as {first}, whose boxes stand."
            cost = Cost.LEFT_OUT if other else Cost.KEPT
            self.faults.append(Fault(file.picture.path, 0, message, cost, file.picture.path))
        copy_in(
            ImportedImage,
            ("truth_import_id", "image_id", "path"),
            ((self.row.pk, file.image.pk, storable(file.picture.path)) for file in files if file.image),
        )
        return files

    def _note_split(self, file: _File) -> None:
        told, image = file.picture.part, file.image
        if image and told and told != image.split:
            message = (
                f"The source puts it into {told}; it is in {image.split} since it was first seen and stays."
            )
            self.faults.append(Fault(file.picture.path, 0, message, Cost.KEPT, file.picture.path))

    def _told(self, files: Sequence[_File]) -> tuple[list[Told], list[tuple[_File, Placed]]]:
        told, placed = [], []
        for file in files:
            if file.image is None or not file.picture.boxes:
                continue
            placing = place(file.picture, _frame(file))
            self.faults += placing.faults
            if any(fault.cost == Cost.HIDDEN for fault in placing.faults):
                self.hidden.add(file.picture.path)
            for one in placing.boxes:
                told.append(Told(file.image.pk, self.classes[one.class_name].pk, one.box))
                placed.append((file, one))
        return told, placed

    def _count_boxes(
        self,
        counts: Counts,
        became: Sequence[tuple[Became, GroundTruthBox | None]],
        placed: Sequence[tuple[_File, Placed]],
    ) -> None:
        counts.add("boxes", len(became))
        names = {row.pk: row.name for row in self.classes.values()}
        for (what, row), (file, one) in zip(became, placed, strict=True):
            counts.add(_COUNTED[what])
            if row is None or what not in _SAID:
                continue
            name = names.get(row.object_class_id) or row.object_class.name
            differs = what == Became.REFUSED or name != self.classes[one.class_name].name
            message = _SAID[what].format(told=one.class_name, known=name)
            cost = Cost.LEFT_OUT if differs else Cost.KEPT
            labels = file.picture.labels or file.picture.path
            self.faults.append(Fault(labels, one.line, message, cost, file.picture.path))

    def _complete(self, files: Sequence[_File], counts: Counts) -> None:
        """An image whose label file could be read whole is complete, one whose file hides objects is not."""
        whole, others = [], []
        for file in files:
            if file.image is None:
                continue
            if not file.picture.told:
                counts.add("unlabelled")
                others.append(file.image.pk)
            elif file.picture.path in self.hidden:
                counts.add("partial")
                others.append(file.image.pk)
            else:
                whole.append(file.image.pk)
        declare_images(image_ids=whole)
        refresh_completeness(others)
        full = set(
            GroundTruthBox.objects.filter(image_id__in=whole)
            .exclude(state=GroundTruthBox.State.REMOVED)
            .values_list("image_id", flat=True)
        )
        counts.add("complete", len(full))
        counts.add("empty", len(whole) - len(full))

    def _tell(
        self,
        files: Sequence[_File],
        told: Sequence[Told],
        became: Sequence[tuple[Became, GroundTruthBox | None]],
    ) -> None:
        added: dict[int, int] = {}
        for item, (what, _) in zip(told, became, strict=True):
            added[item.image_id] = added.get(item.image_id, 0) + (what == Became.ADDED)
        labelled = {file.image.pk for file in files if file.image and file.picture.told}
        rows = Object.objects.filter(bucket=self.row.bucket, image_id__in=labelled).order_by("pk")
        publish(
            namespace_id=self.row.bucket.namespace_id,
            actor=self.row.actor,
            happenings=[
                Happening(
                    "object.truth_imported",
                    ref,
                    {
                        "object_id": ref,
                        "bucket_id": self.row.bucket.public_id,
                        "import_id": self.row.public_id,
                        "boxes_added": added.get(image or 0, 0),
                    },
                )
                for ref, image in rows.values_list("public_id", "image_id")
            ],
        )


_COUNTED = {
    Became.ADDED: "boxes_added",
    Became.THERE: "boxes_there",
    Became.PERSON: "boxes_of_people",
    Became.REFUSED: "boxes_of_people",
}
_SAID = {
    Became.PERSON: "A person decided that this is {known}; that box stands, and {told} of this file was left.",
    Became.REFUSED: "A person decided that there is no {known} here; {told} of this file was left.",
}


def _frame(file: _File) -> Frame:
    assert file.image is not None
    if file.picture.size in (None, (file.image.width, file.image.height)):
        return Frame((file.image.width, file.image.height))
    width, height, orientation = stored_frame(file.data)
    return Frame((width, height), orientation)
