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
