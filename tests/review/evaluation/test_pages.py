"""Pages of versions and comparisons: what they claim, what each figure opens, who may promote."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlparse

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from extraction.intake.models import Blob
from extraction.packages.models import ExtractorVersion
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Role
from review.datasets.models import DatasetItem
from review.evaluation import domain
from review.evaluation.charts import confidence_text
from review.evaluation.forms import EvaluationForm
from review.evaluation.models import Comparison, EvaluatedVersion, Evaluation
from review.evaluation.page import finding
from review.evaluation.queries import get_evaluation, images
from review.evaluation.wall import asked_of, pair_of
from review.training.models import TrainingRun
from tests import factories as make
from tests.review.evaluation.measuring import BEA, TRUE, evaluate, hosts
from tests.review.evaluation.pages import HOME, at, client_of, text_of

pytestmark = pytest.mark.django_db


def test_the_headline_says_no_more_than_the_intervals(namespace, compared):
    page = text_of(client_of(namespace).get(at(compared)))
    results = Comparison.objects.get().results
    proven = [key for key in ("map50_95", "map50", "precision", "recall") if (results[key]["low"] or 0) > 0]
    assert "recall" in proven
    assert f"Version 2.0.0 is better in {'all 4' if len(proven) == 4 else len(proven)}" in page
    Comparison.objects.update(
        results={
            **results,
            **{
                key: {**results[key], "low": -0.1, "high": 0.1}
                for key in ("map50_95", "map50", "precision", "recall")
            },
        }
    )
    assert "No difference between 1.0.0 and 2.0.0 is proven" in text_of(
        client_of(namespace).get(at(compared))
    )


def test_the_headline_names_what_is_lost(namespace, compared):
    row = Comparison.objects.get()
    one = row.results["classes"][0]

    def headline(*names):
        fell = [
            {**one, "name": name, "difference": -0.2 + n / 100, "low": -0.3, "high": -0.1}
            for n, name in enumerate(names)
        ]
        perhaps = {**one, "name": "7", "difference": -0.5, "low": -0.9, "high": 0.1}
        pair = pair_of(get_evaluation(namespace, compared.public_id))
        return finding(pair, {**row.results, "classes": [perhaps, *fell]})

    assert "provenly" not in headline()
    assert headline("0").endswith("; class 0 is provenly worse")
    assert headline("0", "2").endswith("; classes 0 and 2 are provenly worse")
    assert headline("0", "2", "3", "4", "5").endswith("; classes 0, 2, 3 and 2 more are provenly worse")


@pytest.mark.parametrize(
    ("value", "text"), [(0.45, "0.45"), (0.0, "0.00"), (0.001234, "0.00123"), (0.05, "0.05"), (1.0, "1.00")]
)
def test_small_confidences_are_not_zero(value, text):
    assert confidence_text(value) == text


def test_a_version_that_lost_is_not_chosen_beforehand(namespace, compared):
    third = make.make_version(namespace, "street", "3.0.0")
    first = ExtractorVersion.objects.get(version="1.0.0")
    usual = EvaluationForm(namespace=namespace).usual()
    assert usual["versions"] == ["street_1_0_0", "street_3_0_0"], "the newest that is not measured yet"
    job = Job.objects.create(namespace_id=namespace.pk, kind="training", subject="t", state=Job.State.FAILED)
    run = TrainingRun.objects.create(
        namespace=namespace,
        extractor=first.extractor,
        dataset_version=compared.dataset_version,
        base_version=first,
        base_blob=Blob.objects.first(),
        produced_version=third,
        job=job,
    )
    assert EvaluationForm(namespace=namespace).usual()["versions"] == ["street_1_0_0", "street_2_0_0"]
    Job.objects.filter(pk=job.pk).update(state=Job.State.COMPLETED)
    assert "street_3_0_0" in EvaluationForm(namespace=namespace).usual()["versions"]
    TrainingRun.objects.filter(pk=run.pk).update(counts={"base": {"map50_95": 0.5}}, best={"map50_95": 0.4})
    assert "street_3_0_0" not in EvaluationForm(namespace=namespace).usual()["versions"], "below its base"


def test_versions_are_picked_and_turned(namespace, compared):
    client = client_of(namespace)
    page = text_of(client.get(at(compared, "?old=2.0.0&new=1.0.0")))
    assert re.search(r"Version 1\.0\.0 is worse in \d", page) or "worse in all" in page
    assert "Compare street 2.0.0 and street 1.0.0" in page
    assert "Compare street 1.0.0 and street 2.0.0" in text_of(client.get(at(compared, "?old=9&new=nothing")))


def test_one_version_alone_has_its_figures(namespace, two, monkeypatch):
    first, _, dataset_version = two
    hosts(monkeypatch, {"1.0.0": TRUE})
    row = evaluate(namespace, dataset_version, [first])
    page = text_of(client_of(namespace).get(at(row)))
    assert "Version 1.0.0 alone: nothing to compare it with" in page
    assert "1.000" in page
    assert "No image has an error." in page
    assert "Difference" not in page
    assert "No image" in text_of(client_of(namespace).get(at(row, "images/")))


def links_of(page):
    return {one.replace("&amp;", "&") for one in re.findall(r'href="([^"]*images/\?[^"]*)"', page)}


def test_every_cell_class_and_point_opens_its_images(namespace, compared):
    client = client_of(namespace)
    page = text_of(client.get(at(compared)))
    links = links_of(page)
    words = ("truth", "threshold", "class")
    kinds = {next((word for word in words if f"{word}=" in one), "changed") for one in links}
    assert kinds == {"truth", "threshold", "class", "changed"}
    pair = pair_of(get_evaluation(namespace, compared.public_id))
    for one in links:
        wall = text_of(client.get(one))
        asked = asked_of(pair, {key: value[0] for key, value in parse_qs(urlparse(one).query).items()})
        number = images(pair.new, pair.old, asked.where, of_old=asked.of_old)
        expected = number.exclude(change=0).count() if asked.where is None else number.count()
        assert f"{expected} image" in wall, one
        assert escape(asked.words) in wall
    cell = next(one for one in links if "truth=none" in one)
    assert "3 images" in text_of(client.get(cell)), "the false truck is on each holdout image"


def test_the_matrix_of_both_and_what_changed(namespace, compared):
    client = client_of(namespace)
    old = text_of(client.get(at(compared, "?matrix=old")))
    new = text_of(client.get(at(compared)))
    both = text_of(client.get(at(compared, "?matrix=difference")))
    assert "bus missed: 3" in old
    assert "bus missed" not in new
    assert "bus missed: −3" in both
    assert "They have no interval" in both
    part = client.get(
        at(compared, "?matrix=old"), headers={"HX-Request": "true", "HX-Target": "matrix"}
    ).content.decode()
    assert " ".join(part.split()).startswith('<section class="panel w4" id="matrix"')
    part = client.get(at(compared), headers={"HX-Request": "true", "HX-Target": "curves"}).content.decode()
    assert part.lstrip().startswith("<section")
    assert "Precision over recall" in part


def test_an_image_large_with_both_versions_and_the_truth(namespace, compared):
    client = client_of(namespace)
    page = text_of(client.get(at(compared, "images/1/")))
    assert page.count('class="bx truth') == 3
    assert page.count('class="bx old') == 4
    assert page.count('class="bx new') == 4
    assert "1 of 3" in page
    assert "images/2/" in page
    assert "false alarm" in page
    assert client.get(at(compared, "images/4/")).status_code == 404
    assert client.get(at(compared, "images/0/")).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["truth=999999&found=none", "class=x", "class=all", "class=all&threshold=nan", "class=all&threshold=abc"],
)
def test_what_the_evaluation_does_not_know_is_not_found(namespace, compared, query):
    assert client_of(namespace).get(at(compared, f"images/?{query}")).status_code == 404


def test_names_of_any_script_and_without_truth(namespace, compared):
    nasty = 'ограждение "высокое" & <b>длинное</b> 横断歩道の標識' * 3
    row = Evaluation.objects.get()
    classes = [{**one, "name": nasty if one["name"] == "bus" else one["name"]} for one in row.classes]
    classes.append({"class_id": 10**6, "name": "moose", "colour": 3, "boxes": 0})
    Evaluation.objects.update(classes=classes)
    for side in EvaluatedVersion.objects.all():
        known = {one["class_id"]: one for one in side.metrics["classes"]}
        empty = {**next(iter(known.values())), "ap50_95": None, "interval": None}
        side.metrics["classes"] = [{**known.get(one["class_id"], empty), **one} for one in classes]
        side.metrics["matrix"]["class_ids"].insert(-1, 10**6)
        for cells in side.metrics["matrix"]["rows"]:
            cells.insert(-1, 0)
        side.metrics["matrix"]["rows"].insert(-1, [0] * len(side.metrics["matrix"]["class_ids"]))
        side.save()
    page = text_of(client_of(namespace).get(at(compared)))
    assert escape(nasty) in page
    assert "<b>длинное" not in page
    assert "Left out, neither there nor found: moose" in page


def test_eighty_classes(namespace, compared):
    more = [{"class_id": 10**6 + n, "name": f"kind {n}", "colour": 1, "boxes": 2} for n in range(80)]
    Evaluation.objects.update(classes=[*Evaluation.objects.get().classes, *more])
    for side in EvaluatedVersion.objects.all():
        keys = [*side.metrics["matrix"]["class_ids"][:-1], *(one["class_id"] for one in more), None]
        side.metrics["matrix"] = {"class_ids": keys, "rows": [[int(a == b) for a in keys] for b in keys]}
        side.save()
    page = text_of(client_of(namespace).get(at(compared)))
    assert 'class="matrix wide"' in page
    assert page.count("truth=") >= 84


def test_while_it_runs_and_when_it_failed(namespace, two):
    first, second, dataset_version = two
    row = domain.start_evaluation(
        namespace=namespace, dataset_version=dataset_version, versions=[first, second], by=BEA
    )
    client = client_of(namespace)
    page = text_of(client.get(at(row)))
    assert "<progress" in page
    assert "task-over" in page
    assert "The versions look at the holdout" in page
    assert client.get(at(row, "images/")).status_code == 404
    assert "<progress" in text_of(client.get(HOME))
    Job.objects.update(state=Job.State.FAILED, error="street 1.0.0 could read none of the images")
    page = text_of(client.get(at(row)))
    assert "The evaluation failed" in page
    assert "could read none of the images" in page
    assert "Evaluate again" in page


def test_the_page_of_versions(namespace, compared):
    client = client_of(namespace)
    page = text_of(client.get(HOME))
    assert "figures on the holdout of street 1" in page
    assert 'class="up"' in page, "the gain is proven"
    assert "the measure" in page
    assert f"compare/{compared.public_id}/?old=street_1_0_0&amp;new=street_2_0_0" in page
    for version in ("street_1_0_0", "street_2_0_0"):
        assert re.search(rf'value="{version}"[^>]*checked', page), "both are chosen beforehand"
    assert re.search(r"in production.*since", page, re.S)


def test_an_unproven_change_is_grey(namespace, compared):
    results = Comparison.objects.get().results
    Comparison.objects.update(results={**results, "map50_95": {**results["map50_95"], "low": -0.01}})
    page = text_of(client_of(namespace).get(HOME))
    assert 'class="up"' not in page


def test_an_evaluation_is_started(namespace, two):
    first, second, dataset_version = two
    body = {
        "dataset_version": dataset_version.pk,
        "versions": [second.public_id, first.public_id],
        "threshold": "0.3",
    }
    client = client_of(namespace)
    made = client.post(HOME, body)
    row = Evaluation.objects.get()
    assert made.headers["Location"] == at(row)
    assert [one.extractor_version.version for one in row.versions.all()] == ["1.0.0", "2.0.0"]
    assert row.settings["threshold"] == 0.3
    assert "Choose 1 to 6 versions." in text_of(client.post(HOME, {**body, "versions": []}), 422)
    assert "threshold" in text_of(client.post(HOME, {**body, "threshold": "7"}), 422).lower()
    refused = text_of(client_of(namespace, Role.REVIEWER).post(HOME, body), 422)
    assert "Evaluate" not in refused.split("<main")[1].split("evaluations-h")[0]
    assert Evaluation.objects.count() == 1


def test_without_a_holdout_it_says_what_helps(namespace, two):
    DatasetItem.objects.update(holdout=False)
    page = text_of(client_of(namespace).get(HOME))
    assert "No holdout to measure on yet" in page
    assert "Complete the holdout" in page
    assert "/holdout/" in page


def test_nothing_yet():
    namespace = make.make_namespace("demo")
    assert "No version yet" in text_of(client_of(namespace).get(HOME))


def test_another_namespace_sees_nothing(namespace, compared):
    other = make.make_namespace("other")
    client = client_of(other)
    for rest in ("", "images/", "images/1/"):
        assert client.get(f"/n/other/versions/compare/{compared.public_id}/{rest}").status_code == 404
    assert client.post("/n/other/versions/promote/street_2_0_0/").status_code == 404
    assert "street" not in text_of(client.get("/n/other/versions/")).split("<main")[1]


def queries(client, path):
    client.get(path)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def test_the_same_queries_for_more_of_everything(namespace, compared):
    client = client_of(namespace)
    versions = list(ExtractorVersion.objects.filter(extractor__name="street").order_by("pk"))
    pages = (HOME, at(compared), at(compared, "images/"), at(compared, "images/1/"))
    before = [queries(client, page) for page in pages]
    make.make_version(namespace, "other", "1.0.0")
    for number in ("3.0.0", "4.0.0"):
        make.make_version(namespace, "street", number)
        evaluate(namespace, compared.dataset_version, versions)
    assert [queries(client, page) for page in pages] == before
