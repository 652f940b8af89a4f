"""Fixtures of datasets."""

from __future__ import annotations

import pytest


@pytest.fixture
def namespace():
    from tests import factories as make

    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    from tests import factories as make

    return make.make_collection(make.make_bucket(namespace, "cameras"), "street objects")
