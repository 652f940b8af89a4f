"""Queries through a real host: a picture finds itself; texts need an embedder that reads them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from extraction.packages.host.client import Host
from extraction.packages.host.errors import PackageError
from extraction.packages.host.spec import HostSpec
from extraction.search import query
from tests.extraction.packages import packages
from tests.extraction.search.searches import found_by, place, ref, stage, uri_of
from tests.factories import detections_of, found, make_bucket, make_collection, make_detected, make_namespace


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    package = packages.write_package(tmp_path_factory.mktemp("packages") / "fickle", packages.FICKLE)
    folders = {name: tmp_path_factory.mktemp(name) for name in ("weights_dir", "work_dir")}
    running = Host(HostSpec(package_dir=package, **folders))
    running.start()
    yield running
    running.close()


def striped(seed: int) -> bytes:
    out = io.BytesIO()
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 255, (1, 6, 3), dtype=np.uint8)
    Pillow.fromarray(np.repeat(colours, 60, axis=0)).resize((120, 90)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.django_db
def test_a_picture_finds_the_box_that_looks_like_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "warm_host", lambda version: host)
    collection = make_collection(make_bucket(make_namespace()))
    documents = make_detected(collection, 4, detections=[found()])
    for number, document in enumerate(documents):
        path = tmp_path / f"{number}.png"
        path.write_bytes(striped(number))
        vector = host.embed([(path, [(60, 45, 120, 90)])]).result()[0].crop_embedding[0]
        place(detections_of(document)[0], [float(one) for one in vector])
    content = {"input_mode": "content", "value": base64.b64encode(striped(2)).decode()}
    search = stage("feature_search", searches=[{"feature_uri": uri_of(collection), "query": content}])
    assert found_by(collection.namespace, search)[0] == ref(documents[2])


def test_the_offline_embedder_reads_no_text(host: Host) -> None:
    with pytest.raises(PackageError, match="offline embeds pictures only"):
        host.embed_texts(["a red bus"]).result()
    assert host.alive


def test_clip_reads_text_into_the_space_of_its_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small architecture with fresh weights stands in for CLIP's own, which are too large to ship."""
    import open_clip  # takes seconds
    from safetensors.torch import save_file

    from extraction.packages.sdk.engine.embedding import clip

    monkeypatch.setattr(clip, "ARCHITECTURE", "ViT-S-32")
    monkeypatch.setattr(clip, "WEIGHTS_FILE", "small.safetensors")
    model = open_clip.create_model("ViT-S-32")
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        tmp_path / "small.safetensors",
    )
    embedder = clip.ClipEmbedder(tmp_path, device="cpu")
    texts = embedder.embed_texts(["a red bus", "a person", "a red bus"])
    crops = embedder.embed([np.zeros((40, 40, 3), np.uint8)])
    assert texts.shape[1] == crops.shape[1]
    assert np.allclose(np.linalg.norm(texts.astype(np.float32), axis=1), 1, atol=1e-2)
    assert np.array_equal(texts[0], texts[2])
    assert not np.array_equal(texts[0], texts[1])
