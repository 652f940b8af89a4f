"""What goes into a version, and what stays out."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import connection, transaction

from extraction.intake.models import Blob, Image
from extraction.packages.models import ClassIndex
from extraction.runs.models import Detection
from extraction.truth.models import GroundTruthBox, ImageReview
from mixcv.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from mixcv.kernel.models import Event
from review.datasets import domain
from review.datasets.export.manifest import manifest_lines
from review.datasets.models import DatasetBox, DatasetItem
from review.datasets.queries import left_out
from review.verdicts.domain import Verdict
from tests import factories as make
from tests.review.datasets.building import (
    INES,
    build,
    confirm,
    dataset_of,
    declare,
    detected,
    draw,
    put,
    ready,
    reject,
    say,
)
from tests.review.datasets.frozen import boxes_on, rules, taken

pytestmark = pytest.mark.django_db


def test_a_version_holds_what_was_decided_and_says_by_which_decision(collection):
    train, val = ready(collection, 2, 1)
    version = build(dataset_of(collection))
    assert (version.number, version.image_count, version.box_count) == (1, 3, 9)
    split = {document.image_id: "train" for document in train} | {val[0].image_id: "val"}
    assert {key: item.split for key, item in taken(version).items()} == split
    box = DatasetBox.objects.filter(item__image_id=train[0].image_id, object_class__name="bus").get()
    assert (box.cx, box.cy, box.w, box.h) == (160, 120, 200, 120)
    truth = GroundTruthBox.objects.get(image_id=train[0].image_id, object_class__name="bus")
    assert (box.annotation_id, box.annotation_version, box.origin) == (truth.evidence, 1, "annotation")
    assert Event.objects.filter(type="dataset_version.created", subject="ds_street").count() == 1


def test_a_half_reviewed_image_stays_out(collection):
    ready(collection)
    (half,) = detected(collection, 1)
    say(collection.namespace, Verdict("confirmed", make.detections_of(half)[0].pk))
    detected(collection, 2)
    dataset = dataset_of(collection)
    assert rules(dataset) == {"reviewed": 5, "partial": 1, "unseen": 2}
    assert half.image_id not in taken(build(dataset))
    assert [image.pk for image in left_out(dataset, "partial", limit=10)] == [half.image_id]


def test_sure_detections_count_as_accepted_or_the_image_stays_out(collection):
    ready(collection)
    (sure,) = detected(
        collection, 1, detections=[make.found("bus", 0.95), make.found("truck", 0.9, (30, 30, 9, 9))]
    )
    (unsure,) = detected(collection, 1)
    dataset = dataset_of(collection, accept_above=0.9)
    assert rules(dataset) == {"reviewed": 5, "accepted": 1, "unsure": 1}
    version = build(dataset)
    assert boxes_on(version, sure) == [("bus", "accepted"), ("truck", "accepted")]
    assert unsure.image_id not in taken(version)
    assert not GroundTruthBox.objects.filter(image=sure.image).exists()
    assert version.policy["accept_above"] == 0.9


def test_said_to_be_complete_while_shown_boxes_wait_is_not_complete(collection):
    """A queue shows the doubtful boxes only: a person who says nothing is missing has not decided the sure ones."""
    ready(collection)
    (document,) = detected(collection, 1)
    _truck, person, bus = make.detections_of(document)
    say(collection.namespace, Verdict("confirmed", person.pk), Verdict("confirmed", bus.pk))
    declare(document)
    assert ImageReview.objects.get(image=document.image).completeness == "complete"
    assert rules(dataset_of(collection)) == {"reviewed": 5, "partial": 1}
    dataset = dataset_of(collection, "sure ones", accept_above=0.9)
    assert rules(dataset) == {"reviewed": 5, "accepted": 1}
    assert boxes_on(build(dataset), document) == [
        ("bus", "annotation"),
        ("person", "annotation"),
        ("truck", "accepted"),
    ]


def test_imported_truth_is_whole_where_the_import_says_so(collection):
    """A detection that meets an imported object is decided by it; the others wait and are no part of the truth."""
    ready(collection)
    for complete in (True, False):
        (document,) = detected(collection, 1)
        first = make.detections_of(document)[0]
        GroundTruthBox.objects.create(
            image=document.image,
            object_class=first.object_class,
            cx=first.cx,
            cy=first.cy,
            w=first.w,
            h=first.h,
            origin="import",
            detection=first,
        )
        Detection.objects.filter(pk=first.pk).update(decided_label="confirmed")
        if complete:
            declare(document)
        else:
            Detection.objects.filter(document=document).update(decided_label="confirmed")
    assert rules(dataset_of(collection)) == {"reviewed": 6, "partial": 1}


def test_a_false_positive_leaves_a_hard_negative(collection):
    ready(collection)
    (document,) = detected(collection, 1)
    truck, person, bus = make.detections_of(document)
    say(collection.namespace, *(Verdict("confirmed", one.pk) for one in (truck, person)))
    say(collection.namespace, Verdict("false_positive", bus.pk))
    version = build(dataset_of(collection))
    assert taken(version)[document.image_id].hard_negatives == 1
    assert boxes_on(version, document) == [("person", "annotation"), ("truck", "annotation")]


def test_missed_and_corrected_boxes_count(collection):
    ready(collection)
    (document,) = detected(collection, 1)
    truck, person, bus = make.detections_of(document)
    say(collection.namespace, *(Verdict("confirmed", one.pk) for one in (truck, person)))
    say(collection.namespace, Verdict("corrected", bus.pk, class_name="tram"))
    draw(document, "dog", (300, 220, 10, 10))
    version = build(dataset_of(collection))
    assert [name for name, _ in boxes_on(version, document)] == ["dog", "person", "tram", "truck"]


def test_background_is_bounded_and_what_was_asked_for_goes_first(collection):
    ready(collection, 18, 2)
    empty = reject(detected(collection, 6))
    dataset = dataset_of(collection)
    assert rules(dataset) == {"reviewed": 20, "background": 2, "background_over": 4}
    domain.include_images(
        dataset=dataset, image_ids=[one.image_id for one in empty[:3]], kind="hard_negative", by=INES
    )
    assert rules(dataset) == {"reviewed": 20, "background": 3, "background_over": 3}
    version = build(dataset)
    found = taken(version)
    assert all(found[one.image_id].rule == "background" for one in empty[:3])
    dataset = domain.update_policy(dataset=dataset, changes={"background_share": 1}, by=INES)
    assert rules(dataset) == {"reviewed": 20, "background": 6}


def test_an_include_never_brings_in_an_unreviewed_image(collection):
    ready(collection)
    (document,) = detected(collection, 1)
    dataset = dataset_of(collection)
    domain.include_images(dataset=dataset, image_ids=[document.image_id], by=INES)
    assert rules(dataset) == {"reviewed": 5, "unseen": 1}


def test_buckets_and_includes_choose_the_images(namespace, collection):
    ready(collection)
    other = make.make_collection(
        make.make_bucket(namespace, "lobby"), "lobby", version=collection.extractor_version
    )
    train, _ = ready(other, 2, 1)
    dataset = dataset_of(collection, buckets=["bkt_cameras"])
    assert rules(dataset) == {"reviewed": 5}
    domain.include_images(dataset=dataset, image_ids=[train[0].image_id], by=INES)
    assert rules(dataset) == {"reviewed": 6}
    dataset = domain.update_policy(dataset=dataset, changes={"only_included": True}, by=INES)
    assert rules(dataset) == {"reviewed": 1}
    assert domain.exclude_images(dataset=dataset, image_ids=[train[0].image_id], by=INES) == 1
    assert rules(dataset) == {}


def test_the_holdout_is_only_in_val(collection):
    _train, val = ready(collection, 6, 3)
    for share in (0, 0.5):
        version = build(dataset_of(collection, f"share {share}", validation_share=share))
        items = taken(version)
        assert {items[one.image_id].split for one in val} == {"val"}
        assert all(items[one.image_id].holdout for one in val)
        assert not DatasetItem.objects.filter(dataset_version=version, split="train", holdout=True).exists()


def test_a_group_stays_on_one_side(collection):
    train, _ = ready(collection, 12, 1)
    for n, document in enumerate(train):
        Image.objects.filter(pk=document.image_id).update(group_key=f"camera {n % 4}")
    version = build(dataset_of(collection, validation_share=0.5, seed=3))
    sides = {}
    for item in version.items.filter(holdout=False).select_related("image"):
        sides.setdefault(item.image.group_key, set()).add(item.split)
    assert len(sides) == 4
    assert all(len(side) == 1 for side in sides.values())
    assert {split for side in sides.values() for split in side} == {"train", "val"}


def test_same_content_comes_once_and_never_trains_where_it_is_held_out(collection):
    train, val = ready(collection, 3, 2)
    Image.objects.filter(pk=train[0].image_id).update(working=val[0].image.working)
    Image.objects.filter(pk=train[1].image_id).update(working=train[2].image.working)
    dataset = dataset_of(collection)
    assert rules(dataset) == {"reviewed": 3, "same_content": 2}
    items = taken(build(dataset))
    assert train[0].image_id not in items
    assert items[val[0].image_id].split == "val"
    assert Blob.objects.filter(pk__in=[item.image.working_id for item in items.values()]).count() == 3


def test_a_version_never_changes_and_equal_ones_have_one_hash(collection):
    train, _ = ready(collection)
    dataset = dataset_of(collection)
    first, second = build(dataset), build(dataset)
    assert first.manifest_sha256 == second.manifest_sha256
    lines = b"".join(manifest_lines(first))
    (bus,) = Detection.objects.filter(document=train[0], object_class__name="bus")
    say(collection.namespace, Verdict("corrected", bus.pk, class_name="truck"))
    assert b"".join(manifest_lines(first)) == lines
    third = build(dataset)
    assert third.manifest_sha256 != first.manifest_sha256
    changed = [json.loads(line) for line in manifest_lines(third)][1:]
    versions = {box["annotation"]: box["version"] for image in changed for box in image["boxes"]}
    truth = GroundTruthBox.objects.get(detection=bus)
    assert versions[truth.evidence] == 2


def test_what_cannot_be_built_is_refused_in_words(collection):
    dataset = dataset_of(collection)
    with pytest.raises(domain.EmptyDataset, match="hold no image"):
        build(dataset)
    (document,) = detected(collection, 1)
    with pytest.raises(domain.NoCompleteImage, match="1 unseen"):
        build(dataset)
    confirm([document])
    with pytest.raises(domain.NoHoldout, match="No complete image belongs to the holdout"):
        build(dataset)
    put([document], "holdout")
    with pytest.raises(domain.NoHoldout, match="All complete images belong to the holdout"):
        build(dataset)
    dataset.refresh_from_db()
    assert (dataset.last_number, dataset.versions.count()) == (0, 0)
    assert not ClassIndex.objects.exists()


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"accept_above": 1.1}, "accept_above"),
        ({"accept_above": True}, "accept_above"),
        ({"background_share": float("nan")}, "background_share"),
        ({"validation_share": 0.6}, "0 to 0.5"),
        ({"seed": -1}, "seed"),
        ({"colour": 1}, "no colour"),
        ({"buckets": "bkt_cameras"}, "list"),
        ({"only_included": 1}, "true or false"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(collection, policy, words):
    with pytest.raises(InvalidInput, match=words):
        dataset_of(collection, **policy)


def test_names_and_buckets_are_checked(collection):
    dataset_of(collection)
    with pytest.raises(AlreadyExists, match="ds_street"):
        dataset_of(collection, "Street")
    with pytest.raises(InvalidInput, match="3 to 100"):
        dataset_of(collection, " a ")
    with pytest.raises(NotFound, match="nowhere"):
        dataset_of(collection, "other", buckets=["nowhere"])


def test_images_of_others_cannot_be_included(collection):
    other = make.make_namespace("other")
    image = make.make_objects(make.make_bucket(other))[0].image
    with pytest.raises(NotFound, match="1 of these images"):
        domain.include_images(dataset=dataset_of(collection), image_ids=[image.pk], by=INES)


def test_a_dataset_with_versions_is_kept_and_numbers_are_not_given_again(collection):
    ready(collection)
    dataset = dataset_of(collection)
    build(dataset)
    second = build(dataset)
    with pytest.raises(Conflict, match="2 versions"):
        domain.delete_dataset(dataset=dataset, by=INES)
    domain.delete_version(version=second, by=INES)
    assert build(dataset).number == 3
    for version in list(dataset.versions.all()):
        domain.delete_version(version=version, by=INES)
    domain.delete_dataset(dataset=dataset, by=INES)
    assert (DatasetItem.objects.count(), DatasetBox.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_version_is_of_one_moment_while_reviewers_write():
    """A reviewer moves all boxes of all images to and fro, image by image in one transaction; no version mixes two
    states, and a class that comes in between takes no index of another."""
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace), "street objects")
    train, val = ready(collection, 4, 2)
    dataset = dataset_of(collection)
    first = build(dataset)
    detections = [one for document in [*train, *val] for one in make.detections_of(document)]
    over, errors = threading.Event(), []

    def write():
        try:
            n = 0
            while not over.is_set():
                n += 1
                with transaction.atomic():
                    say(
                        namespace,
                        *(Verdict("corrected", one.pk, class_name=f"state {n % 7}") for one in detections),
                    )
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        versions = [build(dataset)]
        while len({one.manifest_sha256 for one in versions}) < 4 and len(versions) < 100:
            versions.append(build(dataset))
        hashes = {one.pk: b"".join(manifest_lines(one)) for one in versions}
    finally:
        over.set()
        thread.join()
    assert not errors
    assert len({one.manifest_sha256 for one in versions}) == 4
    for version in versions:
        rows = DatasetBox.objects.filter(item__dataset_version=version)
        assert rows.count() == 18
        names = set(rows.values_list("object_class__name", flat=True))
        assert len(names) == 1 or names == {"bus", "person", "truck"}
        assert [one["name"] for one in version.classes[:3]] == [one["name"] for one in first.classes]
        indices = set(rows.values_list("class_index", "object_class_id"))
        assert indices <= set(ClassIndex.objects.values_list("index", "object_class_id"))
        assert b"".join(manifest_lines(version)) == hashes[version.pk]
