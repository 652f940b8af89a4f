"""Searching by likeness: queries of every kind, fusion, filters, and the errors in words."""

from __future__ import annotations

import base64
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from extraction.packages.host.errors import HostCrashed
from extraction.packages.host.spec import EmbedResult
from extraction.packages.models import ExtractorVersion, Feature, VectorSpace
from extraction.runs.models import Collection, Document
from extraction.search import query
from extraction.search.fusion import fuse
from extraction.search.stages.diverse import rank_diverse
from mixcv.kernel.errors import InvalidInput, NotFound, Unavailable
from tests.extraction.search.searches import axis, det, feature_of, found_by, place, ref, stage, uri_of, where
from tests.factories import (
    detections_of,
    found,
    make_bucket,
    make_collection,
    make_detected,
    make_namespace,
    picture,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection() -> Collection:
    return make_collection(make_bucket(make_namespace()))


@pytest.fixture
def docs(collection: Collection) -> list[Document]:
    """Three images; their surest detections lie along axis 0, nearly along it, and along axis 100; others elsewhere."""
    made = make_detected(collection, 3, detections=[found("bus", 0.8), found("person", 0.3)])
    for number, (document, vector) in enumerate(zip(made, [axis(0), axis(0, 0.5), axis(100)], strict=True)):
        surest, other = detections_of(document)
        place(surest, vector)
        place(other, axis(300 + number))
    return made


def search(collection: Collection, looked_for: Any, **more: Any) -> dict[str, Any]:
    return stage(
        "feature_search", searches=[{"feature_uri": uri_of(collection), "query": looked_for, **more}]
    )


def test_by_a_vector(collection: Collection, docs: list[Document]) -> None:
    near = found_by(collection.namespace, search(collection, axis(0)))
    assert near == [ref(one) for one in docs]
    as_object = {"input_mode": "vector", "value": axis(100)}
    assert found_by(collection.namespace, search(collection, as_object, top_k=1)) == [ref(docs[2])]


def test_single_detections_are_found(collection: Collection, docs: list[Document]) -> None:
    near = found_by(collection.namespace, search(collection, axis(0), min_score=0.5), unit="detection")
    assert near == [det(detections_of(docs[0])[0]), det(detections_of(docs[1])[0])]


def test_by_something_known(collection: Collection, docs: list[Document]) -> None:
    by_document = {"input_mode": "document", "document_ref": {"document_id": ref(docs[2])}}
    assert found_by(collection.namespace, search(collection, by_document, top_k=1)) == [ref(docs[2])]
    by_detection = {"input_mode": "document", "value": det(detections_of(docs[1])[1])}
    assert found_by(collection.namespace, search(collection, by_detection, top_k=1)) == [ref(docs[1])]
    scoped = {
        "input_mode": "document",
        "document_ref": {"collection_id": collection.public_id, "document_id": ref(docs[0])},
    }
    assert found_by(collection.namespace, search(collection, scoped))[0] == ref(docs[0])
    with pytest.raises(NotFound, match="no vector of 'doc_nothing'"):
        found_by(collection.namespace, search(collection, {"document_id": "doc_nothing"}))


def test_of_another_namespace_nothing_is_known(collection: Collection, docs: list[Document]) -> None:
    other = make_collection(make_bucket(make_namespace("other")))
    make_detected(other)
    with pytest.raises(NotFound):
        found_by(other.namespace, search(other, {"document_id": ref(docs[0])}))
    if uri_of(other) != uri_of(collection):
        with pytest.raises(InvalidInput, match="There is no feature"):
            found_by(other.namespace, search(collection, axis(0)))


def test_an_empty_query_filters_only(collection: Collection, docs: list[Document]) -> None:
    for nothing in ("", None, "{{INPUT.query}}", {"input_mode": "text", "value": ""}):
        looked = found_by(collection.namespace, search(collection, nothing), inputs={"query": ""})
        assert sorted(looked) == sorted(ref(one) for one in docs)
    assert len(found_by(collection.namespace, stage("feature_search", searches=[]))) == 3


def test_filters_of_search_stage_and_run_all_hold(collection: Collection, docs: list[Document]) -> None:
    place(detections_of(docs[2])[0], axis(0, 0.1))
    one = search(collection, axis(0), filters=where("document_id", "ne", ref(docs[0])))
    one["config"]["parameters"]["filters"] = where("detections.0.class", "eq", "bus")
    assert found_by(collection.namespace, one) == [ref(docs[2]), ref(docs[1])]
    narrow = where("document_id", "in", [ref(docs[0]), ref(docs[1])])
    assert found_by(collection.namespace, one, filters=narrow) == [ref(docs[1])]
    assert (
        found_by(collection.namespace, search(collection, "", filters=where("image_width", "gt", 9999))) == []
    )


def test_several_searches_are_fused(collection: Collection, docs: list[Document]) -> None:
    uri = uri_of(collection)
    both = [{"feature_uri": uri, "query": axis(0)}, {"feature_uri": uri, "query": axis(100), "weight": 3}]
    weighted = stage("feature_search", searches=both, fusion="weighted")
    assert found_by(collection.namespace, weighted)[0] == ref(docs[2])
    best = stage("feature_search", searches=both, fusion="max", final_top_k=2)
    assert found_by(collection.namespace, best) == [ref(docs[0]), ref(docs[2])]
    assert len(found_by(collection.namespace, stage("feature_search", searches=both))) == 3


def test_fusions() -> None:
    one, two = [(1, 0.9), (2, 0.5)], [(2, 0.8), (3, 0.7)]
    assert fuse([one], [1.0], "rrf") == one
    assert fuse([one, two], [1.0, 1.0], "rrf")[0][0] == 2
    assert fuse([one, two], [1.0, 1.0], "max") == [(1, 0.9), (2, 0.8), (3, 0.7)]
    assert dict(fuse([one, two], [3.0, 1.0], "weighted")) == pytest.approx({1: 0.675, 2: 0.575, 3: 0.175})


def test_a_text_needs_an_embedder_that_reads(collection: Collection, docs: list[Document]) -> None:
    with pytest.raises(InvalidInput, match="offline embedder, which knows pictures only") as refused:
        found_by(collection.namespace, search(collection, "a red bus"))
    assert "Search by a picture" in refused.value.message


class Host:
    """Stands at the host's pipe: embeds everything along axis 100, or is gone."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone
        self.asked: list[Any] = []

    def embed(self, items: Any) -> Future[list[EmbedResult]]:
        self.asked += items
        answer: Future[list[EmbedResult]] = Future()
        if self.gone:
            answer.set_exception(HostCrashed("The host ended."))
        else:
            answer.set_result([EmbedResult(np.asarray([axis(100)], np.float16))])
        return answer


def test_by_a_picture(collection: Collection, docs: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    monkeypatch.setattr(query, "warm_host", lambda version: host)
    data = base64.b64encode(picture(320, 240)).decode()
    for content in (data, f"data:image/jpeg;base64,{data}", {"base64": data}):
        looked_for = {"input_mode": "content", "value": content}
        assert found_by(collection.namespace, search(collection, looked_for, top_k=1)) == [ref(docs[2])]
    assert host.asked[0][1] == [(160.0, 120.0, 320.0, 240.0)]
    monkeypatch.setattr(query, "warm_host", lambda version: Host(gone=True))
    with pytest.raises(Unavailable, match="The host ended"):
        found_by(collection.namespace, search(collection, looked_for))


@pytest.mark.parametrize(
    ("looked_for", "words"),
    [
        ([1.0, 2.0], "512 dimensions; this vector has 2"),
        ([0.0] * 512, "no direction"),
        (["x"] * 512, "list of numbers"),
        ([True] * 512, "list of numbers"),
        ([10**400] * 512, "too large"),
        ({"input_mode": "smell", "value": "x"}, "text, content, vector, document"),
        ({"input_mode": "content", "value": "%%%"}, "neither an http address nor base64"),
        ({"input_mode": "content", "value": "aGVsbG8="}, "image"),
        ({"input_mode": "document", "value": 3}, "document_ref is a document's"),
        (3, "A query is a text"),
    ],
)
def test_wrong_queries_are_refused(collection: Collection, looked_for: Any, words: str) -> None:
    make_detected(collection)
    with pytest.raises(InvalidInput, match=words):
        found_by(collection.namespace, search(collection, looked_for))


def test_features_are_named_by_version_or_as_production(collection: Collection, docs: list[Document]) -> None:
    version = collection.extractor_version
    assert version is not None
    name = version.extractor.name

    def by(uri: str | None) -> list[str]:
        return found_by(
            collection.namespace, stage("feature_search", searches=[{"feature_uri": uri, "query": axis(0)}])
        )

    for uri in (f"mixpeek://{name}@v1.0.0/crop_embedding", f"mixcv://{name}@1.0.0/crop_embedding", None):
        assert by(uri)[0] == ref(docs[0])
    with pytest.raises(InvalidInput, match=f"There are: mixpeek://{name}@1.0.0/crop_embedding"):
        by(f"mixpeek://{name}@production/crop_embedding")
    version.extractor.production = version
    version.extractor.save()
    assert by(f"mixpeek://{name}@production/crop_embedding")[0] == ref(docs[0])
    for wrong in ("mixpeek://nobody@1.0.0/x", "bus", f"mixpeek://{name}@9.0.0/crop_embedding"):
        with pytest.raises(InvalidInput, match="There are"):
            by(wrong)


def test_without_collections_all_with_the_feature_are_searched(
    collection: Collection, docs: list[Document]
) -> None:
    bucket = make_bucket(collection.namespace)
    same = make_collection(bucket, version=collection.extractor_version)
    other = make_collection(bucket)
    twin = make_detected(same)[0]
    make_detected(other)
    assert sorted(found_by(collection.namespace, search(collection, axis(0)))) == sorted(
        [*(ref(one) for one in docs), ref(twin)]
    )
    assert found_by(collection.namespace, search(collection, axis(0)), collections=[same.public_id]) == [
        ref(twin)
    ]
    within = search(collection, axis(0), collection_identifiers=[same.public_id])
    assert found_by(collection.namespace, within) == [ref(twin)]
    # Filter only: those without the feature are left out, too.
    assert len(found_by(collection.namespace, search(collection, ""))) == 4


def second_space(collection: Collection) -> Feature:
    space = VectorSpace.objects.create(embedder="clip", version="2", weights_sha256="1" * 64, dimension=512)
    return Feature.objects.create(
        extractor_version=collection.extractor_version, name="other", kind="embedding", space=space
    )


def test_two_spaces_do_not_mix(collection: Collection, docs: list[Document]) -> None:
    other = second_space(collection)
    both = [
        {"feature_uri": uri_of_first(collection), "query": axis(0)},
        {"feature_uri": other.uri, "query": axis(0)},
    ]
    with pytest.raises(InvalidInput, match="offline 1, 512 and clip 2, 512"):
        found_by(collection.namespace, stage("feature_search", searches=both))
    known = [{"feature_uri": other.uri, "query": {"document_id": ref(docs[0])}}]
    with pytest.raises(InvalidInput, match="do not compare"):
        found_by(collection.namespace, stage("feature_search", searches=known))


def uri_of_first(collection: Collection) -> str:
    return Feature.objects.get(extractor_version=collection.extractor_version, name="crop_embedding").uri


def test_a_feature_without_a_space_says_so(collection: Collection) -> None:
    version = ExtractorVersion.objects.get(pk=collection.extractor_version_id)
    Feature.objects.create(extractor_version=version, name="later", kind="embedding")
    uri = f"mixpeek://{version.extractor.name}@1.0.0/later"
    with pytest.raises(InvalidInput, match="never deployed"):
        found_by(
            collection.namespace, stage("feature_search", searches=[{"feature_uri": uri, "query": axis(0)}])
        )


def test_less_of_the_same(collection: Collection, docs: list[Document]) -> None:
    one = search(collection, axis(0))
    assert found_by(collection.namespace, one, stage("mmr", top_k=2, diversity=0.9)) == [
        ref(docs[0]),
        ref(docs[2]),
    ]
    assert found_by(collection.namespace, one, stage("mmr", diversity=0)) == [ref(d) for d in docs]
    alike = stage("deduplicate", threshold=0.8)
    assert found_by(collection.namespace, one, alike) == [ref(docs[0]), ref(docs[2])]
    assert len(found_by(collection.namespace, stage("attribute_filter"), stage("mmr", top_k=2))) == 2


def test_diversity_is_pure() -> None:
    vectors = np.asarray([axis(0), axis(0), axis(100)], np.float32)
    assert rank_diverse(vectors, [0.9, 0.8, 0.1], 3, 0.3) == [0, 2, 1]
    assert rank_diverse(vectors, [0.9, 0.8, 0.1], 3, 1.0) == [0, 1, 2]
    assert rank_diverse(vectors[:0], [], 3, 0.5) == []


def test_feature_of_collection(collection: Collection) -> None:
    assert feature_of(collection).uri.startswith("mixpeek://")
