"""The counts are exact whatever is done, in whatever order, by however many at once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from importlib import import_module

import pytest
from django.db import connection
from django.db.models import Sum

from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import Actor
from review.quality.queries import Asked, stats
from review.verdicts.domain import (
    Revision,
    Verdict,
    define_label,
    delete_verdicts,
    fold_counts,
    record_verdicts,
    retract_verdicts,
    revise_verdicts,
)
from review.verdicts.models import Annotation, AnnotationCount, AnnotationVersion
from tests import factories as make
from tests.review.quality.judging import INES, OLE, decided, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(make.make_bucket(namespace), "detected_objects")


def plainly(namespace, **where):
    rows = Annotation.objects.filter(namespace=namespace, deleted_at=None, **where)
    return Counter(rows.values_list("label", flat=True))


def by_class_plainly(namespace):
    rows = Annotation.objects.filter(namespace=namespace, deleted_at=None)
    return Counter(
        (row.predicted_class or row.object_class).name
        for row in rows.select_related("predicted_class", "object_class")
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_counts_stay_exact_whatever_is_done(namespace, seed):
    """Random creations, repeats, changes, undos and deletions, with foldings in between, against a plain count."""
    rng = random.Random(seed)
    buckets = make.make_bucket(namespace)
    collections = [make.make_collection(buckets) for _ in range(2)]
    documents = [one for collection in collections for one in make.make_detected(collection, 2)]
    boxes = [box for document in documents for box in make.detections_of(document)]
    define_label(namespace=namespace, name="blurred", by=INES)
    for _ in range(40):
        by = rng.choice([INES, OLE])
        live = list(Annotation.objects.filter(deleted_at=None).order_by("pk"))
        step = rng.choice(["record", "record", "record", "revise", "undo", "delete", "fold"])
        if step == "record":
            document = rng.choice(documents)
            verdicts = [
                Verdict(rng.choice(["confirmed", "false_positive", "blurred"]), rng.choice(boxes).pk),
                Verdict("corrected", rng.choice(boxes).pk, class_name=rng.choice(["bus", "tram"])),
                Verdict(
                    "missed",
                    image_id=document.image_id,
                    class_name=rng.choice(["bus", "van"]),
                    box=Box(rng.choice([30, 60]), 30, 10, 10),
                    collection_id=document.collection_id,
                    document_id=document.pk,
                ),
            ]
            source = rng.choice(["api", "queue", "audit"])
            record(namespace, *rng.sample(verdicts, rng.randint(1, 3)), by=by, source=source)
        elif step == "revise" and live:
            row = rng.choice(live)
            changes = {"label": rng.choice(["confirmed", "false_positive"]), "reasoning": "seen again"}
            revise_verdicts(namespace=namespace, revisions=[Revision(row.public_id, changes)], by=by)
        elif step == "undo" and live:
            retract_verdicts(namespace=namespace, annotation_ids=[rng.choice(live).public_id], by=by)
        elif step == "delete" and live:
            delete_verdicts(namespace=namespace, annotation_ids=[rng.choice(live).public_id], by=by)
        elif step == "fold":
            fold_counts(at_most=rng.choice([3, 1000]))
        assert +stats(namespace, Asked()).all.by_label == plainly(namespace)
    for collection in collections:
        asked = Asked(collection=collection.pk)
        assert +stats(namespace, asked).all.by_label == plainly(namespace, collection=collection)
    classes = {one.key: one.total for one in stats(namespace, Asked(group_by="class")).groups}
    assert classes == dict(by_class_plainly(namespace))
    versions = AnnotationVersion.objects.values("annotation").distinct().count()
    assert versions == Annotation.objects.count()


def test_folding_leaves_one_row_of_a_key_and_the_same_sums(namespace, collection):
    decided(namespace, collection)
    before = stats(namespace, Asked(group_by="class", interval="day"))
    assert fold_counts() > 16 / 2
    assert fold_counts() == 0
    after = stats(namespace, Asked(group_by="class", interval="day"))
    assert after == before
    record(namespace, Verdict("false_positive", make.detections_of(collection.documents.first())[0].pk))
    fold_counts()
    assert not AnnotationCount.objects.filter(folded=False).exists()
    keys = AnnotationCount.objects.values_list("label", "object_class", "source", "day")
    assert len(set(keys)) == len(keys)


def test_what_was_there_before_the_counts_is_counted_by_their_migration(namespace, collection):
    documents = decided(namespace, collection)
    gone = Annotation.objects.filter(document=documents[1])
    delete_verdicts(
        namespace=namespace, annotation_ids=list(gone.values_list("public_id", flat=True)), by=INES
    )
    before = stats(namespace, Asked(group_by="class", interval="day"))
    AnnotationCount.objects.all().delete()
    Annotation.objects.filter(label="missed").update(
        extractor_version=None, decided_at="2020-01-01T00:00:00Z"
    )
    with connection.cursor() as cursor:
        cursor.execute(import_module("review.migrations.0003_count_annotations").FILL)
    assert stats(namespace, Asked(group_by="class", interval="day")) == before
    missed = Annotation.objects.get(label="missed")
    assert missed.extractor_version == collection.extractor_version
    assert missed.decided_at == missed.updated_at


@pytest.mark.django_db(transaction=True)
def test_the_counts_stay_exact_under_writers_at_once():
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace))
    boxes = [box.pk for document in make.make_detected(collection, 8) for box in make.detections_of(document)]
    errors = []
    over = threading.Event()

    def work(name):
        rng = random.Random(name)
        by = Actor(name)
        try:
            for _ in range(8):
                some = rng.sample(boxes, 12)
                label = rng.choice(["confirmed", "false_positive"])
                rows = record_verdicts(
                    namespace=namespace, verdicts=[Verdict(label, key) for key in some], by=by
                )
                refs = [one.annotation.public_id for one in rows]
                retract_verdicts(namespace=namespace, annotation_ids=refs[:3], by=by)
                revise_verdicts(
                    namespace=namespace,
                    revisions=[Revision(ref, {"label": "confirmed"}) for ref in reversed(refs)],
                    by=by,
                )
                delete_verdicts(namespace=namespace, annotation_ids=refs[8:], by=by)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    def fold():
        try:
            while not over.wait(0.01):
                fold_counts(at_most=20)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    folder = threading.Thread(target=fold)
    workers = [threading.Thread(target=work, args=(name,)) for name in ("ines", "ole", "ida")]
    for thread in [folder, *workers]:
        thread.start()
    for thread in workers:
        thread.join()
    over.set()
    folder.join()
    assert errors == []
    assert +stats(namespace, Asked()).all.by_label == plainly(namespace)
    assert AnnotationCount.objects.aggregate(n=Sum("n"))["n"] == sum(plainly(namespace).values())
