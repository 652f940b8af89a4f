"""What a version holds."""

from __future__ import annotations

from extraction.runs.models import Document
from review.datasets.models import DatasetBox
from review.datasets.queries import plan_of
from tests import factories as make


def rules(dataset):
    return {row.rule: row.images for row in plan_of(dataset).rows}


def taken(version):
    return {item.image_id: item for item in version.items.all()}


def boxes_on(version, document):
    rows = DatasetBox.objects.filter(item__dataset_version=version, item__image_id=document.image_id)
    return sorted((row.object_class.name, row.origin) for row in rows.select_related("object_class"))


def rerun(collection, name, documents, detections=make.DEFAULT):
    """Another version's results on the same images."""
    version = make.make_version(collection.namespace, "other", name)
    version.extractor = collection.extractor_version.extractor
    version.save()
    second = make.make_collection(collection.buckets.get(), f"street {name}", version=version)
    objects = [document.object for document in documents]
    make.detect(second, objects, [make.result(detections) for _ in objects])
    return list(Document.objects.filter(collection=second).order_by("pk"))
