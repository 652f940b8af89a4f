"""The tutorial, taken from its page where that stands beside the repository, call by call, down to rows and files.

Once with its curl blocks and once with its Python blocks, each in a namespace of its own, since both make the same
names. What the page takes for granted is supplied: an S3 server with its frame, weights under the name that its package
asks for, fine-tuned weights in the folder that it packs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.processes import PROJECT
from tests.walk.blocks import Sections
from tests.walk.place import Place
from tests.walk.tutorial import (
    IDS,
    bodies_in,
    bulk,
    check_annotated,
    check_execution,
    check_export,
    check_ingested,
    check_retriever,
    check_stats,
    deploy,
    process,
    register,
    second_version,
    statuses,
)

PAGE = PROJECT.parent / "shared" / "tutorial.md"

pytestmark = pytest.mark.skipif(
    not PAGE.exists(), reason="the tutorial's page does not stand beside the repository"
)


@pytest.fixture(scope="module")
def page() -> Sections:
    return Sections(PAGE)


def test_the_walks_leave_no_block_out(page: Sections) -> None:
    """What the two walks below run, by section; the training of the last one is run by test_training."""
    known = {
        1: {"python": 2, "bash": 1},
        2: {"bash": 2, "python": 1},
        3: {"bash": 1, "python": 1},
        4: {"bash": 2, "python": 1},
        5: {"bash": 1, "python": 1},
        6: {"python": 1},
        7: {"python": 1, "bash": 2},
    }
    for number, languages in known.items():
        found = Counter(block.language for block in page.blocks if block.section.startswith(f"{number}."))
        assert dict(found) == languages


def test_its_curl_blocks_run_in_order(make_place: Callable[..., Place], page: Sections) -> None:
    place = make_place("curl", **IDS)
    deploy(place, page)
    calls = place.bash(page.of(2, "bash")[0])
    assert statuses(calls) == [
        ("POST", "buckets", 200),
        ("POST", "collections", 200),
        ("POST", "objects", 200),
    ]
    assert [call.json[key] for call, key in zip(calls, ("bucket_id", "collection_id"), strict=False)] == [
        *IDS.values()
    ]
    check_ingested(place)
    process(place, page)
    (call,) = place.bash(page.of(3, "bash")[0])
    assert (call.status, call.json["retriever_id"]) == (200, "ret_detection_review")
    check_retriever(place)
    block = page.of(4, "bash")[0]
    calls = place.bash(block)
    assert statuses(calls) == [("POST", "annotations", 200)] * 3
    assert [call.json["document_id"] for call in calls] == [one["document_id"] for one in bodies_in(block)]
    # Its classes are not what the detector said, and the answer says so.
    assert any("predicted_class" in warning for warning in calls[0].json["warnings"])
    check_annotated(place, page, version=1)
    again = place.bash(block)
    assert [call.json["annotation_id"] for call in again] == [call.json["annotation_id"] for call in calls]
    check_annotated(place, page, version=2)
    bulk(place, page)
    (call,) = place.bash(page.of(5, "bash")[0])
    assert call.status == 200
    check_stats(place, call.json)
    second_version(place, page)


def test_its_python_blocks_run_in_order(make_place: Callable[..., Place], page: Sections) -> None:
    # With our own curl, jq and zip throughout, as on a machine that has none.
    place = make_place("python", own_tools=True, **IDS)
    deploy(place, page)
    block = page.of(2, "python")[0]
    assert block.count("from mixpeek import Mixpeek\n") == 1
    place.python(
        block.replace("from mixpeek import Mixpeek\n", "from mixcv.client import Client as Mixpeek\n")
    )
    assert place.value("[bucket.bucket_id, collection.collection_id]") == [*IDS.values()]
    check_ingested(place)
    process(place, page)
    place.python(page.of(3, "python")[0])
    assert place.value("retriever.retriever_id") == "ret_detection_review"
    check_retriever(place)
    check_execution(place)
    place.python(page.of(4, "python")[0])
    check_annotated(place, page, version=1)
    bulk(place, page)
    place.python(page.of(5, "python")[0])
    check_stats(place, place.value("stats.to_dict()"))
    assert place.python("print(stats)").startswith("{'total': 3, 'by_label': {")
    assert place.python(page.of(6, "python")[0]) == "Exported 2 annotations across 2 classes\n"
    check_export(place)
    register(place, page)
