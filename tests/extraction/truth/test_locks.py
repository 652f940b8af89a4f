"""Matching beside verdicts and chunks, each in a connection of its own: nobody is thrown out, nothing is doubled."""

from __future__ import annotations

import pytest

from extraction.truth.models import DetectionMatch, GroundTruthBox, MatchWish
from extraction.truth.rematch import rematch
from tests import factories as make
from tests.extraction.truth.looking import (
    BUS,
    OLE,
    PERSON,
    box,
    draw,
    exact,
    first_look,
    next_look,
    say,
    settle,
    states,
)
from tests.processes import wait_until
from tests.review.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
AGAIN = [make.found("bus", 0.8, BUS), make.found("person", 0.3, PERSON)]
KNOWN = ("confirmed", "bus", True)


@pytest.fixture
def documents():
    return first_look(make.make_namespace(), 2)


def no_errors(outcomes):
    assert not [one for one in outcomes if isinstance(one, Exception)], outcomes


def settled():
    """What was wished for is matched, by this process or by the session's worker."""
    settle()
    wait_until(lambda: not MatchWish.objects.exists(), seconds=20)
    # What another has in hand is written once a lock on it can be had.
    MatchWish.objects.bulk_create([MatchWish(image=one.image) for one in make.Document.objects.all()])
    settle()
    wait_until(lambda: not MatchWish.objects.exists(), seconds=20)


@pytest.mark.parametrize(
    "before", [r"INSERT INTO extraction_matchwish", r"COPY extraction_detection |COPY .review_annotation"]
)
def test_a_verdict_while_the_next_version_s_chunk_is_written(documents, before):
    outcomes = at_once(
        lambda: say(documents[0], "confirmed", box(documents[0], "bus").pk),
        lambda: next_look(documents, AGAIN),
        before=before,
    )
    no_errors(outcomes)
    settled()
    first, second = outcomes[1]
    assert states(first) == [KNOWN, ("", "", False)]
    assert states(second) == [("", "", False)] * 2
    exact()


def test_a_drawn_object_while_a_chunk_is_written(documents):
    outcomes = at_once(
        lambda: draw(documents[0], "truck", (60, 60, 30, 30)),
        lambda: next_look(documents, [make.found("truck", 0.5, (61, 60, 30, 30))]),
        before=r"INSERT INTO extraction_matchwish",
    )
    no_errors(outcomes)
    settled()
    assert states(outcomes[1][0]) == [("confirmed", "truck", True)]
    exact()


def test_verdicts_on_two_looks_of_one_image(documents):
    seconds = next_look(documents, AGAIN)
    outcomes = at_once(
        lambda: say(documents[0], "confirmed", *(one.pk for one in make.detections_of(documents[0]))),
        lambda: say(seconds[0], "confirmed", *(one.pk for one in make.detections_of(seconds[0])), by=OLE),
        before=r"INSERT INTO extraction_imagereview",
    )
    no_errors(outcomes)
    settled()
    assert not DetectionMatch.objects.exists()
    assert GroundTruthBox.objects.count() == 4
    exact()


def test_matching_beside_verdicts_and_another_matching(documents):
    seconds = next_look(documents, AGAIN)
    say(documents[0], "confirmed", box(documents[0], "bus").pk)
    MatchWish.objects.bulk_create([MatchWish(image=one.image) for one in documents * 2])
    outcomes = at_once(
        lambda: rematch(limit=3),
        lambda: rematch(limit=3),
        lambda: say(documents[1], "confirmed", box(documents[1], "bus").pk),
        lambda: say(seconds[0], "false_positive", box(seconds[0], "person").pk, by=OLE),
        before=r"FOR NO KEY UPDATE",
        nth=2,
    )
    no_errors(outcomes)
    settled()
    assert states(seconds[0]) == [KNOWN, ("false_positive", "", False)]
    assert states(seconds[1]) == [KNOWN, ("", "", False)]
    assert states(documents[0]) == [("confirmed", "bus", False), ("false_positive", "", True)]
    assert DetectionMatch.objects.count() == 3
    exact()


def test_a_worker_matches_what_is_wished_for(documents, worker):
    """Nobody calls the matching here."""
    worker.start()
    seconds = next_look(documents, AGAIN)
    say(documents[0], "confirmed", box(documents[0], "bus").pk)
    wait_until(lambda: states(seconds[0])[0] == KNOWN, seconds=30)
