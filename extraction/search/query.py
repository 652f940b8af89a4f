"""What a search looks for, as a vector of the feature's space: from a text, a vector, a picture, or something known."""

from __future__ import annotations

import base64
import binascii
import math
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlow
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Q
from numpy.typing import NDArray

from extraction.intake.domain.images import prepare
from extraction.packages.domain import CROP_EMBEDDING
from extraction.packages.host.client import Host
from extraction.packages.host.errors import HostClosed, HostError, HostOutOfMemory, PackageError
from extraction.packages.hosts import warm_host
from extraction.packages.models import ExtractorVersion, Feature, VectorSpace
from extraction.runs.domain.naming import parse_ref
from extraction.runs.models import Embedding
from extraction.search.features import rows_of
from mixcv.kernel import http
from mixcv.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from mixcv.tenancy.models import Namespace

Vector = NDArray[np.float32]
FETCH_SECONDS = 20
HOST_SECONDS = 60
# When to ask again: a host that failed once is started anew, a deployment takes longer.
HOST_BACK, DEPLOYED_BY = 5, 15

MODES = ("text", "content", "vector", "document")


class NoTextSide(InvalidInput):
    """The feature's embedder knows pictures only."""

    code = "no_text_side"


class NotDeployed(Conflict):
    """The extractor that would embed the query is not up, and does not come up by itself."""

    code = "not_deployed"


class EmbedderFails(Conflict):
    """The host that would embed the query cannot; asking again changes nothing."""

    code = "embedder_fails"


class SpacesDiffer(InvalidInput):
    """Vectors of two spaces do not compare."""

    code = "vector_spaces_differ"


def query_vector(namespace: Namespace, feature: Feature, query: Any, place: str) -> Vector | None:
    """The vector of a query (d), of unit length; None for an empty one, which searches by the filters alone.

    A query is a text, a list of numbers, or an object: `{"input_mode": "text", "value"}`, `content` with a picture's
    `url` or `base64`, `vector`, or `document` with a document's or a detection's id as `document_ref`.
    """
    if query is None or query in ("", [], {}):
        return None
    if isinstance(query, str):
        return _of_text(feature, query, place) if query.strip() else None
    if isinstance(query, list):
        return _of_numbers(feature, query, place)
    if isinstance(query, Mapping):
        return _of_object(namespace, feature, query, place)
    raise InvalidInput(
        f"A query is a text, a list of numbers or an object; this is {type(query).__name__}.", field=place
    )


def _of_object(namespace: Namespace, feature: Feature, query: Mapping[str, Any], place: str) -> Vector | None:
    mode = query.get("input_mode") or _guessed(query)
    value = query.get("value")
    if mode == "text":
        return query_vector(namespace, feature, str(query.get("text") or value or ""), place)
    if mode == "vector":
        numbers = query.get("vector", value)
        return query_vector(namespace, feature, numbers, f"{place}.value") if numbers else None
    if mode in {"content", "image"}:
        content = query.get("content") or value or query
        return _of_content(feature, content, place) if content else None
    if mode == "document":
        ref = query.get("document_ref") or value or query.get("document_id")
        return _of_known(namespace, feature, ref, f"{place}.document_ref") if ref else None
    raise InvalidInput(
        f"input_mode is {str(mode)[:40]!r}; it must be one of {', '.join(MODES)}.", field=place
    )


def _guessed(query: Mapping[str, Any]) -> str | None:
    keys = {
        "text": "text",
        "vector": "vector",
        "content": "content",
        "url": "content",
        "base64": "content",
        "document_ref": "document",
        "document_id": "document",
    }
    return next((mode for key, mode in keys.items() if query.get(key)), None)


def _of_numbers(feature: Feature, numbers: list[Any], place: str) -> Vector:
    space = space_of(feature)
    if len(numbers) != space.dimension:
        raise InvalidInput(
            f"{feature.uri} has {space.dimension} dimensions; this vector has {len(numbers)}.", field=place
        )
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
        raise InvalidInput("A vector is a list of numbers.", field=place)
    try:
        return _unit(np.asarray([float(one) for one in numbers], np.float64), place)
    except OverflowError:
        raise InvalidInput("A number of the vector is too large.", field=place) from None


def _unit(vector: NDArray[Any], place: str) -> Vector:
    largest = float(np.abs(vector).max()) if vector.size else 0.0
    if not math.isfinite(largest) or largest == 0:
        raise InvalidInput("The vector has no direction: all of it is zero, or not finite.", field=place)
    scaled = vector / largest
    result: Vector = (scaled / np.linalg.norm(scaled)).astype(np.float32)
    return result


def space_of(feature: Feature) -> VectorSpace:
    """Raises InvalidInput where the version was never deployed, and so has no space yet."""
    space = rows_of(feature).space
    if space is None:
        raise InvalidInput(f"{feature.uri} has no vectors yet: its version was never deployed.")
    return space


def _of_text(feature: Feature, text: str, place: str) -> Vector:
    space, version = space_of(feature), feature.extractor_version
    words = (
        "Search by a picture, a vector, or the id of a document or detection; an empty query searches by the "
        "filters alone."
    )
    if rows_of(feature).name != CROP_EMBEDDING:
        raise NoTextSide(
            f"{feature.uri} is filled by its package, which embeds no text. {words}", field=place
        )
    if space.embedder == "offline":
        raise NoTextSide(
            f"{feature.uri} is made by the offline embedder, which knows pictures only and has no side for text. "
            f"Register the detector with the embedder clip to search by words. {words}",
            field=place,
        )
    answer = _embedded(version, "text", lambda host: host.embed_texts([text]))
    return _unit(np.asarray(answer[0], np.float64), place)


def _of_content(feature: Feature, content: Any, place: str) -> Vector:
    data = _bytes_of(content, place)
    if rows_of(feature).name != CROP_EMBEDDING:
        raise InvalidInput(
            f"{feature.uri} is filled by its package; a picture can be searched in the server's crop embeddings.",
            field=place,
        )
    picture = prepare(data).upright
    with tempfile.TemporaryDirectory(prefix="query-", dir=_folder()) as folder:
        path = Path(folder) / "query.jpg"
        path.write_bytes(picture.data)
        whole = (picture.width / 2, picture.height / 2, float(picture.width), float(picture.height))
        found = _embedded(feature.extractor_version, "picture", lambda host: host.embed([(path, [whole])]))
    answer = found[0]
    if answer.error:
        raise InvalidInput(f"The picture cannot be embedded: {answer.error}", field=place)
    return _unit(np.asarray(answer.crop_embedding[0], np.float64), place)


def _folder() -> Path:
    folder = Path(settings.MIXCV_HOME) / "hosts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _embedded(version: ExtractorVersion, what: str, ask: Callable[[Host], Future[Any]]) -> Any:
    """What the version's host answers. Raises Unavailable for what passes, and for what lasts NotDeployed,
    EmbedderFails or PackageError."""
    _check_up(version, what)
    try:
        host = warm_host(version)
    except HostClosed:
        raise _passing(f"The host of {version} was closed; try again.", HOST_BACK) from None
    except HostError as error:
        raise _lasting(version, what, error) from None
    try:
        return ask(host).result(HOST_SECONDS)
    except TooSlow:
        raise _passing("The embedder did not answer in time; try again.", HOST_BACK) from None
    except PackageError:
        raise
    except HostOutOfMemory as error:
        raise _lasting(version, what, error) from None
    except HostError as error:
        raise _passing(
            f"The host of {version} is started anew; try again. {error.message}", HOST_BACK
        ) from None


def _check_up(version: ExtractorVersion, what: str) -> None:
    state = ExtractorVersion.State(version.state)
    if state == ExtractorVersion.State.READY:
        return
    if state == ExtractorVersion.State.DEPLOYING:
        raise _passing(f"{version} is being deployed; the {what} can be embedded once it is up.", DEPLOYED_BY)
    why = (
        f" Its last deployment failed: {version.error[:500]}"
        if state == ExtractorVersion.State.FAILED
        else ""
    )
    raise NotDeployed(
        f"{version} is not deployed ({state.value}), and so nothing embeds the {what}. Deploy it on the page of "
        f"detectors or by POST /v1/plugins/{version.public_id}/deploy, or search by a vector or by the id of a "
        f"document.{why}"
    )


def _passing(message: str, seconds: int) -> Unavailable:
    return Unavailable(message, details={"retryable": True, "retry_after_seconds": seconds})


def _lasting(version: ExtractorVersion, what: str, error: HostError) -> EmbedderFails:
    return EmbedderFails(
        f"The host of {version} cannot embed the {what}: {error.message[:1000]} Deploy the version again to see "
        "whether it comes up; search by a vector or by the id of a document meanwhile."
    )


def _bytes_of(content: Any, place: str) -> bytes:
    """A picture's bytes from an address, a data URL or base64. Raises InvalidInput, and what fetching raises."""
    if isinstance(content, Mapping):
        content = content.get("url") or content.get("base64") or content.get("data")
    if not isinstance(content, str) or not content:
        raise InvalidInput("A picture is given by its url or as base64.", field=place)
    if content.startswith(("http://", "https://")):
        return http.fetch(content, max_bytes=settings.MIXCV_MAX_IMAGE_BYTES, seconds=FETCH_SECONDS).content
    text = content.partition(",")[2] if content.startswith("data:") else content
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("The picture is neither an http address nor base64.", field=place) from None


def _of_known(namespace: Namespace, feature: Feature, ref: Any, place: str) -> Vector:
    """The vector that a document (its surest detection) or a detection has already, of the same space."""
    collection = None
    if isinstance(ref, Mapping):
        collection, ref = ref.get("collection_id"), ref.get("document_id")
    if not isinstance(ref, str) or not ref or "\0" in ref:
        raise InvalidInput("document_ref is a document's or a detection's id.", field=place)
    slug, ordinal = parse_ref(ref)
    rows = Embedding.objects.filter(
        detection__document__slug=slug,
        detection__collection__namespace=namespace,
    )
    rows = (
        rows.filter(detection__ordinal=ordinal)
        if ordinal is not None
        else rows.filter(detection__current=True)
    )
    if isinstance(collection, str) and collection:
        rows = rows.filter(
            Q(detection__collection__public_id=collection) | Q(detection__collection__name=collection)
        )
    found = list(
        rows.select_related("feature__space").order_by("detection__rank", "detection_id", "feature_id")[:50]
    )
    if not found:
        raise NotFound(f"There is no vector of {ref[:200]!r} here.", field=place)
    space = space_of(feature)
    own = rows_of(feature).pk
    fitting = [one for one in found if one.feature.space_id == space.pk]
    if not fitting:
        raise SpacesDiffer(
            f"{ref} has vectors of {found[0].feature.space}; {feature.uri} is in {space}. The two do not compare.",
            field=place,
        )
    best = next((one for one in fitting if one.feature_id == own), fitting[0])
    return _unit(np.asarray(best.vector, np.float64), place)
