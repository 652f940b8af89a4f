"""What home proposes, as a table: the state, and what it makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from review.home.ideas import ideas
from review.home.stages import stages
from review.home.values import (
    Candidate,
    Difference,
    Failed,
    Gate,
    Line,
    Place,
    State,
    Training,
    WaitingQueue,
)

# All is done: images, a detector in production with a collection, a dataset that was trained on, nothing in doubt.
LINE = Line(
    "digits",
    production="digits 1.0.0",
    dataset="ds_street",
    dataset_name="street",
    number=2,
    images=400,
    holdout=60,
    trained_on=True,
)
WELL = State(
    images=1200, boxes=9000, documents=1200, collections=1, ready_detectors=1, verdicts=800, lines=(LINE,)
)
QUEUE = WaitingQueue("street_doubtful", "street", 38, 0.7, "Doubtful")
HOLDOUT = WaitingQueue("street_holdout", "street", 12)
GAIN = Difference(0.031, 0.008, 0.054)
CANDIDATE = Candidate("digits_2", "digits 2.0.0")
COMPARED = replace(CANDIDATE, evaluation="eval_1", difference=GAIN)
RUN = Training("train_1", "digits", 34, 60, 0.57, 1080.0)


def line(**changes):
    return (replace(LINE, **changes),)


def well(**changes):
    return replace(WELL, **changes)


@pytest.mark.parametrize(
    ("state", "title", "reason", "place"),
    [
        # What failed comes before all else, with its error.
        (
            well(
                failed=(Failed("digits 2.0.0 does not start", "No weights.", Place("detectors")),),
                queue=QUEUE,
            ),
            "digits 2.0.0 does not start",
            "No weights.",
            "detectors",
        ),
        # Unless nobody relies on it: then boxes that wait come first, and it comes next.
        (
            well(
                failed=(Failed("street does not start", "", Place("detectors"), urgent=False),), queue=QUEUE
            ),
            "Review 38 doubtful boxes",
            "",
            "focus",
        ),
        (
            well(failed=(Failed("street does not start", "", Place("detectors"), urgent=False),)),
            "street does not start",
            "It stopped without a word.",
            "detectors",
        ),
        # Nothing there at all: first images, then a detector, then a collection of both.
        (State(), "Add the first images", "There is no picture yet", "images"),
        (State(images=9), "Deploy a detector", "No detector is ready", "detectors"),
        (State(images=9, deploying=1), "A detector is starting", "up to a minute", "detectors"),
        (State(images=9, ready_detectors=1), "Make a collection", "one detector over a bucket", "detectors"),
        (
            State(images=9, ready_detectors=1, collections=1),
            "Run a detector over the images",
            "None of the 9 images is looked at yet.",
            "detectors",
        ),
        # It is at work for the first time: nothing to do but to watch.
        (
            State(images=9, ready_detectors=1, collections=1, detecting=1),
            "Detection is running",
            "Doubtful boxes come here",
            "batches",
        ),
        # Boxes wait: that is what people are for. With the reader's pace where it is known.
        (
            well(queue=QUEUE),
            "Review 38 doubtful boxes of street",
            "less than 0.70. Least sure first.",
            "focus",
        ),
        (
            well(queue=replace(QUEUE, boxes=1, seconds=3.0)),
            "Review 1 doubtful box of street",
            "About a minute at your pace.",
            "focus",
        ),
        (well(queue=replace(QUEUE, seconds=240.0)), "Review 38", "About 4 minutes at your pace.", "focus"),
        (well(queue=replace(QUEUE, seconds=9000.0)), "Review 38", "About 2 hours at your pace.", "focus"),
        (
            well(queue=replace(QUEUE, doubtful_below=0.0, retriever="Night trucks")),
            "Review 38 boxes of street",
            "The retriever Night trucks found them.",
            "focus",
        ),
        # A version is to be measured and the holdout has gaps.
        (
            well(holdout_queue=HOLDOUT, lines=line(candidate=CANDIDATE)),
            "Complete the holdout of street",
            "12 boxes and images wait there.",
            "focus",
        ),
        (well(holdout_queue=HOLDOUT, lines=line(holdout=0)), "Complete the holdout", "", "focus"),
        # Nobody needs the holdout now: all is well.
        (well(holdout_queue=HOLDOUT), "All is decided", "", "images"),
        # Enough is reviewed: a dataset, the first or the next.
        (
            well(lines=line(number=0, dataset="", complete_since=10)),
            "Build the first dataset for digits",
            "10 images are reviewed whole",
            "datasets",
        ),
        (well(lines=line(number=0, dataset="", complete_since=9)), "All is decided", "", "images"),
        (
            well(lines=line(complete_since=20)),
            "Build version 3 of street",
            "20 images became complete since version 2, which has 400.",
            "dataset",
        ),
        # 19 of 400 are less than a twentieth.
        (well(lines=line(complete_since=19)), "All is decided", "", "images"),
        # A version that nothing was trained on: training comes before yet another version.
        (
            well(lines=line(trained_on=False, complete_since=400)),
            "Train digits on street 2",
            "Nothing is trained on its 400 images yet.",
            "training",
        ),
        # While it trains there is nothing to build or to train for it.
        (
            well(lines=line(trained_on=False, complete_since=400, training=RUN)),
            "digits is being trained",
            "Epoch 34 of 60.",
            "training-run",
        ),
        # Trained, and it has looked at nothing.
        (
            well(lines=line(undetected="digits 2.0.0", run="train_1", candidate=CANDIDATE)),
            "Let digits 2.0.0 look at the images",
            "has no collection",
            "training-run",
        ),
        # Not measured yet, being measured, measured.
        (
            well(lines=line(candidate=CANDIDATE)),
            "Compare digits 2.0.0 with production",
            "better than digits 1.0.0",
            "versions",
        ),
        (
            well(lines=line(candidate=replace(CANDIDATE, under_way=True))),
            "digits 2.0.0 is being compared",
            "on the holdout",
            "versions",
        ),
        (
            well(lines=line(candidate=replace(COMPARED, gate=Gate(True)))),
            "Decide on digits 2.0.0",
            "mAP +0.031 (+0.008 to +0.054) against digits 1.0.0. The gate is open.",
            "compare",
        ),
        (
            well(lines=line(candidate=replace(COMPARED, gate=Gate(False, ("truck has 62 of 100 boxes.",))))),
            "digits 2.0.0 is not ready for production",
            "truck has 62 of 100 boxes.",
            "compare",
        ),
        # What the interval does not show is not claimed.
        (
            well(lines=line(candidate=replace(COMPARED, difference=Difference(-0.004, -0.02, 0.01)))),
            "Decide on digits 2.0.0",
            "mAP −0.004 (−0.020 to +0.010) against digits 1.0.0: no difference is proven.",
            "compare",
        ),
        # Nothing left.
        (WELL, "All is decided", "No box is in doubt.", "images"),
    ],
)
def test_the_best_next_step(state, title, reason, place):
    step = ideas(state)[0]
    assert step.title.startswith(title)
    assert reason in step.reason
    assert step.at.name == place


OLD = replace(QUEUE, extractor="digits", newest=False)


@pytest.mark.parametrize(
    ("state", "first"),
    [
        (well(queue=OLD), "Review"),
        (well(queue=OLD, lines=line(undetected="digits 2.0.0", run="train_1")), "Let"),
        (well(queue=OLD, lines=line(candidate=CANDIDATE)), "Compare"),
        (well(queue=OLD, lines=line(candidate=replace(COMPARED, gate=Gate(True)))), "Decide"),
        (well(queue=OLD, lines=line(candidate=replace(COMPARED, gate=Gate(False)))), "digits"),
        # What failed still comes first, and what is provenly worse holds up nothing.
        (
            well(queue=OLD, lines=line(candidate=CANDIDATE), failed=(Failed("It stopped", "", Place("x")),)),
            "It",
        ),
        (
            well(
                queue=OLD,
                lines=line(candidate=replace(COMPARED, difference=Difference(-0.1, -0.2, -0.05))),
            ),
            "Review",
        ),
        # Another extractor's boxes, and those of the newest version, wait for nobody.
        (well(queue=replace(OLD, extractor="street"), lines=line(candidate=CANDIDATE)), "Review"),
        (well(queue=replace(OLD, newest=True), lines=line(candidate=CANDIDATE)), "Review"),
    ],
)
def test_a_newer_version_comes_before_the_boxes_of_an_older_one(state, first):
    titles = [step.title.split()[0] for step in ideas(state)]
    assert titles[0] == first
    assert len(titles) == len(set(titles))


def test_more_ideas_follow_in_their_order():
    state = well(queue=QUEUE, lines=line(complete_since=20, candidate=CANDIDATE))
    titles = [step.title.split()[0] for step in ideas(state)]
    assert titles == ["Review", "Build", "Compare", "Add"]


def test_reviewers_are_told_only_of_what_they_may_do():
    failed = (Failed("digits 2.0.0 does not start", "", Place("detectors")),)
    state = well(manages=False, failed=failed, queue=QUEUE, lines=line(complete_since=99))
    assert [step.title.split()[0] for step in ideas(state)] == ["Review", "Add"]
    assert ideas(State(manages=False))[0].title == "Nothing waits for you"


@pytest.mark.parametrize(
    ("state", "stage", "shown"),
    [
        (well(unreadable=3), 0, ("bad", "3 unreadable", "1,200", "images", "9,000 boxes found")),
        (
            well(detecting=1, detect_left=796),
            0,
            ("live", "running", "1,200", "images", "796 left to look at, 9,000 boxes found"),
        ),
        (
            well(stuck=1, detect_left=2),
            0,
            ("you", "waits for a detector", "1,200", "images", "9,000 boxes found"),
        ),
        (
            well(waiting=412, decided_this_month=2906),
            1,
            ("you", "needs you", "412", "boxes wait", "2,906 decided this month"),
        ),
        (well(), 1, ("ok", "nothing waits", "0", "boxes wait", "0 decided this month")),
        (State(), 1, ("", "", "0", "boxes wait", "0 decided this month")),
        (well(lines=line(training=RUN)), 2, ("live", "running", "34", "of 60 epochs", "digits, 18 min left")),
        (
            well(lines=line(training=replace(RUN, epoch=0, waits=True))),
            2,
            ("", "waits for a worker", "–", "epochs", "digits"),
        ),
        (
            well(since_training=77, last_trained="digits 2.0.0"),
            2,
            ("", "", "77", "new verdicts", "since digits 2.0.0 was trained"),
        ),
        (
            well(since_training=1, lines=line(trained_on=False)),
            2,
            ("you", "needs you", "1", "verdict", "to train the first version on"),
        ),
        (
            well(lines=line(candidate=COMPARED)),
            3,
            ("you", "wants a decision", "+0.031", "mAP", "digits 2.0.0 against digits 1.0.0"),
        ),
        (
            well(lines=line(candidate=replace(CANDIDATE, name="digits 3.0.0"), measured=COMPARED)),
            3,
            ("you", "wants a decision", "+0.031", "mAP", "digits 2.0.0 against digits 1.0.0"),
        ),
        (
            well(lines=line(candidate=CANDIDATE)),
            3,
            ("you", "needs you", "–", "mAP", "digits 2.0.0, not measured yet"),
        ),
        (well(), 3, ("", "", "–", "mAP", "digits 1.0.0 is in production")),
        (State(), 3, ("", "", "–", "mAP", "Nothing to compare yet")),
        (
            well(verified=1118),
            4,
            ("", "", "1,118", "verified objects", "grouping them is not here yet"),
        ),
    ],
)
def test_each_stage_has_its_number_and_its_state(state, stage, shown):
    card = stages(state)[stage]
    assert (card.mark, card.words, card.number, card.unit, card.line) == shown


def test_there_are_five_stages_and_none_leads_to_a_page_that_is_not_there():
    cards = stages(WELL)
    assert [card.title for card in cards] == ["Detect", "Review", "Train", "Compare", "Compound"]
    assert cards[4].at is None


@pytest.mark.parametrize(
    ("difference", "direction"),
    [
        (Difference(0.03, 0.01, 0.05), "up"),
        (Difference(-0.03, -0.05, -0.01), "down"),
        (Difference(0.03, -0.01, 0.07), ""),
        (Difference(0.03, None, None), ""),
    ],
)
def test_only_a_proven_difference_has_a_direction(difference, direction):
    assert difference.direction == direction
