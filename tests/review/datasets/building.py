"""Reviewed images to build datasets of."""

from __future__ import annotations

from extraction.intake.models import Image
from extraction.truth.domain import declare_complete
from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import Actor
from review.datasets import domain
from review.verdicts.domain import Verdict, record_verdicts
from tests import factories as make

INES, OLE = Actor("ines"), Actor("ole")


def say(namespace, *verdicts, by=INES):
    outcomes = record_verdicts(namespace=namespace, verdicts=list(verdicts), by=by)
    assert all(one.error is None for one in outcomes), outcomes
    return [one.annotation for one in outcomes]


def put(documents, split):
    Image.objects.filter(pk__in=[one.image_id for one in documents]).update(split=split)


def detected(collection, count, split="train", detections=make.DEFAULT):
    documents = make.make_detected(collection, count, detections=detections)
    put(documents, split)
    return documents


def confirm(documents, by=INES):
    for document in documents:
        say(
            document.collection.namespace,
            *(Verdict("confirmed", one.pk) for one in make.detections_of(document)),
            by=by,
        )
    return documents


def reject(documents):
    for document in documents:
        verdicts = (Verdict("false_positive", one.pk) for one in make.detections_of(document))
        say(document.collection.namespace, *verdicts)
    return documents


def draw(document, name, box, by=INES):
    verdict = Verdict(
        "missed",
        image_id=document.image_id,
        class_name=name,
        box=Box(*box),
        collection_id=document.collection_id,
        document_id=document.pk,
    )
    return say(document.collection.namespace, verdict, by=by)[0]


def declare(document):
    declare_complete(image=document.image)


def dataset_of(collection, name="street", **policy):
    return domain.create_dataset(
        namespace=collection.namespace,
        extractor=collection.extractor_version.extractor,
        name=name,
        policy=policy,
        by=INES,
    )


def ready(collection, train=3, val=2):
    """Images that are reviewed whole, in training and in the holdout."""
    return confirm(detected(collection, train)), confirm(detected(collection, val, "holdout"))


def build(dataset):
    return domain.build_version(dataset=dataset, by=INES)
