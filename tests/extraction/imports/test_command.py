"""`manage.py import_truth`, and a real set in two formats."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from extraction.imports import domain
from extraction.imports.models import TruthImport
from extraction.intake.models import Bucket, Image, Object
from extraction.truth.models import GroundTruthBox, ImageReview
from mixcv.tenancy.actors import SYSTEM
from tests import factories
from tests.extraction.imports import sources

pytestmark = pytest.mark.django_db
BUS = "0 0.5 0.5 0.25 0.25\n"
BCCD = Path(__file__).resolve().parents[4] / "shared" / "data" / "bccd"


@pytest.fixture(autouse=True)
def namespace():
    return factories.make_namespace()


def bring(source, **options):
    call_command("import_truth", str(source), **{"bucket": "yard"} | options)


def test_it_takes_a_folder_or_a_zip_in_and_reports(tmp_path, capsys):
    folder = sources.yolo(tmp_path / "in", {"a": BUS + "9 0 0 1 1\n", "b": ""})
    bring(folder)
    said = capsys.readouterr().err
    assert "labels/a.txt:2: left out: There is no class 9: the names go to 1." in said
    assert "yard, from YOLO: 2 images added, 0 there already, 0 refused; 1 boxes added" in said
    assert Bucket.objects.get().name == "yard"
    bring(sources.zipped(folder, tmp_path / "in.zip"), format="yolo")
    assert (
        "0 images added, 2 there already, 0 refused; 0 boxes added, 1 there already"
        in capsys.readouterr().err
    )


def test_it_names_the_first_faults_and_all_on_demand(tmp_path, capsys):
    folder = sources.yolo(tmp_path, {"a": "9 0 0 1 1\n" * 60})
    bring(folder)
    said = capsys.readouterr().err
    assert said.count("left out: ") == 50
    assert "and 10 more; --all lists them." in said
    bring(folder, all=True)
    assert capsys.readouterr().err.count("left out: ") == 60


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"namespace": "nope"}, "There are: demo"),
        ({"format": "coco"}, "There is no COCO file"),
        ({"bucket": ""}, "name"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, options, words):
    with pytest.raises(CommandError, match=words):
        bring(sources.yolo(tmp_path, {"a": BUS}), **options)


def test_a_source_that_is_not_there_is_said(tmp_path):
    with pytest.raises(CommandError, match="There is no "):
        bring(tmp_path / "nowhere")
    assert not TruthImport.objects.exists()


@pytest.mark.skipif(not BCCD.is_dir(), reason="the real set is not beside this checkout")
def test_blood_cells_go_in_by_voc_and_by_yolo_with_the_same_result(tmp_path):
    folder = tmp_path / "bccd"
    shutil.copytree(BCCD, folder)
    found = {}
    for form in ("yolo", "voc"):
        bucket = factories.make_bucket(factories.make_namespace(form), "cells")
        row = domain.import_truth(bucket=bucket, source=folder, format=form, by=SYSTEM)
        assert (row.counts["added"], row.counts["boxes_added"], row.counts["complete"]) == (364, 4886, 364)
        assert row.counts["holdout"] == 72
        found[form] = boxes_of(bucket)
        states = ImageReview.objects.filter(image__namespace=bucket.namespace)
        assert set(states.values_list("completeness", flat=True)) == {"complete"}
    assert found["yolo"].keys() == found["voc"].keys()
    for key, boxes in found["yolo"].items():
        for box, other in zip(boxes, found["voc"][key], strict=True):
            assert box == pytest.approx(other, abs=1e-3)
    # One after the other into one bucket: nothing is doubled.
    bucket = Bucket.objects.get(namespace__name="yolo")
    row = domain.import_truth(bucket=bucket, source=folder, format="voc", by=SYSTEM)
    assert (row.counts["boxes_added"], row.counts["boxes_there"]) == (0, 4886)
    faults = sorted(row.faults.filter(cost="left_out").values_list("file", "line"))
    assert faults == [("annotations/BloodImage_00338.xml", 163), ("annotations/BloodImage_00343.xml", 55)]
    assert row.faults.filter(message__contains="both were kept").count() == 7
    assert Object.objects.filter(bucket=bucket).count() == 364
    assert Image.objects.filter(namespace=bucket.namespace, split="holdout").count() == 72


def boxes_of(bucket):
    """By image, split and class, in an order that a thousandth of a pixel does not change."""
    rows = GroundTruthBox.objects.filter(image__namespace=bucket.namespace)
    found: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
    for *key, cx, cy, w, h in rows.values_list(
        "image__sha256", "image__split", "object_class__name", "cx", "cy", "w", "h"
    ):
        found.setdefault(tuple(key), []).append((cx, cy, w, h))
    return {
        key: sorted(boxes, key=lambda box: [round(value * 2) for value in box])
        for key, boxes in found.items()
    }
