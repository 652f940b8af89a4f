"""What `@production` serves after a promotion and after a way back."""

from __future__ import annotations

import json

import pytest

from extraction.packages.domain import promote, roll_back
from mixcv.tenancy.actors import SYSTEM
from review.evaluation.models import PromotionPolicy
from tests import factories as make
from tests.extraction.search.searches import axis, place, stage
from tests.review.datasets import building
from tests.review.evaluation.measuring import TRUE, evaluate, hosts

pytestmark = pytest.mark.django_db


def test_a_retriever_of_production_serves_version_2_once_it_is_promoted(client, namespace, monkeypatch):
    bucket = make.make_bucket(namespace)
    first, second = (make.make_version(namespace, "street", number) for number in ("1.0.0", "2.0.0"))
    promote(version=first, by=SYSTEM)
    old = make.make_collection(bucket, "old boxes", version=first)
    new = make.make_collection(bucket, "new boxes", version=second)
    building.ready(old)
    make.make_detected(new)
    for collection in (old, new):
        for detection in collection.detections.all():
            place(detection, axis(0))
    headers = {"Authorization": f"Bearer {make.make_key(namespace)}"}

    def post(path, body):
        answer = client.post(path, json.dumps(body), content_type="application/json", headers=headers)
        assert answer.status_code == 200, answer.content
        return answer.json()

    search = {"feature_uri": "mixpeek://street@production/crop_embedding", "query": axis(0)}
    made = post(
        "/v1/retrievers", {"retriever_name": "alike", "stages": [stage("feature_search", searches=[search])]}
    )

    def served():
        found = post(f"/v1/retrievers/{made['retriever_id']}/execute", {"inputs": {}})
        return {one["collection_id"] for one in found["documents"]}

    assert served() == {old.public_id}
    PromotionPolicy.objects.create(extractor=first.extractor, least_boxes=2)
    hosts(monkeypatch, {"1.0.0": TRUE[:1], "2.0.0": TRUE})
    evaluate(namespace, building.build(building.dataset_of(old)), [first, second])
    promote(version=second, by=SYSTEM)
    assert served() == {new.public_id}
    roll_back(extractor=first.extractor, by=SYSTEM)
    assert served() == {old.public_id}
