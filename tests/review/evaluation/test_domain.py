"""Evaluations: started, done, resumed, cancelled, refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.packages.domain import register_version
from extraction.packages.models import ExtractorVersion
from mixcv.kernel.errors import InvalidInput, NotFound
from mixcv.kernel.models import Event, Job
from review.datasets.models import DatasetItem
from review.evaluation import domain
from review.evaluation.models import Comparison, EvaluatedVersion, ImagePrediction
from review.evaluation.queries import comparison_of
from tests import factories as make
from tests.review.evaluation.measuring import BEA, TRUE, evaluate, holdout, hosts

pytestmark = pytest.mark.django_db

ONLY_BUS = TRUE[:1]


@pytest.fixture
def two(namespace):
    """Versions 1.0.0 and 2.0.0 of one extractor, and a dataset version with three holdout images."""
    first, dataset_version = holdout(namespace)
    return first, make.make_version(namespace, "street", "2.0.0"), dataset_version


def test_versions_are_measured_and_compared(namespace, two, monkeypatch):
    first, second, dataset_version = two
    hosts(monkeypatch, {"1.0.0": ONLY_BUS, "2.0.0": TRUE})
    row = evaluate(namespace, dataset_version, [first, second])
    assert (row.job.state, row.job.done, row.job.total) == (Job.State.COMPLETED, 6, 6)
    assert (row.image_count, row.box_count) == (3, 9)
    assert [(one["name"], one["boxes"]) for one in row.classes] == [("bus", 3), ("person", 3), ("truck", 3)]
    old, new = (one.metrics for one in row.versions.all())
    assert old["map50_95"] == pytest.approx(1 / 3, abs=1e-6)
    assert new["map50_95"] == 1
    assert (old["precision"], old["recall"]) == (1, pytest.approx(1 / 3, abs=1e-6))
    assert old["errors"] == {"misses": 6, "false_alarms": 0, "wrong_classes": 0}
    assert old["matrix"]["rows"] == [[3, 0, 0, 0], [0, 0, 0, 3], [0, 0, 0, 3], [0, 0, 0, 0]]
    assert new["curves"][0] == {
        "class_id": None,
        "points": [
            [pytest.approx(1 / 3, abs=1e-4), 1, 0.91],
            [pytest.approx(2 / 3, abs=1e-4), 1, 0.62],
            [1, 1, 0.43],
        ],
    }
    results = Comparison.objects.get().results
    assert results["map50_95"]["difference"] == pytest.approx(2 / 3, abs=1e-6)
    assert results["map50_95"]["low"] == pytest.approx(2 / 3, abs=1e-6)
    assert results["images"] == {"better": 3, "worse": 0, "same": 0}
    turned = comparison_of(row.versions.all()[1], row.versions.all()[0])
    assert turned["map50_95"]["difference"] == pytest.approx(-2 / 3, abs=1e-6)
    assert turned["images"] == {"better": 0, "worse": 3, "same": 0}
    assert list(
        Event.objects.filter(subject=row.public_id).order_by("pk").values_list("type", flat=True)
    ) == [
        "evaluation.created",
        "evaluation.completed",
    ]


def test_training_images_are_not_measured_on(namespace, two, monkeypatch):
    first, _, dataset_version = two
    hosts(monkeypatch, {"1.0.0": TRUE})
    evaluate(namespace, dataset_version, [first])
    assert not ImagePrediction.objects.filter(item__holdout=False).exists()
    assert ImagePrediction.objects.count() == 3


def test_the_working_threshold_is_the_versions_own_or_the_one_given(namespace, two, monkeypatch):
    first, second, dataset_version = two
    ExtractorVersion.objects.filter(pk=second.pk).update(parameters={"threshold": 0.5})
    second.refresh_from_db()
    hosts(monkeypatch, {"1.0.0": TRUE, "2.0.0": TRUE})
    row = evaluate(namespace, dataset_version, [first, second])
    assert [one.threshold for one in row.versions.all()] == [0.25, 0.5]
    assert [one.metrics["recall"] for one in row.versions.all()] == [1, pytest.approx(2 / 3, abs=1e-6)]
    row = evaluate(namespace, dataset_version, [first, second], threshold=0.7)
    assert [one.metrics["recall"] for one in row.versions.all()] == [pytest.approx(1 / 3, abs=1e-6)] * 2


def test_a_repeat_changes_nothing_and_another_evaluation_of_the_same_is_allowed(namespace, two, monkeypatch):
    first, second, dataset_version = two
    hosts(monkeypatch, {"1.0.0": ONLY_BUS, "2.0.0": TRUE})
    row = evaluate(namespace, dataset_version, [first, second])
    before = list(EvaluatedVersion.objects.values_list("metrics", flat=True))
    domain.run_evaluation(key=row.pk)
    Job.objects.update(state=Job.State.RUNNING, lease_until=timezone.now() - timedelta(seconds=1))
    domain.run_evaluation(key=row.pk)
    assert [
        {**one, "milliseconds": 0} for one in EvaluatedVersion.objects.values_list("metrics", flat=True)
    ] == [{**one, "milliseconds": 0} for one in before]
    assert (ImagePrediction.objects.count(), Comparison.objects.count()) == (6, 1)
    evaluate(namespace, dataset_version, [first, second])
    assert Comparison.objects.count() == 2


def test_a_worker_that_went_away_is_followed_by_one_that_does_the_rest(namespace, two, monkeypatch, settings):
    settings.MIXCV_CHUNK_IMAGES = 1
    first, second, dataset_version = two
    made = hosts(monkeypatch, {"1.0.0": ONLY_BUS, "2.0.0": TRUE})
    row = domain.start_evaluation(
        namespace=namespace, dataset_version=dataset_version, versions=[first, second], by=BEA
    )
    assert domain.lost_evaluations() == []
    host = made.setdefault("2.0.0", type("Dying", (), {"submit": lambda *_, **__: 1 / 0})())
    with pytest.raises(ZeroDivisionError):
        domain.run_evaluation(key=row.pk)
    assert ImagePrediction.objects.count() == 3
    domain.run_evaluation(key=row.pk)  # its lease still holds: nobody else takes it
    assert ImagePrediction.objects.count() == 3
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert domain.lost_evaluations() == [row.pk]
    made.pop("2.0.0")
    assert host is not None
    asked = len(made["1.0.0"].asked)
    domain.run_evaluation(key=row.pk)
    row.job.refresh_from_db()
    assert (row.job.state, row.job.done, row.job.attempt) == (Job.State.COMPLETED, 6, 2)
    assert len(made["1.0.0"].asked) == asked == 3
    assert ImagePrediction.objects.count() == 6


def test_an_evaluation_that_breaks_again_and_again_fails_with_its_reason(namespace, two, monkeypatch):
    first, _, dataset_version = two
    made = hosts(monkeypatch, {"1.0.0": TRUE})
    made["1.0.0"] = type("Dying", (), {"submit": lambda *_, **__: 1 / 0})()
    row = domain.start_evaluation(
        namespace=namespace, dataset_version=dataset_version, versions=[first], by=BEA
    )
    for _ in range(5):
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        with pytest.raises(ZeroDivisionError):
            domain.run_evaluation(key=row.pk)
    row.job.refresh_from_db()
    assert (row.job.state, row.job.error) == (Job.State.FAILED, "The evaluation broke: division by zero")


def test_an_image_that_fails_counts_as_no_boxes_and_is_named(namespace, two, monkeypatch):
    first, _, dataset_version = two
    item = DatasetItem.objects.filter(dataset_version=dataset_version, holdout=True).order_by("pk")[1]
    paths = {}

    def path_of(name):
        return paths.setdefault(name, name)

    monkeypatch.setattr("review.evaluation.domain.predicting.storage.local_path", path_of)
    hosts(monkeypatch, {"1.0.0": TRUE}, broken={item.image.working.storage_name})
    row = evaluate(namespace, dataset_version, [first])
    assert row.job.state == Job.State.COMPLETED_WITH_ERRORS
    metrics = row.versions.get().metrics
    assert metrics["failed_images"] == 1
    assert metrics["failed"] == [{"item_id": item.pk, "file_name": item.file_name, "error": "The host died."}]
    assert metrics["recall"] == pytest.approx(2 / 3, abs=1e-6)
    assert metrics["errors"]["misses"] == 3


def test_a_version_that_can_read_no_image_fails_the_evaluation(namespace, two, monkeypatch):
    first, _, dataset_version = two
    hosts(monkeypatch, {"1.0.0": lambda path: make.result((), error="no picture")})
    row = evaluate(namespace, dataset_version, [first])
    assert row.job.state == Job.State.FAILED
    assert row.job.error == "street 1.0.0 could read none of the images: no picture"


def test_a_package_with_a_threshold_of_its_own_is_warned_of(namespace, two, monkeypatch):
    first, second, dataset_version = two
    low = make.found("bus", 0.004, (20, 20, 10, 10))
    hosts(monkeypatch, {"1.0.0": TRUE, "2.0.0": [*TRUE, low]})
    row = evaluate(namespace, dataset_version, [first, second])
    warned, silent = (one.metrics["warnings"] for one in row.versions.all())
    assert "gave no box under 0.43" in warned[0]
    assert silent == []


def test_a_class_that_was_merged_counts_as_what_it_became(namespace, two, monkeypatch):
    first, second, dataset_version = two
    vehicle = ObjectClass.objects.create(namespace=namespace, name="vehicle", colour=9)
    ObjectClass.objects.filter(namespace=namespace, name__in=["bus", "truck"]).update(merged_into=vehicle)
    hosts(monkeypatch, {"1.0.0": [make.found("truck", 0.9, (160, 120, 200, 120))], "2.0.0": TRUE})
    row = evaluate(namespace, dataset_version, [first, second])
    assert {one["name"]: one["boxes"] for one in row.classes} == {"vehicle": 6, "person": 3}
    old, new = (one.metrics for one in row.versions.all())
    assert old["errors"] == {"misses": 6, "false_alarms": 0, "wrong_classes": 0}
    assert new["map50_95"] == 1


def test_another_extractor_with_the_same_names_is_measured(namespace, two, monkeypatch):
    _, _, dataset_version = two
    other = make.make_version(namespace, "other", "7.0.0")
    hosts(monkeypatch, {"7.0.0": [*TRUE, make.found("unheard of", 0.5, (30, 30, 20, 20))]})
    row = evaluate(namespace, dataset_version, [other])
    assert row.versions.get().metrics["map50_95"] == 1
    assert [one["name"] for one in row.classes][-1] == "unheard of"
    assert row.versions.get().metrics["errors"]["false_alarms"] == 3


def test_it_is_cancelled_before_and_between_chunks(namespace, two, monkeypatch, settings):
    settings.MIXCV_CHUNK_IMAGES = 1
    first, _, dataset_version = two
    start = {"namespace": namespace, "dataset_version": dataset_version, "versions": [first], "by": BEA}
    row = domain.start_evaluation(**start)
    domain.cancel_evaluation(evaluation=row, by=BEA)
    assert Job.objects.get(pk=row.job_id).state == Job.State.CANCELED
    with pytest.raises(domain.EvaluationOver, match="canceled already"):
        domain.cancel_evaluation(evaluation=row, by=BEA)
    row = domain.start_evaluation(**start)

    def find(path):
        domain.cancel_evaluation(evaluation=row, by=BEA)
        return make.result(TRUE)

    hosts(monkeypatch, {"1.0.0": find})
    domain.run_evaluation(key=row.pk)
    assert Job.objects.get(pk=row.job_id).state == Job.State.CANCELED
    assert ImagePrediction.objects.count() == 1
    assert Event.objects.filter(type="evaluation.canceled").count() == 2


def test_what_cannot_be_measured_is_refused_in_words(namespace, two):
    first, second, dataset_version = two

    def start(versions, held=dataset_version, **kwargs):
        return domain.start_evaluation(
            namespace=namespace, dataset_version=held, versions=versions, by=BEA, **kwargs
        )

    with pytest.raises(InvalidInput, match="1 to 6 versions"):
        start([])
    with pytest.raises(InvalidInput, match="1 to 6 versions to measure; 7 came"):
        start([first] * 7)
    with pytest.raises(InvalidInput, match=r"street 1\.0\.0 is named twice"):
        start([first, second, first])
    with pytest.raises(InvalidInput, match="threshold is 2"):
        start([first], threshold=2)
    with pytest.raises(domain.NotMeasurable, match="is registered; only a ready version"):
        start([register_version(namespace=namespace, extractor="street", version="9.0.0")])
    strange = make.make_version(namespace, "strange")
    ExtractorVersion.objects.filter(pk=strange.pk).update(class_names=["cell", "platelet"])
    strange.refresh_from_db()
    with pytest.raises(
        domain.NotMeasurable, match="knows cell, platelet, and none of these is on the holdout"
    ):
        start([strange])
    other = make.make_namespace("other")
    with pytest.raises(NotFound):
        start([make.make_version(other, "street")])
    with pytest.raises(NotFound):
        domain.start_evaluation(namespace=other, dataset_version=dataset_version, versions=[first], by=BEA)
    DatasetItem.objects.update(holdout=False)
    with pytest.raises(domain.NothingToMeasureOn, match="no image of the holdout"):
        start([first])
    assert not Job.objects.filter(kind=domain.KIND).exists()
