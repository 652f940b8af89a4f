from __future__ import annotations

import pytest


@pytest.fixture
def namespace(db):
    from tests import factories as make

    return make.make_namespace()


@pytest.fixture(autouse=True)
def _no_worker(request, monkeypatch):
    """The session's real worker is told of evaluations only where a test asks for it."""
    if "worker" not in request.fixturenames and request.node.get_closest_marker("django_db"):
        from tests.review.evaluation.measuring import no_worker

        no_worker(monkeypatch)


@pytest.fixture
def two(namespace):
    from tests.review.evaluation.pages import two_versions

    return two_versions(namespace)


@pytest.fixture
def compared(namespace, two, monkeypatch):
    from tests.review.evaluation.pages import compare_two

    return compare_two(namespace, two, monkeypatch)
