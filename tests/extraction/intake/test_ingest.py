"""`manage.py ingest`."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from extraction.intake.models import Bucket, Object
from extraction.runs import domain as runs
from extraction.runs.models import Batch, BatchItem
from mixcv.tenancy.actors import SYSTEM
from tests import factories
from tests.extraction.intake import pictures as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.jpg").write_bytes(make.encode())
    (tmp_path / "deep" / "b.PNG").write_bytes(make.encode(make.pixels(seed=2), form="PNG"))
    (tmp_path / "bad.jpg").write_bytes(b"only words")
    (tmp_path / "zero.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


@pytest.fixture
def collection():
    return factories.make_collection(
        factories.make_bucket(factories.make_namespace(), "yard"), "digits", enabled=True
    )


def ingest(folder, **options):
    call_command("ingest", str(folder), **{"bucket": "yard", "collection": "digits"} | options)


def test_it_takes_a_folder_in_and_says_what_it_refused(folder, collection, capsys):
    ingest(folder)
    assert set(Object.objects.values_list("key", flat=True)) == {"a.jpg", "deep/b.PNG"}
    said = capsys.readouterr().err
    assert "2 added, 0 there already, 2 refused" in said
    assert "bad.jpg: The file came as an image, but it is text." in said
    assert "zero.jpg: The file is empty" in said
    assert BatchItem.objects.filter(collection=collection).count() == 2


def test_a_second_time_it_adds_nothing(folder, collection, capsys):
    ingest(folder)
    ingest(folder)
    assert "0 added, 2 there already" in capsys.readouterr().err
    assert (Object.objects.count(), BatchItem.objects.count()) == (2, 2)


def test_it_makes_the_bucket_and_a_batch_where_the_collection_watches_another(folder, collection):
    ingest(folder, bucket="new one")
    assert Bucket.objects.filter(public_id="bkt_new_one").exists()
    assert BatchItem.objects.filter(collection=collection).count() == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"collection": "nope"}, "There are: digits"),
        ({"namespace": "nope"}, "There are: demo"),
    ],
)
def test_it_says_which_there_are(folder, collection, options, words):
    with pytest.raises(CommandError, match=words):
        ingest(folder, **options)
    assert not Object.objects.exists()


def test_it_refuses_what_is_no_folder_and_one_without_images(tmp_path, collection):
    with pytest.raises(CommandError, match="is no folder"):
        ingest(tmp_path / "nope")
    with pytest.raises(CommandError, match="has no image"):
        ingest(tmp_path)


def test_it_stops_waiting_when_the_time_is_up(folder, collection):
    with pytest.raises(CommandError, match="2 images still wait"):
        ingest(folder, wait=True, timeout=0.1)


def work(collection, **reasons):
    """Closes what gathers and detects as a worker would; `a="No picture."` fails the image whose key begins so."""
    for batch in Batch.objects.filter(state=Batch.State.OPEN):
        runs.close_batch(batch_id=batch.pk)
    items = runs.claim_items(collection_id=collection.pk, worker="test", limit=9)
    keys = dict(Object.objects.values_list("pk", "key"))
    results = [factories.result(error=reasons.get(keys[item.object_id][0])) for item in items]
    runs.write_chunk(collection=collection, worker="test", items=items, results=results)
    for batch in Batch.objects.filter(state=Batch.State.PROCESSING):
        runs.finish_if_done(batch)
    return len(items)


def states():
    return sorted(BatchItem.objects.values_list("object__key", "state"))


def test_what_failed_earlier_is_tried_again_and_what_is_done_is_not(folder, collection):
    ingest(folder)
    work(collection, a="No picture.")
    ingest(folder)
    assert states() == [("a.jpg", "FAILED"), ("a.jpg", "PENDING"), ("deep/b.PNG", "DONE")]
    ingest(folder)
    assert BatchItem.objects.count() == 3, "what waits is not asked for twice"
    assert work(collection) == 1
    ingest(folder, wait=True, timeout=0)


def test_what_was_cancelled_earlier_is_tried_again(folder, collection):
    ingest(folder)
    runs.cancel_batch(batch=Batch.objects.get(), by=SYSTEM)
    ingest(folder)
    assert BatchItem.objects.filter(state="PENDING").count() == 2


def test_waiting_for_some_that_fail_ends_with_why(folder, collection, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: work(collection, d="No picture."))
    with pytest.raises(CommandError) as caught:
        ingest(folder, wait=True)
    assert "digits: 1 images detected, 1 failed:" in str(caught.value)
    assert "deep/b.PNG: No picture." in str(caught.value)
