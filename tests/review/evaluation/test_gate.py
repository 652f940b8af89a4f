"""What the gate asks of a version, and what promotion does with it."""

from __future__ import annotations

import pytest

from extraction.intake.models import Blob, Image
from extraction.packages.domain import (
    GateClosed,
    InUse,
    NotDeployable,
    NothingBefore,
    delete_version,
    promote,
    roll_back,
)
from extraction.packages.models import ExtractorVersion, ProductionChange, RegistryModel
from extraction.truth.models import ImageReview
from mixcv.kernel.errors import Forbidden, InvalidInput
from mixcv.kernel.models import Event, Job
from mixcv.tenancy.actors import SYSTEM, person, program
from mixcv.tenancy.domain import create_api_key
from mixcv.tenancy.models import Role
from review.datasets.models import DatasetItem
from review.evaluation.gate import checks
from review.evaluation.models import Comparison, Evaluation, PromotionPolicy
from review.training.models import TrainingRun
from tests import factories as make
from tests.review.evaluation.measuring import TRUE, evaluate, holdout, hosts

pytestmark = pytest.mark.django_db

MISSES = TRUE[:1]
WHY = "the holdout is not complete yet"


@pytest.fixture
def two(namespace):
    first, dataset_version = holdout(namespace)
    promote(version=first, by=SYSTEM)
    PromotionPolicy.objects.create(extractor=first.extractor, least_boxes=3)
    return first, make.make_version(namespace, "street", "2.0.0"), dataset_version


def measured(namespace, two, monkeypatch, old=MISSES, new=TRUE):
    first, second, dataset_version = two
    hosts(monkeypatch, {"1.0.0": old, "2.0.0": new})
    return evaluate(namespace, dataset_version, [first, second])


def by_key(version):
    version.refresh_from_db()
    return {one.key: one for one in checks(version).checks}


def trained(namespace, version, base, dataset_version):
    job = Job.objects.create(namespace_id=namespace.pk, kind="training", subject=version.public_id)
    return TrainingRun.objects.create(
        namespace=namespace,
        extractor=version.extractor,
        dataset_version=dataset_version,
        base_version=base,
        base_blob=Blob.objects.first(),
        produced_version=version,
        job=job,
    )


def test_a_better_version_passes_every_check_and_is_promoted(namespace, two, monkeypatch):
    first, second, _ = two
    row = measured(namespace, two, monkeypatch)
    gate = checks(second)
    assert [(one.key, one.passed) for one in gate.checks] == [
        ("evaluated", True),
        ("better", True),
        ("classes", True),
        ("boxes", True),
        ("unseen", True),
    ]
    assert "mAP50-95 goes from 0.333 to 1.000, +0.667" in gate.checks[1].text
    assert gate.checks[1].link == {
        "kind": "compare",
        "evaluation": row.public_id,
        "old": first.public_id,
        "new": second.public_id,
    }
    promote(version=second, by=SYSTEM, reason="better")
    second.extractor.refresh_from_db()
    assert second.extractor.production == second
    change = ProductionChange.objects.first()
    assert change.details["evaluation_id"] == row.public_id
    assert [one["key"] for one in change.details["checks"] if one["passed"]] == [
        *("evaluated", "better", "classes", "boxes", "unseen")
    ]
    assert Event.objects.filter(type="extractor.promoted", subject=second.public_id).count() == 1


def test_a_version_without_evaluation_is_refused(two):
    first, second, _ = two
    with pytest.raises(GateClosed, match=r"2\.0\.0 was never measured beside street 1\.0\.0") as refused:
        promote(version=second, by=SYSTEM)
    assert refused.value.status == 409
    assert [one["key"] for one in refused.value.details["checks"]] == ["evaluated"]
    assert by_key(second)["evaluated"].link == {
        "kind": "start",
        "old": first.public_id,
        "new": second.public_id,
    }
    first.extractor.refresh_from_db()
    assert first.extractor.production == first


def test_an_evaluation_that_failed_or_has_one_of_the_two_is_none(namespace, two, monkeypatch):
    _, second, dataset_version = two
    measured(namespace, two, monkeypatch)
    Job.objects.filter(kind="evaluation").update(state=Job.State.FAILED)
    evaluate(namespace, dataset_version, [second])
    assert not by_key(second)["evaluated"].passed


def test_a_version_that_is_worse_or_only_perhaps_better_is_refused(namespace, two, monkeypatch):
    _, second, _ = two
    measured(namespace, two, monkeypatch, old=TRUE, new=MISSES)
    found = by_key(second)
    assert not found["better"].passed
    assert "2.0.0 is worse than 1.0.0" in found["better"].text
    assert not found["classes"].passed
    assert "class person −1.000" in found["classes"].text
    assert found["classes"].link["kind"] == "class"
    row = Comparison.objects.get()
    row.results["map50_95"] = {"old": 0.5, "new": 0.52, "difference": 0.02, "low": -0.01, "high": 0.05}
    row.save()
    better = by_key(second)["better"]
    assert not better.passed
    assert "+0.020 (−0.010 to +0.050): the interval includes zero" in better.text


def test_the_bound_on_a_class_is_of_the_point_estimate(namespace, two, monkeypatch):
    _, second, _ = two
    measured(namespace, two, monkeypatch)
    row = Comparison.objects.get()
    worse = {"old": 0.9, "new": 0.86, "difference": -0.04, "low": -0.1, "high": 0.02}
    row.results["classes"][0] |= worse
    row.save()
    assert "class bus −0.040 (−0.100 to +0.020)." in by_key(second)["classes"].text
    assert not by_key(second)["classes"].passed
    PromotionPolicy.objects.update(class_bound=0.05)
    assert by_key(second)["classes"].passed


def test_too_few_checked_boxes_of_a_class_close_the_gate(namespace, two, monkeypatch):
    _, second, _ = two
    measured(namespace, two, monkeypatch)
    PromotionPolicy.objects.all().delete()
    few = by_key(second)["boxes"]
    assert not few.passed
    assert few.items[0] == "class bus has 3 of 20 checked boxes"
    assert "class person has 3 of 20 checked boxes; class truck has 3 of 20 checked boxes." in few.text
    assert "Add images with bus, person and others to the holdout" in few.text, "nothing is left to complete"
    ImageReview.objects.filter(image__split="holdout").delete()
    assert "Complete the holdout and build" in by_key(second)["boxes"].text
    assert few.link == {"kind": "holdout", "dataset": "ds_street", "version": 1}


def test_a_holdout_image_that_was_trained_on_closes_the_gate(namespace, two, monkeypatch):
    first, second, dataset_version = two
    row = measured(namespace, two, monkeypatch)
    assert "not trained here" in by_key(second)["unseen"].text
    assert (by_key(second)["unseen"].passed, by_key(second)["unseen"].known) == (True, False)
    trained(namespace, second, first, dataset_version)
    assert "No holdout image was trained on, back to street 1.0.0" in by_key(second)["unseen"].text
    held = list(DatasetItem.objects.filter(dataset_version=dataset_version, holdout=True).order_by("pk"))
    seen = DatasetItem.objects.filter(dataset_version=dataset_version, holdout=False).first()
    # The same content under another upload.
    own = held[0].image.working
    Image.objects.filter(pk=held[0].image_id).update(working=seen.image.working)
    assert by_key(second)["unseen"].numbers == {"trained_on": 1, "known": True}
    Image.objects.filter(pk=held[0].image_id).update(working=own)
    # Another picture of the same group.
    Image.objects.filter(pk__in=[held[0].image_id, held[1].image_id, seen.image_id]).update(
        group_key="camera 1"
    )
    assert "2 of the 3 holdout images" in by_key(second)["unseen"].text
    Image.objects.update(group_key="")
    # The image itself, in the training of the version before the version before.
    middle = make.make_version(namespace, "street", "1.5.0")
    TrainingRun.objects.update(base_version=middle)
    other = evaluate_other(namespace, two)
    trained(namespace, middle, first, other)
    assert not by_key(second)["unseen"].passed
    assert checks(second).evaluation == row


def test_weights_that_were_trained_here_are_known_whatever_version_they_are_in(namespace, two, monkeypatch):
    first, second, _ = two
    measured(namespace, two, monkeypatch)
    held = evaluate_other(namespace, two)
    weights, base = (
        Blob.objects.create(namespace=namespace, sha256=letter * 64, size=1) for letter in ("a", "b")
    )
    made = make.make_version(namespace, "street", "1.7.0")
    ExtractorVersion.objects.filter(pk=made.pk).update(weights=weights)
    run = trained(namespace, made, first, held)
    TrainingRun.objects.filter(pk=run.pk).update(base_blob=base)
    assert not by_key(second)["unseen"].numbers["known"]
    # Registered by hand from the same weights.
    ExtractorVersion.objects.filter(pk=second.pk).update(weights=weights)
    assert by_key(second)["unseen"].numbers == {"trained_on": 3, "known": True}
    # Trained on from them, though its base loads weights of its own.
    ExtractorVersion.objects.filter(pk=second.pk).update(weights=None)
    again = trained(namespace, second, first, two[2])
    TrainingRun.objects.filter(pk=again.pk).update(base_blob=base)
    assert by_key(second)["unseen"].numbers == {"trained_on": 0, "known": True}
    TrainingRun.objects.filter(pk=again.pk).update(base_blob=weights)
    assert by_key(second)["unseen"].numbers == {"trained_on": 3, "known": True}
    # A package's version that loads the model of the registry.
    again.delete()
    model = RegistryModel.objects.create(
        namespace=namespace,
        name="street",
        version="1.7.0",
        public_id="street_1_7_0",
        model_format="pytorch",
        archive=weights,
        file_name="best.pt",
    )
    TrainingRun.objects.filter(pk=run.pk).update(model=model)
    ExtractorVersion.objects.filter(pk=second.pk).update(model_overrides={"street_1_0_0": "street_1_7_0"})
    assert by_key(second)["unseen"].numbers == {"trained_on": 3, "known": True}


def test_images_that_one_of_the_two_could_not_read_close_the_gate(namespace, two, monkeypatch):
    _, second, _ = two
    row = measured(namespace, two, monkeypatch)
    old, new = row.versions.order_by("position")
    one, other = old.predictions.order_by("item")[:2]
    # On both sides alike: no side has an advantage.
    for side in (old, new):
        side.predictions.filter(item=one.item).update(error="truncated")
    assert by_key(second)["evaluated"].passed
    assert "1 could not be read" in by_key(second)["evaluated"].text
    old.predictions.filter(item=other.item).update(error="The host died.")
    check = by_key(second)["evaluated"]
    assert not check.passed
    assert "1 of them could be read by one version alone" in check.text


def evaluate_other(namespace, two):
    """Another dataset version, in whose training the first one's holdout images stand."""
    _, _, dataset_version = two
    other = type(dataset_version).objects.create(dataset=dataset_version.dataset, number=99)
    for item in dataset_version.items.filter(holdout=True):
        DatasetItem.objects.create(
            dataset_version=other,
            image=item.image,
            image_sha256=item.image_sha256,
            split="train",
            file_name=item.file_name,
            width=item.width,
            height=item.height,
            rule="reviewed",
        )
    return other


def test_an_admin_overrides_with_a_reason_and_nobody_else(namespace, two):
    _, second, _ = two
    admin, manager = (make.make_user(namespace, role=role) for role in (Role.ADMIN, Role.MANAGER))
    wide, _ = create_api_key(namespace=namespace, label="wide")
    narrow, _ = create_api_key(namespace=namespace, label="narrow", scopes=["read", "write"])

    def override(by, reason=WHY):
        promote(version=second, by=by, reason=reason, override=True)

    for by in (person(manager), program(narrow)):
        with pytest.raises(Forbidden, match="Only an admin"):
            override(by)
    with pytest.raises(InvalidInput, match="10 characters or more"):
        override(person(admin), "because  ")
    override(program(wide))
    assert ProductionChange.objects.first().details["override"] is True
    roll_back(extractor=second.extractor, by=SYSTEM)
    override(person(admin))
    assert ProductionChange.objects.first().reason == WHY
    assert ProductionChange.objects.first().actor == admin.username


def test_an_override_through_an_open_gate_is_none(namespace, two, monkeypatch):
    _, second, _ = two
    measured(namespace, two, monkeypatch)
    promote(version=second, by=person(make.make_user(namespace)), override=True)
    assert "override" not in ProductionChange.objects.first().details


def test_what_serves_already_or_is_not_ready_is_not_promoted(two):
    first, second, _ = two
    with pytest.raises(NotDeployable, match="in production already"):
        promote(version=first, by=SYSTEM)
    ExtractorVersion.objects.filter(pk=second.pk).update(state="retired")
    with pytest.raises(NotDeployable, match="only a ready version"):
        promote(version=second, by=SYSTEM, override=True, reason=WHY)


def test_rolling_back_goes_to_what_served_before_and_then_further_back(namespace, two):
    first, second, _ = two
    third = make.make_version(namespace, "street", "3.0.0")
    extractor = first.extractor
    with pytest.raises(NothingBefore, match="No other version of street"):
        roll_back(extractor=extractor, by=SYSTEM)
    for version in (second, third):
        promote(version=version, by=SYSTEM, override=True, reason=WHY)
    assert roll_back(extractor=extractor, by=SYSTEM, reason="misses buses") == second
    change = ProductionChange.objects.first()
    assert (change.version, change.reason, change.details) == (
        second,
        "misses buses",
        {"rolled_back_from": "3.0.0"},
    )
    assert Event.objects.filter(type="extractor.rolled_back", subject=second.public_id).count() == 1
    ExtractorVersion.objects.filter(pk=first.pk).update(state="failed")
    with pytest.raises(NotDeployable, match=r"street 1\.0\.0, which was in production before, is failed"):
        roll_back(extractor=extractor, by=SYSTEM)
    ExtractorVersion.objects.filter(pk=first.pk).update(state="ready")
    assert roll_back(extractor=extractor, by=SYSTEM) == first
    with pytest.raises(NothingBefore):
        roll_back(extractor=extractor, by=SYSTEM)


def test_a_measured_version_is_not_deleted(namespace, two, monkeypatch):
    _, second, _ = two
    measured(namespace, two, monkeypatch)
    with pytest.raises(InUse, match="was measured or trained from"):
        delete_version(version=second, by=SYSTEM)
    assert Evaluation.objects.get().versions.count() == 2
