"""The vocabulary, and what labels of one's own do and do not."""

from __future__ import annotations

import pytest

from extraction.classes.models import ObjectClass
from extraction.truth.models import GroundTruthBox
from mixcv.tenancy.actors import Actor
from review.verdicts.domain import Verdict, define_label, record_verdicts
from review.verdicts.models import Annotation, LabelDefinition
from tests import factories as make

pytestmark = pytest.mark.django_db
INES = Actor("ines")


def test_the_four_verdicts_are_always_there(api):
    answer = api("get", "/labels")
    assert [one["label"] for one in answer["results"]] == [
        "confirmed",
        "corrected",
        "false_positive",
        "missed",
    ]
    assert all(one["builtin"] and one["description"] for one in answer["results"])
    made = api("post", "/labels", {"label": "needs_second_look", "description": "Ask a colleague."})
    assert (made["label"], made["builtin"]) == ("needs_second_look", False)
    for answer in (api("get", "/labels"), api("post", "/labels/list")):
        assert (answer["results"][4]["label"], answer["total_count"]) == ("needs_second_look", 5)
    api("delete", "/labels/needs_second_look")
    assert api("get", "/labels")["total_count"] == 4
    assert "no label" in api("delete", "/labels/needs_second_look", status=404)["error"]["message"]


@pytest.mark.parametrize(
    ("name", "status"),
    [("confirmed", 409), ("Confirmed", 409), ("BLURRED", 409), (" ", 422), ("a\tb", 422), ("x" * 101, 422)],
)
def test_a_label_that_is_there_or_is_none_is_refused(api, name, status):
    api("post", "/labels", {"label": "blurred"})
    api("post", "/labels", {"label": name}, status=status)
    assert LabelDefinition.objects.count() == 1


def test_a_verdict_is_never_taken_out_of_the_vocabulary(api):
    assert "always there" in api("delete", "/labels/missed", status=422)["error"]["message"]


@pytest.mark.parametrize(
    ("label", "nearest"),
    [("confimed", "confirmed"), ("False Positive", "false_positive"), ("blury", "blurred"), ("🙂", "")],
)
def test_a_label_outside_is_refused_with_the_nearest_named(api, document, label, nearest):
    api("post", "/labels", {"label": "blurred"})
    answer = api("post", "", {"document_id": f"doc_{document.slug}_det_0", "label": label}, status=422)[
        "error"
    ]
    assert (answer["code"], answer["type"]) == ("unknown_label", "ValidationError")
    assert nearest in answer["details"]["nearest"]
    assert f"nearest is '{answer['details']['nearest']}'" in answer["message"]
    assert "blurred" in answer["details"]["allowed"]


def test_a_label_of_ones_own_has_no_effect_on_truth(api, namespace, document):
    define_label(namespace=namespace, name="blurred", by=INES)
    bus = make.detections_of(document)[2]
    ref = f"doc_{document.slug}_det_{bus.ordinal}"
    api("post", "", {"document_id": ref, "label": "confirmed"})
    bus.refresh_from_db()
    before = (bus.decided_label, bus.revision)
    note = api(
        "post", "", {"document_id": ref, "label": "blurred", "payload": {"true_class": "fog", "by": 3}}
    )
    assert (note["payload"], note["class"], note["bbox"]) == ({"true_class": "fog", "by": 3}, None, None)
    bus.refresh_from_db()
    assert (bus.decided_label, bus.revision) == before
    assert not ObjectClass.objects.filter(name="fog").exists()
    assert GroundTruthBox.objects.get().object_class.name == "bus"
    # It stands beside the verdict; again it is a new version under the same id, on a whole image as well.
    again = api("post", "", {"document_id": ref, "label": "blurred"})
    assert (again["annotation_id"], again["version"]) == (note["annotation_id"], 2)
    whole = [api("post", "", {"document_id": f"doc_{document.slug}", "label": "blurred"}) for _ in range(2)]
    assert (whole[0]["annotation_id"], whole[1]["version"]) == (whole[1]["annotation_id"], 2)
    assert Annotation.objects.count() == 3
    api("delete", f"/{note['annotation_id']}")
    bus.refresh_from_db()
    assert (bus.decided_label, bus.revision) == before
    assert api("get", "/stats")["by_label"]["blurred"] == 1


def test_what_was_taken_out_stays_where_it_is_and_comes_nowhere_new(api, namespace, document):
    define_label(namespace=namespace, name="blurred", by=INES)
    ref = f"doc_{document.slug}_det_0"
    note = api("post", "", {"document_id": ref, "label": "blurred"})
    api("delete", "/labels/blurred")
    for change in ({"reasoning": "fog"}, {"payload": {"by": "fog"}}):
        assert api("patch", f"/{note['annotation_id']}", change)["label"] == "blurred"
    api("post", "", {"document_id": ref, "label": "blurred"}, status=422)


def test_another_namespaces_labels_are_not_known_here(namespace, document):
    define_label(namespace=make.make_namespace("other"), name="blurred", by=INES)
    verdict = Verdict("blurred", make.detections_of(document)[0].pk)
    outcome = record_verdicts(namespace=namespace, verdicts=[verdict], by=INES)[0]
    assert outcome.error is not None
