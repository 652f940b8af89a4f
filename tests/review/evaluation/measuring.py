"""Versions on a holdout, with what a host would find in place of a host."""

from __future__ import annotations

from concurrent.futures import Future

from extraction.packages.host.errors import HostError
from mixcv.tenancy.actors import Actor
from review.evaluation import domain
from review.evaluation.domain import predicting, starting
from tests import factories as make
from tests.review.datasets import building

BEA = Actor("bea")
TRUE = make.DEFAULT  # bus, person, truck, as they are confirmed


def no_worker(monkeypatch):
    """The session's real worker is not told of evaluations."""
    monkeypatch.setattr(starting.app, "send_task", lambda *_, **__: None)


class FakeHost:
    """Answers by images' paths: `answers` maps a version to what it finds on the n-th holdout image."""

    def __init__(self, finds, broken=()):
        self.finds, self.broken, self.asked = finds, set(broken), []

    def submit(self, paths, *, embed):
        assert embed is False
        future = Future()
        self.asked.append(list(paths))
        if self.broken & set(paths):
            future.set_exception(HostError("The host died."))
        else:
            future.set_result([self.finds(path) for path in paths])
        return future


def hosts(monkeypatch, by_version, broken=()):
    """`by_version`: what each version (by its number) finds on every image, a list of `make.found`."""
    made = {}

    def warm_host(version, overrides=None):
        assert overrides == {"threshold": 0.001}
        finds = by_version[version.version]
        host = FakeHost(finds if callable(finds) else lambda path: make.result(finds), broken)
        return made.setdefault(version.version, host)

    monkeypatch.setattr(predicting, "warm_host", warm_host)
    return made


def holdout(namespace, *, train=2, val=3, name="street"):
    """A collection of version 1.0.0 and a dataset version whose holdout has `val` images of three boxes."""
    bucket = make.make_bucket(namespace)
    version = make.make_version(namespace, "street")
    collection = make.make_collection(bucket, version=version)
    building.ready(collection, train=train, val=val)
    dataset = building.dataset_of(collection, name)
    return version, building.build(dataset)


def evaluate(namespace, dataset_version, versions, **kwargs):
    row = domain.start_evaluation(
        namespace=namespace, dataset_version=dataset_version, versions=versions, by=BEA, **kwargs
    )
    domain.run_evaluation(key=row.pk)
    row.refresh_from_db()
    row.job.refresh_from_db()
    return row
