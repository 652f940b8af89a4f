"""Archives come back from signed addresses as they were sent, for an hour, and from nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from extraction.packages import downloads
from mixcv.kernel import storage
from mixcv.tenancy.models import Namespace, Scope
from tests import factories as make
from tests.extraction.packages.archives import package_zip, tar_of
from tests.extraction.packages.test_api import Api

pytestmark = pytest.mark.django_db
WEIGHTS = tar_of({"weights/best.pt": b"PK-not-loaded-here"})


@pytest.fixture
def namespace() -> Namespace:
    return make.make_namespace()


@pytest.fixture
def api(namespace: Namespace) -> Api:
    return Api(make.make_key(namespace))


def model(api: Api) -> dict[str, Any]:
    file = SimpleUploadedFile("weights.tar.gz", WEIGHTS)
    sent = api.form("models", name="street", version="1.0.0", model_format="pytorch", file=file)
    assert sent.status_code == 200, sent.content
    return dict(api.get("models/street_1_0_0/download").json())


def fetch(url: str, method: str = "get") -> Any:
    return getattr(Client(), method)(url.replace("http://testserver", ""))


def test_a_models_archive_comes_back(api: Api) -> None:
    asked = model(api)
    assert (asked["filename"], asked["size_bytes"]) == ("weights.tar.gz", len(WEIGHTS))
    got = fetch(asked["download_url"])
    assert b"".join(got.streaming_content) == WEIGHTS
    assert got["Content-Disposition"] == 'attachment; filename="weights.tar.gz"'
    assert got["Content-Length"] == str(len(WEIGHTS))
    assert fetch(asked["download_url"], "post").status_code in {403, 405}


def test_a_packages_archive_comes_back_where_it_is_asked_for(api: Api, namespace: Namespace) -> None:
    data = package_zip()
    api.form("plugins", name="trial", version="1.0.0", file=SimpleUploadedFile("trial.zip", data))
    assert api.get("plugins/trial").json()["presigned_download_url"] is None
    url = api.get("plugins/trial", return_presigned_urls=True).json()["presigned_download_url"]
    assert b"".join(fetch(url).streaming_content) == data
    make.make_version(namespace, "built")
    built = api.get("plugins/built", return_presigned_urls=True).json()
    assert built["presigned_download_url"] is None


@pytest.mark.parametrize(
    ("old", "new"),
    [("signature=", "signature=0"), ("expires=", "expires=9"), ("expires=", "when="), ("weights.", "w.")],
)
def test_only_the_address_as_it_was_given_is_good(api: Api, old: str, new: str) -> None:
    url = model(api)["download_url"]
    assert fetch(url.replace(old, new)).status_code == 403


def test_it_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "GOOD_FOR", timedelta(seconds=-1))
    asked = model(api)
    refused = fetch(asked["download_url"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "download_expired")
    assert asked["expires_at"] < timezone.now().isoformat()


def test_bytes_that_are_gone_are_not_found(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    url = model(api)["download_url"]

    def gone(name: str) -> Any:
        raise storage.BlobMissing("It is gone.")

    monkeypatch.setattr(storage, "open_blob", gone)
    assert fetch(url).status_code == 404


def test_the_address_is_for_those_who_may_read(api: Api, namespace: Namespace) -> None:
    model(api)
    assert Api("").get("models/street_1_0_0/download").status_code == 401
    writing = Api(make.make_key(namespace, scopes=[Scope.WRITE]))
    assert writing.get("models/street_1_0_0/download").status_code == 403
    other = Api(make.make_key(make.make_namespace("other")))
    assert other.get("models/street_1_0_0/download").status_code == 404
