"""The admin's pages of annotations and labels."""

from __future__ import annotations

import pytest
from django.urls import reverse

from mixcv.celery import app
from mixcv.kernel.models import Event
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import User
from review.verdicts.domain import Verdict, define_label, record_verdicts
from review.verdicts.models import Annotation, AnnotationCount, LabelDefinition
from review.verdicts.tasks import fold
from tests import factories as make

pytestmark = pytest.mark.django_db
INES = Actor("ines")


@pytest.fixture
def root(client):
    client.force_login(User.objects.create_superuser("root", password="correct horse"))
    return client


@pytest.fixture
def annotation(namespace):
    document = make.make_detected(make.make_collection(make.make_bucket(namespace)))[0]
    verdict = Verdict("confirmed", make.detections_of(document)[0].pk, reasoning="Plain to see.")
    return record_verdicts(namespace=namespace, verdicts=[verdict], by=INES)[0].annotation


def test_an_annotations_page_shows_its_versions(root, annotation):
    page = root.get(reverse("admin:review_annotation_change", args=[annotation.pk]))
    assert page.status_code == 200
    assert "Plain to see." in page.content.decode()


def test_the_action_deletes_by_the_verb(root, annotation):
    root.post(
        reverse("admin:review_annotation_changelist"),
        {"action": "delete_them", "_selected_action": [annotation.pk]},
    )
    assert Annotation.objects.get().deleted_at is not None
    assert Event.objects.get(type="annotation.deleted").actor == "root"


def test_labels_are_made_and_taken_away_by_their_verbs(root, namespace):
    add = reverse("admin:review_labeldefinition_add")
    root.post(add, {"namespace": namespace.pk, "name": "blurred", "description": ""})
    row = LabelDefinition.objects.get()
    assert (row.name, row.created_by) == ("blurred", "root")
    refused = root.post(add, {"namespace": namespace.pk, "name": "Blurred", "description": ""})
    assert "There is a label" in refused.content.decode()
    root.post(reverse("admin:review_labeldefinition_delete", args=[row.pk]), {"post": "yes"})
    assert not LabelDefinition.objects.exists()
    types = Event.objects.filter(type__startswith="label.").values_list("type", flat=True)
    assert set(types) == {"label.created", "label.deleted"}


def test_the_changelist_of_labels_deletes_by_the_verb(root, namespace):
    row = define_label(namespace=namespace, name="blurred", by=INES)
    root.post(
        reverse("admin:review_labeldefinition_changelist"),
        {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
    )
    assert Event.objects.filter(type="label.deleted").exists()


def test_the_task_folds_what_annotations_counted(annotation):
    fold()
    assert AnnotationCount.objects.get().folded
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert fold.name in scheduled
