"""The images behind every figure, and what is drawn on them."""

from __future__ import annotations

import pytest

from extraction.classes.models import ObjectClass
from review.datasets.models import DatasetItem
from review.evaluation.metrics.outcomes import judge
from review.evaluation.queries import Cell, ClassErrors, CurvePoint, images, show
from tests import factories as make
from tests.review.evaluation.measuring import TRUE, evaluate, holdout, hosts

pytestmark = pytest.mark.django_db

BUS, PERSON, TRUCK = TRUE
TAXI = make.found("truck", 0.8, (160, 120, 200, 120))  # where the bus is
GHOST = make.found("person", 0.3, (30, 30, 20, 20))


@pytest.fixture
def sides(namespace, monkeypatch):
    """Old and new version on three images: the new one is better on the first, as good on the second, worse on the
    third by two."""
    first, dataset_version = holdout(namespace)
    second = make.make_version(namespace, "street", "2.0.0")
    items = DatasetItem.objects.filter(dataset_version=dataset_version, holdout=True).order_by("pk")
    places = {item.image.working.storage_name: number for number, item in enumerate(items)}
    monkeypatch.setattr("review.evaluation.domain.predicting.storage.local_path", lambda name: places[name])
    olds = [[BUS, PERSON], TRUE, [BUS, PERSON, TRUCK]]
    news = [TRUE, TRUE, [TAXI, PERSON, TRUCK, GHOST]]
    hosts(
        monkeypatch,
        {
            "1.0.0": lambda at: make.result(olds[at]),
            "2.0.0": lambda at: make.result(news[at]),
        },
    )
    row = evaluate(namespace, dataset_version, [first, second])
    return (*row.versions.select_related("evaluation"), list(items))


def keys(namespace):
    return dict(ObjectClass.objects.filter(namespace=namespace).values_list("name", "pk"))


def test_the_most_changed_images_come_first_with_what_changed_in_words(sides):
    old, new, items = sides
    rows = list(images(new, old))
    assert rows == [items[2], items[0], items[1]]
    assert [row.change for row in rows] == [2, -1, 0]
    shown = show(rows, new, old)
    assert [one.words for one in shown] == [
        ["1 false alarm more", "1 wrong class more"],
        ["1 miss less"],
        ["no change"],
    ]
    assert [(box.name, box.state) for box in shown[0].truth] == [
        ("bus", "wrong"),
        ("person", "found"),
        ("truck", "found"),
    ]
    assert [(box.name, box.confidence, box.state) for box in shown[0].new.boxes] == [
        ("truck", 0.91, "found"),
        ("truck", 0.8, "wrong"),
        ("person", 0.62, "found"),
        ("person", 0.3, "false"),
    ]
    assert (shown[0].old.errors, shown[0].new.errors) == (0, 2)
    assert shown[0].new.boxes[0].colour == shown[0].truth[2].colour


def test_one_version_alone_has_its_own_errors_first(sides):
    _, new, items = sides
    rows = list(images(new))
    assert (rows[0], rows[0].change) == (items[2], 2)
    assert show(rows[:1], new)[0].words == ["1 false alarm", "1 wrong class"]


def test_the_images_behind_a_cell_of_the_matrix(namespace, sides):
    old, new, items = sides
    key = keys(namespace)
    assert list(images(new, old, Cell(key["bus"], key["truck"]))) == [items[2]]
    assert list(images(new, old, Cell(None, key["person"]))) == [items[2]]
    assert list(images(new, old, Cell(key["truck"], None))) == []
    assert list(images(new, old, Cell(key["truck"], None), of_old=True)) == [items[0]]
    assert set(images(new, old, Cell(key["bus"], key["bus"]))) == {items[0], items[1]}


def test_the_cells_and_their_images_agree(namespace, sides):
    old, new, _ = sides
    matrix = new.metrics["matrix"]
    for truth, row in zip(matrix["class_ids"], matrix["rows"], strict=True):
        for found, count in zip(matrix["class_ids"], row, strict=True):
            assert bool(count) == images(new, old, Cell(truth, found)).exists()


def test_the_images_behind_a_class_are_those_with_its_errors(namespace, sides):
    old, new, items = sides
    key = keys(namespace)
    assert list(images(new, old, ClassErrors(key["bus"]))) == [items[2]]
    assert list(images(new, old, ClassErrors(key["truck"]))) == [items[2]]
    assert list(images(new, old, ClassErrors(key["truck"]), of_old=True)) == [items[0]]


def test_the_images_behind_a_point_of_a_curve_follow_its_threshold(namespace, sides):
    old, new, items = sides
    key = keys(namespace)

    def behind(threshold, name="", what="all", of_old=False):
        point = CurvePoint(key.get(name), threshold, what)
        return set(images(new, old, point, of_old=of_old))

    assert behind(0.5, "person", "misses") == set()
    assert behind(0.7, "person", "misses") == set(items)
    assert behind(0.2, "person", "false_alarms") == {items[2]}
    assert behind(0.31, "person", "false_alarms") == set()
    assert behind(0.2, "bus", "misses") == {items[2]}
    assert behind(0.2, "truck", "misses", of_old=True) == {items[0]}
    assert behind(0.01) == {items[2]}
    assert behind(0.95) == set(items)


def test_a_page_costs_the_same_queries_at_one_and_three_images(sides, django_assert_num_queries):
    old, new, _ = sides
    for size in (1, 3):
        with django_assert_num_queries(3):
            assert len(show(list(images(new, old)[:size]), new, old)) == size


def box(kind, sure, cx=100.0, size=40.0):
    return [kind, sure, cx, 100.0, size, size]


@pytest.mark.parametrize(
    ("truth", "boxes", "expected"),
    [
        ([], [], ([], [], [], [])),
        ([box(1, 1)], [], ([], [], [0], [])),
        ([], [box(1, 0.9)], ([], [], [], [0])),
        ([box(1, 1)], [box(1, 0.9)], ([(0, 0)], [], [], [])),
        ([box(1, 1)], [box(1, 0.2)], ([], [], [0], [])),  # under the threshold
        ([box(1, 1)], [box(2, 0.9)], ([], [(0, 0)], [], [])),
        # The surest takes the object, whatever its class; the second is false.
        ([box(1, 1)], [box(2, 0.9), box(1, 0.8)], ([], [(0, 0)], [], [1])),
        # Each takes what it covers best.
        ([box(1, 1), box(1, 1, 110)], [box(1, 0.9, 110), box(1, 0.8)], ([(1, 0), (0, 1)], [], [], [])),
        ([box(1, 1)], [box(1, 0.9, 130)], ([], [], [0], [0])),  # covers too little
    ],
)
def test_an_images_outcome(truth, boxes, expected):
    one = judge(truth, boxes, 0.5)
    assert (one.found, one.wrong, one.missed, one.false) == expected
    assert one.errors == len(one.wrong) + len(one.missed) + len(one.false)
