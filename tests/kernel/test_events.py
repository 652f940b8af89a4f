"""The outbox numbers events per subject, whoever writes at the same time."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from mixcv.kernel.events import Happening, publish
from mixcv.kernel.models import Event
from mixcv.kernel.registry import Registry, RegistryClosed


@pytest.mark.django_db
def test_each_subject_has_its_own_numbers():
    publish(
        namespace_id=1,
        actor="x",
        happenings=[Happening("a", "one"), Happening("b", "one"), Happening("c", "two")],
    )
    publish(namespace_id=1, actor="x", happenings=[Happening("d", "one")])
    assert list(Event.objects.order_by("pk").values_list("subject", "subject_seq")) == [
        ("one", 1),
        ("one", 2),
        ("two", 1),
        ("one", 3),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("number", [3, 200])
def test_many_are_written_as_few_are(number):
    told = [Happening("a", f"subject {n % 7}", {"n": n, "text": "ä\t\\\n'"}) for n in range(number)]
    rows = publish(namespace_id=1, actor="x", happenings=told)
    stored = {row.pk: row for row in Event.objects.all()}
    assert len(stored) == number
    for row, happening in zip(rows, told, strict=True):
        assert stored[row.pk].payload == happening.payload
        assert (stored[row.pk].event_id, stored[row.pk].subject_seq) == (row.event_id, row.subject_seq)
        assert stored[row.pk].dispatched_at is None


@pytest.mark.django_db(transaction=True)
def test_writers_of_one_subject_queue_up():
    faults = []

    def write() -> None:
        try:
            for _ in range(10):
                with transaction.atomic():
                    publish(namespace_id=1, actor="x", happenings=[Happening("a", "same")])
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sorted(Event.objects.values_list("subject_seq", flat=True)) == list(range(1, 41))


def test_a_registry_takes_a_name_once_and_nothing_after_start_up(monkeypatch):
    assert Registry._closed  # Django is up
    monkeypatch.setattr(Registry, "_closed", False)
    registry: Registry[int] = Registry("numbers")
    registry.add("one", 1)
    with pytest.raises(ValueError, match="already"):
        registry.add("one", 2)
    monkeypatch.setattr(Registry, "_closed", True)
    with pytest.raises(RegistryClosed):
        registry.add("two", 2)
    assert list(registry) == [1]
