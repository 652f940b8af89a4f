"""Home, as people open it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from extraction.intake.models import Blob
from extraction.packages.models import ExtractorVersion, ProductionChange
from extraction.truth.models import ImageReview
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Role
from review.datasets.models import Dataset, DatasetVersion
from review.evaluation.models import Comparison, EvaluatedVersion, Evaluation
from review.queues.models import QueueItem
from review.training.models import TrainingEpoch, TrainingRun
from review.verdicts.domain import Verdict, record_verdicts
from tests import factories as make

pytestmark = pytest.mark.django_db
INES = Actor("ines")


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(make.make_bucket(namespace), "street")


@pytest.fixture
def manager(namespace):
    return signed_in(make.make_user(namespace, name="maria", role=Role.MANAGER))


@pytest.fixture
def reviewer(namespace):
    return signed_in(make.make_user(namespace, name="ines"))


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def text_of(client, path=""):
    answer = client.get(f"/n/demo/{path}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def in_production(version):
    version.extractor.production = version
    version.extractor.save()
    ProductionChange.objects.create(extractor=version.extractor, version=version, actor="ines")


def newer(version, number="2.0.0"):
    return ExtractorVersion.objects.create(
        extractor=version.extractor,
        version=number,
        public_id=f"{version.extractor.name}_{number}",
        package=version.package,
        state=ExtractorVersion.State.READY,
        created_at=version.created_at + timedelta(minutes=1),
    )


def job(namespace, state=Job.State.COMPLETED, **values):
    finished = timezone.now() if state not in {Job.State.RUNNING, Job.State.PENDING} else None
    return Job.objects.create(
        namespace_id=namespace.pk, kind="odd", subject="x", state=state, finished_at=finished, **values
    )


def dataset_version(version, number=1):
    namespace = version.extractor.namespace
    dataset, _ = Dataset.objects.get_or_create(
        namespace=namespace,
        extractor=version.extractor,
        name=f"set of {version.extractor.name}",
        public_id=f"ds_{version.extractor.name}",
    )
    counts = {"reviewed": {"images": 40, "train": 30, "val": 10, "holdout": 10, "boxes": 99}}
    return DatasetVersion.objects.create(
        dataset=dataset, number=number, image_count=40, box_count=99, counts=counts
    )


def trained(base, data, produced=None, state=Job.State.COMPLETED, **values):
    namespace = base.extractor.namespace
    run = TrainingRun.objects.create(
        namespace=namespace,
        extractor=base.extractor,
        dataset_version=data,
        base_version=base,
        base_blob=Blob.objects.get_or_create(namespace=namespace, sha256="0" * 64, defaults={"size": 1})[0],
        job=job(namespace, state, **values),
        settings={"epochs": 60},
        phase=TrainingRun.Phase.TRAINING if state == Job.State.RUNNING else TrainingRun.Phase.DONE,
        produced_version=produced,
    )
    for number in range(1, 4):
        TrainingEpoch.objects.create(run=run, number=number)
    return run


def measured(data, old, new, low=0.008, high=0.054, state=Job.State.COMPLETED):
    namespace = old.extractor.namespace
    row = Evaluation.objects.create(
        namespace=namespace,
        extractor=old.extractor,
        dataset_version=data,
        job=job(namespace, state),
        image_count=1240,
        settings={"names": {}, "merged": {}, "threshold": 0.5},
    )
    sides = []
    for place, (version, value) in enumerate(((old, 0.634), (new, 0.665))):
        metrics = {"map50_95": value, "intervals": {"map50_95": [value - 0.02, value + 0.02]}}
        if state != Job.State.COMPLETED:
            metrics = {}
        sides.append(
            EvaluatedVersion.objects.create(
                evaluation=row, extractor_version=version, position=place, metrics=metrics
            )
        )
    if state == Job.State.COMPLETED:
        one = {"old": 0.634, "new": 0.665, "difference": 0.031, "low": low, "high": high}
        results = {"map50_95": one, "map50": one, "precision": one, "recall": one, "classes": []}
        results["images"] = {"better": 1, "worse": 0, "same": 0}
        Comparison.objects.create(evaluation=row, old=sides[0], new=sides[1], results=results)
    return row


def judge(collection, count=2):
    for document in make.make_detected(collection, count):
        truck, person, bus = make.detections_of(document)
        verdicts = [
            Verdict("confirmed", truck.pk),
            Verdict("false_positive", person.pk),
            Verdict("confirmed", bus.pk),
        ]
        record_verdicts(namespace=collection.namespace, verdicts=verdicts, by=INES, source="queue")


def test_an_empty_namespace_says_how_to_begin(manager):
    text = text_of(manager)
    assert "Add the first images" in text
    assert "2 more ideas" not in text  # only a detector is missing besides
    assert "Deploy a detector" in text
    for title in ("Detect", "Review", "Train", "Compare", "Compound"):
        assert f"<b>{title}</b>" in text
    assert "No box is judged yet" in text
    assert "No detector yet." in text
    assert "No collection yet." in text
    assert "Nothing runs." in text


def test_the_loop_has_live_numbers_and_links(manager, namespace, collection):
    make.make_detected(collection, 2)
    text = text_of(manager)
    assert '<a class="stagecard" href="/n/demo/images/">' in text
    assert "2 <span>images</span>" in text
    assert "6 boxes found" in text
    assert "4 <span>boxes wait</span>" in text
    assert "Review 4 doubtful boxes of street" in text
    assert '<div class="stagecard still">' in text  # the fifth leads nowhere yet
    assert text.count("/crop?detection=") == 4
    assert "style=" not in text


def test_what_waits_is_reached_from_here(manager, collection):
    make.make_detected(collection)
    queue = make.queue_of(collection)
    text = text_of(manager)
    assert f'<a class="link" href="/n/demo/review/{queue.public_id}/">' in text
    assert '<a class="link small push" href="/n/demo/review/">All queues</a>' in text


def test_the_pace_is_the_readers_own(reviewer, manager, collection):
    judge(collection, 2)
    document = make.make_detected(collection)[0]
    for detection in make.detections_of(document):
        verdict = Verdict("confirmed", detection.pk)
        record_verdicts(namespace=collection.namespace, verdicts=[verdict], by=INES, source="queue")
    collection.namespace.annotations.update(seconds=120.0)
    make.make_detected(collection, 1)
    assert "About 4 minutes at your pace." in text_of(reviewer)
    assert "at your pace" not in text_of(manager)


def test_before_any_comparison_the_confirmed_rate_is_drawn_and_named_so(manager, collection):
    judge(collection, 3)
    text = text_of(manager)
    assert "share of judged boxes that stood as found" in text
    assert 'aria-label="The confirmed rate 66.7%' in text
    assert "<polyline" in text


def test_measured_versions_are_drawn_with_their_interval_and_production(manager, namespace, collection):
    old = collection.extractor_version
    in_production(old)
    new = newer(old)
    measured(dataset_version(old), old, new)
    text = text_of(manager)
    assert "mAP on 1,240 held-out images, with its 95% interval" in text
    assert "rose from 0.634" in text
    assert "<title>" in text
    assert "1.0.0 in production" in text
    assert '<td class="num up" title="+0.008 to +0.054 against' in text
    assert "+0.031" in text
    assert "wants a decision" in text


def test_a_change_that_is_not_proven_has_no_colour(manager, collection):
    old = collection.extractor_version
    in_production(old)
    measured(dataset_version(old), old, newer(old), low=-0.01)
    text = text_of(manager)
    assert '<td class="num t3" title="−0.010 to +0.054 against' in text
    assert "num up" not in text


def test_a_run_under_way_is_in_the_loop_and_among_the_versions(manager, collection):
    version = collection.extractor_version
    trained(version, dataset_version(version), state=Job.State.RUNNING, done=57, total=100, rate=0.05)
    text = text_of(manager)
    assert "4 <span>of 60 epochs</span>" in text
    assert "14 min left" in text
    assert "training, 57%" in text


def test_after_a_training_its_version_looks_then_is_compared(manager, collection):
    version = collection.extractor_version
    make.make_objects(collection.buckets.get(), 1)
    collection.document_count = 1
    collection.save()
    in_production(version)
    new = newer(version)
    trained(version, dataset_version(version), new)
    text = text_of(manager)
    assert f"Let {new} look at the images" in text
    assert "0 <span>new verdicts</span>" in text
    make.make_collection(collection.buckets.get(), version=new)
    assert f"Compare {new} with production" in text_of(manager)


def test_a_version_that_was_taken_out_of_production_is_not_proposed_again(manager, collection):
    version = collection.extractor_version
    new = newer(version)
    in_production(new)
    in_production(version)
    text = text_of(manager)
    assert f"Compare {new}" not in text
    assert "was in production" in text


def test_a_failed_training_comes_first_while_it_is_fresh(manager, collection):
    make.make_detected(collection)
    version = collection.extractor_version
    run = trained(version, dataset_version(version), state=Job.State.FAILED, error="The disk is full.")
    text = text_of(manager)
    assert "failed</h2>" in text
    assert "The disk is full." in text
    Job.objects.filter(pk=run.job_id).update(finished_at=timezone.now() - timedelta(days=8))
    assert "Review 2 doubtful boxes of street" in text_of(manager)


def test_enough_complete_images_ask_for_a_dataset(manager, collection):
    for document in make.make_detected(collection, 10):
        ImageReview.objects.update_or_create(image=document.image, defaults={"completeness": "complete"})
    QueueItem.objects.all().delete()
    collection.queues.update(waiting_count=0)
    assert "Build the first dataset for" in text_of(manager)


def test_reviewers_see_no_step_that_only_managers_take(reviewer):
    text = text_of(reviewer)
    assert "Deploy a detector" not in text
    assert "Nothing waits for you" in text


def everything(namespace):
    """One more of all that home shows."""
    collection = make.make_collection(make.make_bucket(namespace))
    judge(collection, 1)
    make.make_detected(collection, 1)
    version = collection.extractor_version
    in_production(version)
    data, new = dataset_version(version), newer(version)
    trained(version, data, new)
    trained(version, data, state=Job.State.RUNNING, done=1, total=2)
    measured(data, version, new)
    measured(data, version, new, state=Job.State.RUNNING)


def test_it_takes_the_same_number_of_queries_for_more(manager, namespace):
    def queries():
        with CaptureQueriesContext(connection) as caught:
            text_of(manager)
        return len(caught), [one["sql"][:100] for one in caught]

    everything(namespace)
    queries()  # the first opens the session
    few, before = queries()
    everything(namespace)
    everything(namespace)
    many, after = queries()
    assert many == few, [sql for sql in after if sql not in before]
    assert few <= 60


def test_what_runs_asks_for_itself_again_while_it_does(manager, namespace):
    assert "hx-get" not in text_of(manager, "home/running/")
    running = job(namespace, Job.State.RUNNING, done=34, total=60)
    text = text_of(manager, "home/running/")
    assert 'hx-get="/n/demo/home/running/"' in text
    assert "34 of 60" in text
    assert f"/tasks/{running.public_id}/cancel/" in text


def test_strangers_find_nothing(collection):
    stranger = signed_in(make.make_user(make.make_namespace("other")))
    assert stranger.get("/n/demo/").status_code == 404
    assert stranger.get("/n/demo/home/running/").status_code == 404
    make.make_detected(collection)
    assert "street" not in stranger.get("/n/other/").content.decode()


def test_pictures_beside_a_step_are_of_its_own_queue_whoever_else_has_one_of_that_name(namespace, reviewer):
    other = make.make_namespace("other")
    for one in (other, namespace):
        make.make_detected(make.make_collection(make.make_bucket(one), "street"))
    with CaptureQueriesContext(connection) as queries:
        page = text_of(reviewer)
    assert page.count("&amp;size=96") == QueueItem.objects.filter(queue__namespace=namespace).count()
    assert "/n/other/" not in page
    # The queue's index has them in order: nothing is joined before the first of them are taken.
    (taken,) = [one["sql"] for one in queries if "review_queueitem" in one["sql"] and "LIMIT 5" in one["sql"]]
    assert "JOIN" not in taken
