"""docs/walkthrough.md: its blocks run in order, and leave behind what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from extraction.packages.models import ExtractorVersion, RegistryModel
from extraction.runs.models import Batch, Collection, Detection, Document
from extraction.search.models import Execution
from extraction.truth.models import GroundTruthBox
from review.verdicts.models import Annotation
from tests.processes import PROJECT
from tests.walk.blocks import blocks_of
from tests.walk.place import Call, Place

PAGE = PROJECT / "docs" / "walkthrough.md"
PACKAGE = PROJECT / "docs" / "custom-extractors.md"


def write_package(folder: Path) -> None:
    """The example of the page on packages, whose first two Python blocks it is."""
    manifest, pipeline = [block.text for block in blocks_of(PACKAGE) if block.language == "python"][:2]
    folder.mkdir()
    (folder / "manifest.py").write_text(manifest, encoding="utf-8")
    (folder / "pipeline.py").write_text(pipeline, encoding="utf-8")


def test_its_blocks_run_in_order(make_place: Callable[..., Place]) -> None:
    place = make_place("walk")
    write_package(place.folder / "ink_spots")
    calls: list[Call] = []
    said: list[str] = []
    for block in blocks_of(PAGE):
        if block.language == "bash":
            calls += place.bash(block.text)
        elif block.language == "python":
            said.append(place.python(block.text))
    assert [call.status for call in calls] == [200] * len(calls)
    text = "".join(said)
    assert "404 not_found" in text
    assert "ink_spots_1_0_0 passed" in text
    assert "DEPLOYED mixpeek://ink_spots@1.0.0/spot_look" in text
    check_rows(text, calls)
    check_files(place.folder)


def check_rows(text: str, calls: list[Call]) -> None:
    collection = Collection.objects.get()
    assert (collection.public_id, str(collection.extractor_version)) == ("col_spots", "ink_spots 1.0.0")
    assert Batch.objects.get(name="first look").state == Batch.State.COMPLETED
    assert Document.objects.count() == 6
    assert ExtractorVersion.objects.get().state == ExtractorVersion.State.READY
    assert RegistryModel.objects.get().state == RegistryModel.State.DEPLOYED
    runs = Execution.objects.filter(retriever__name="hollow").order_by("pk")
    assert [run.result_count for run in runs] == [
        Detection.objects.filter(collection=collection, confidence__lt=0.3).count()
    ] * 2
    assert runs[0].result_count > 0
    rows = Annotation.objects.all()
    written = int(re.findall(r"(\d+) written, 0 refused", text)[0])
    assert rows.count() == written
    assert rows.filter(retriever_ref="ret_hollow").count() == runs[0].result_count
    assert rows.filter(execution_ref=runs[0].public_id).count() == runs[0].result_count - 1
    # Every digit of the six sheets is known, and nothing else is.
    digits = int(re.findall(r"6 sheets with (\d+) digits", text)[0])
    assert GroundTruthBox.objects.filter(state="active").count() == digits
    assert {box.object_class.name for box in GroundTruthBox.objects.filter(state="active")} <= set(
        "0123456789"
    )
    assert not Detection.objects.filter(current=True, decided_label="").exists()
    twice = rows.get(version=2)
    assert (twice.label, twice.reasoning) == ("false_positive", "The rim of the sheet.")
    assert [row.label for row in twice.versions.all()] == ["false_positive"] * 2
    grouped = next(call.json for call in calls if "stats" in call.url)
    assert grouped["total"] == written
    assert sum(group["total"] for group in grouped["groups"]) == written


def check_files(folder: Path) -> None:
    names = yaml.safe_load((folder / "dataset" / "data.yaml").read_text())["names"]
    boxes = GroundTruthBox.objects.filter(state="active").select_related("image", "object_class")
    slugs = dict(Document.objects.values_list("image_id", "slug"))
    expected: dict[str, list[str]] = {slug: [] for slug in slugs.values()}
    index = {name: number for number, name in names.items()}
    for box in boxes:
        sides = (box.image.width, box.image.height)
        numbers = (box.cx / sides[0], box.cy / sides[1], box.w / sides[0], box.h / sides[1])
        line = f"{index[box.object_class.name]} " + " ".join(f"{number:.6f}" for number in numbers)
        expected[slugs[box.image_id]].append(line)
    labels = folder / "dataset" / "labels"
    assert {path.stem: path.read_text().splitlines() for path in labels.iterdir()} == {
        slug: sorted(lines) for slug, lines in expected.items()
    }
    pictures = folder / "dataset" / "images"
    assert {path.stem for path in pictures.iterdir()} == set(expected)


@pytest.mark.skipif(
    not (PROJECT.parent / "shared" / "tutorial.md").exists(),
    reason="the tutorial's page does not stand beside the repository",
)
def test_it_has_no_sentence_of_the_tutorial() -> None:
    def runs_of_words(path: Path, length: int = 7) -> set[tuple[str, ...]]:
        words = re.findall(r"[a-z0-9]+", re.sub(r"```.*?```", " ", path.read_text(), flags=re.DOTALL).lower())
        return {tuple(words[at : at + length]) for at in range(len(words) - length)}

    assert not runs_of_words(PAGE) & runs_of_words(PROJECT.parent / "shared" / "tutorial.md")
