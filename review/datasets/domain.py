"""Verbs of datasets: made, changed, frozen, deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, connection, transaction

from extraction.intake.models import Image
from extraction.packages.domain import give_indices
from extraction.packages.models import ClassIndex, Extractor
from mixcv.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import named_id
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.datasets.export.manifest import manifest_lines
from review.datasets.models import Dataset, DatasetInclude, DatasetVersion
from review.datasets.policy import read_policy
from review.datasets.selection import FREEZE, TAKES, parameters

SHORTEST_NAME, LONGEST_NAME = 3, 100


class EmptyDataset(Conflict):
    """The policy's buckets and the includes name no image."""

    code = "empty_dataset"


class NoCompleteImage(Conflict):
    """There are images, and none may be trained on."""

    code = "no_complete_image"


class NoHoldout(Conflict):
    """No image is left to measure on, or none to train on."""

    code = "no_holdout"


def create_dataset(
    *,
    namespace: Namespace,
    extractor: Extractor,
    name: str,
    policy: Mapping[str, Any] | None = None,
    by: Actor,
) -> Dataset:
    """A dataset for an extractor's classes. Raises InvalidInput, NotFound for a bucket, AlreadyExists."""
    name = name.strip()
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or "\x00" in name:
        raise InvalidInput(
            f"A dataset's name has {SHORTEST_NAME} to {LONGEST_NAME} characters; this has {len(name)}.",
            field="dataset_name",
        )
    row = Dataset(namespace=namespace, extractor=extractor, name=name, public_id=named_id("ds", name))
    row.policy = _checked(row, policy or {})
    try:
        with transaction.atomic():
            row.save()
            _tell(row, "dataset.created", by, {"policy": row.policy})
    except IntegrityError:
        raise AlreadyExists(
            f"There is a dataset {row.public_id} already. Choose another name.", field="dataset_name"
        ) from None
    return row


def update_policy(*, dataset: Dataset, changes: Mapping[str, Any], by: Actor) -> Dataset:
    """Change some of the policy; versions that are built stay as they are. Raises InvalidInput, NotFound."""
    with transaction.atomic():
        row = Dataset.objects.select_for_update().select_related("namespace").get(pk=dataset.pk)
        row.policy = _checked(row, {**row.policy, **changes})
        row.save(update_fields=["policy", "updated_at"])
        _tell(row, "dataset.updated", by, {"policy": row.policy})
    return row


def _checked(row: Dataset, values: Mapping[str, Any]) -> dict[str, Any]:
    policy = read_policy(values)
    parameters(row, policy)
    return policy.as_json()


def include_images(
    *, dataset: Dataset, image_ids: Iterable[int], kind: str = DatasetInclude.Kind.ADD, by: Actor
) -> int:
    """Ask for images one by one; the latest kind holds. Returns how many there are. Raises NotFound, InvalidInput."""
    if kind not in DatasetInclude.Kind.values:
        raise InvalidInput(f"kind must be {' or '.join(DatasetInclude.Kind.values)}.", field="kind")
    wanted = sorted(set(image_ids))
    with transaction.atomic():
        known = set(
            Image.objects.filter(namespace_id=dataset.namespace_id, pk__in=wanted).values_list(
                "pk", flat=True
            )
        )
        if len(known) < len(wanted):
            raise NotFound(f"{len(wanted) - len(known)} of these images do not exist here.", field="images")
        DatasetInclude.objects.bulk_create(
            [DatasetInclude(dataset=dataset, image_id=key, kind=kind, actor=by.name) for key in wanted],
            update_conflicts=True,
            unique_fields=["dataset", "image"],
            update_fields=["kind", "actor"],
        )
        _tell(dataset, "dataset.images_included", by, {"kind": kind, "images": len(wanted)})
    return len(wanted)


def exclude_images(*, dataset: Dataset, image_ids: Iterable[int], by: Actor) -> int:
    """Take back what was asked for one by one. Returns how many were."""
    with transaction.atomic():
        gone, _ = DatasetInclude.objects.filter(dataset=dataset, image_id__in=list(image_ids)).delete()
        if gone:
            _tell(dataset, "dataset.images_excluded", by, {"images": gone})
    return gone


def build_version(*, dataset: Dataset, by: Actor) -> DatasetVersion:
    """Freeze the dataset as it is at this moment. Raises EmptyDataset, NoCompleteImage, NoHoldout.

    What goes in is decided by one statement, so that it is of one moment whatever reviewers write meanwhile. Classes
    that no version of the extractor had before get their index here.
    """
    with transaction.atomic():
        row = Dataset.objects.select_for_update().select_related("extractor", "namespace").get(pk=dataset.pk)
        policy = read_policy(row.policy)
        values = parameters(row, policy)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS mixcv_freeze")
            cursor.execute(FREEZE, values)
            cursor.execute("ANALYZE mixcv_freeze")
        counts = _counts()
        _refuse(counts)
        indices = give_indices(extractor=row.extractor, class_ids=_frozen_classes())
        row.last_number += 1
        row.save(update_fields=["last_number", "updated_at"])
        version = DatasetVersion.objects.create(
            dataset=row,
            number=row.last_number,
            policy=policy.as_json(),
            seed=policy.seed,
            classes=_classes(row.extractor),
            counts=counts,
            actor=by.name,
        )
        _write(version, indices)
        digest = hashlib.sha256()
        for line in manifest_lines(version):
            digest.update(line)
        version.manifest_sha256 = digest.hexdigest()
        version.save(update_fields=["manifest_sha256", "image_count", "box_count"])
        _tell(
            row,
            "dataset_version.created",
            by,
            {
                "version": version.number,
                "images": version.image_count,
                "boxes": version.box_count,
                "manifest_sha256": version.manifest_sha256,
            },
        )
    return version


def _counts() -> dict[str, dict[str, int]]:
    """By rule: images, those in train, val and the holdout, boxes, hard negatives."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT rule, count(DISTINCT image_id), count(DISTINCT image_id) FILTER (WHERE split = 'train'),
                count(DISTINCT image_id) FILTER (WHERE split = 'val'), count(DISTINCT image_id) FILTER (WHERE holdout),
                count(class_id)
            FROM mixcv_freeze GROUP BY rule ORDER BY rule
            """
        )
        names = ("images", "train", "val", "holdout", "boxes")
        return {rule: dict(zip(names, numbers, strict=True)) for rule, *numbers in cursor.fetchall()}


def _refuse(counts: Mapping[str, Mapping[str, int]]) -> None:
    if not counts:
        raise EmptyDataset(
            "The dataset is empty: its buckets hold no image, and none was added. Add images to a bucket, or change "
            "which buckets the policy names."
        )
    taken = [counts[rule] for rule in TAKES if rule in counts]
    if not taken:
        left = ", ".join(f"{numbers['images']:,} {rule}" for rule, numbers in counts.items())
        raise NoCompleteImage(
            f"No image is reviewed whole ({left}). Review all boxes of some images, or let sure detections count by "
            "accept_above. Images without any object come only beside images with objects.",
            details={"left_out": {rule: numbers["images"] for rule, numbers in counts.items()}},
        )
    if not sum(one["train"] for one in taken):
        raise NoHoldout(
            "All complete images belong to the holdout, which is never trained on. Review images outside it."
        )
    if not sum(one["val"] for one in taken):
        raise NoHoldout(
            "No complete image belongs to the holdout, so nothing could tell whether training helps. Review images of "
            "the holdout, or put part of the others to val by validation_share."
        )


def _frozen_classes() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT class_id FROM mixcv_freeze WHERE class_id IS NOT NULL ORDER BY 1")
        return [key for (key,) in cursor.fetchall()]


def _classes(extractor: Extractor) -> list[dict[str, Any]]:
    """All classes of an extractor by index, as they are called now; an index that none has is `unused`."""
    rows = ClassIndex.objects.filter(extractor=extractor).select_related("object_class")
    known = {row.index: row.object_class for row in rows}
    return [
        {
            "index": index,
            "name": known[index].name if index in known else f"unused {index}",
            "class_id": known[index].pk if index in known else None,
        }
        for index in range(max(known, default=-1) + 1)
    ]


def _write(version: DatasetVersion, indices: Mapping[int, int]) -> None:
    """Items and boxes in an order that only their content decides."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO review_datasetitem (dataset_version_id, image_id, image_sha256, split, holdout, file_name,
                width, height, rule, hard_negatives)
            SELECT %s, image_id, sha256, split, holdout, file_name, width, height, rule, negatives FROM (
                SELECT DISTINCT ON (f.image_id) f.*, trim(both '_' from left(regexp_replace(regexp_replace(
                    regexp_replace(coalesce(o.key, ''), '^.*/', ''), '\\.[^.]*$', ''), '[^A-Za-z0-9-]+', '_', 'g'), 60))
                    || '_' || left(f.sha256, 16) || CASE b.mime_type WHEN 'image/png' THEN '.png'
                    WHEN 'image/webp' THEN '.webp' ELSE '.jpg' END AS file_name
                FROM mixcv_freeze f JOIN extraction_image m ON m.id = f.image_id
                JOIN extraction_blob b ON b.id = m.working_id
                LEFT JOIN LATERAL (SELECT key FROM extraction_object o WHERE o.image_id = f.image_id
                    ORDER BY o.id LIMIT 1) o ON true
                WHERE f.rule = ANY(%s) ORDER BY f.image_id) named
            ORDER BY split, file_name COLLATE "C"
            """,
            [version.pk, list(TAKES)],
        )
        version.image_count = cursor.rowcount
        cursor.execute(
            """
            INSERT INTO review_datasetbox (item_id, class_index, object_class_id, cx, cy, w, h, origin, annotation_id,
                annotation_version)
            SELECT i.id, n.index, f.class_id, f.cx, f.cy, f.w, f.h, f.origin, f.annotation_id, f.annotation_version
            FROM review_datasetitem i JOIN mixcv_freeze f ON f.image_id = i.image_id
            JOIN unnest(%s::bigint[], %s::int[]) AS n(class_id, index) ON n.class_id = f.class_id
            WHERE i.dataset_version_id = %s
            ORDER BY i.id, n.index, f.cx, f.cy, f.w, f.h, f.origin, f.annotation_id COLLATE "C"
            """,
            [list(indices), list(indices.values()), version.pk],
        )
        version.box_count = cursor.rowcount


def delete_version(*, version: DatasetVersion, by: Actor) -> None:
    """Remove a version; its number is never given again. Raises Conflict where something was trained or measured on
    it."""
    with transaction.atomic():
        row = (
            DatasetVersion.objects.select_for_update(of=["self"]).select_related("dataset").get(pk=version.pk)
        )
        _refuse_used(row)
        _tell(row.dataset, "dataset_version.deleted", by, {"version": row.number})
        _delete_rows(row.pk)


def _refuse_used(row: DatasetVersion) -> None:
    """Both stand in later rooms and are reached from the row."""
    runs, evaluations = row.training_runs.count(), row.evaluations.count()
    used = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((runs, "training run"), (evaluations, "evaluation"))
        if number
    ]
    if used:
        raise Conflict(
            f"{row} is what {' and '.join(used)} {'rests' if runs + evaluations == 1 else 'rest'} on, so it stays.",
            details={"training_runs": runs, "evaluations": evaluations},
        )


def delete_dataset(*, dataset: Dataset, by: Actor) -> None:
    """Remove a dataset that has no version. Raises Conflict naming those that there are."""
    with transaction.atomic():
        row = Dataset.objects.select_for_update().get(pk=dataset.pk)
        numbers = list(row.versions.order_by("number").values_list("number", flat=True))
        if numbers:
            raise Conflict(
                f"{row.name} has {len(numbers)} version{'s' if len(numbers) > 1 else ''}, which say what was trained "
                "on. Delete them first."
            )
        _tell(row, "dataset.deleted", by, {"name": row.name})
        row.delete()


def _delete_rows(key: int) -> None:
    """A version with its items and boxes, in three statements however many there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM review_datasetbox WHERE item_id IN "
            "(SELECT id FROM review_datasetitem WHERE dataset_version_id = %s)",
            [key],
        )
        cursor.execute("DELETE FROM review_datasetitem WHERE dataset_version_id = %s", [key])
    DatasetVersion.objects.filter(pk=key).delete()


def _tell(row: Dataset, what: str, by: Actor, payload: dict[str, Any]) -> None:
    publish(
        namespace_id=row.namespace_id, actor=by.name, happenings=[Happening(what, row.public_id, payload)]
    )
