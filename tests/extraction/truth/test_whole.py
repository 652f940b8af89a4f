"""What does not make an image complete: that each box on it is known from elsewhere."""

from __future__ import annotations

import pytest

from extraction.classes.domain import ensure_classes
from extraction.truth.imported import Told, add_imported
from extraction.truth.models import ImageReview
from mixcv.kernel.geometry import Box
from tests import factories as make
from tests.extraction.truth.looking import BUS, box, draw, first_look, next_look, say, settle, states

pytestmark = pytest.mark.django_db
SEEN = [make.found("bus", 0.9, BUS)]


def completeness(document):
    return ImageReview.objects.get(image=document.image_id).completeness


def test_boxes_that_an_import_knows_say_nothing_of_what_it_left_out():
    namespace = make.make_namespace()
    (document,) = first_look(namespace, detections=SEEN)
    bus = ensure_classes(namespace=namespace, names=["bus"])["bus"]
    add_imported([Told(document.image_id, bus.pk, Box(*BUS))])
    settle()
    (second,) = next_look([document], SEEN)
    settle()
    assert states(document) == [("confirmed", "bus", False)]
    assert states(second) == [("confirmed", "bus", True)]
    assert completeness(document) == "partial"
    say(document, "confirmed", box(document, "bus").pk)
    assert completeness(document) == "complete"


def test_a_drawn_object_that_a_later_version_finds_says_nothing_of_the_rest():
    (document,) = first_look(make.make_namespace(), detections=[make.found("truck", 0.9, (20, 20, 20, 20))])
    document.detections.all().delete()
    draw(document, "bus", BUS)
    (second,) = next_look([document], SEEN)
    settle()
    assert states(second) == [("confirmed", "bus", True)]
    assert completeness(document) == "partial"
