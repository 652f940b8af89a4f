"""What tests of verdicts stand on: a namespace, an image with three boxes, a caller."""

from __future__ import annotations

import django
import pytest

django.setup()  # a room's conftest is read before pytest-django does it

from tests import factories as make  # noqa: E402
from tests.review.verdicts.calling import Caller  # noqa: E402


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(make.make_bucket(namespace), "detected_objects")


@pytest.fixture
def document(collection):
    return make.make_detected(collection)[0]


@pytest.fixture
def boxes(document):
    """By falling confidence: truck 0.91, person 0.62, bus 0.43."""
    return make.detections_of(document)


@pytest.fixture
def api(client, namespace):
    return Caller(client, make.make_key(namespace, label="script"))
