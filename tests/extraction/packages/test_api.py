"""`/v1/plugins`, `/v1/extractors` and `/v1/models`, as the tutorial and the clients call them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator

from extraction.packages import domain
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.models import Deployment, ExtractorVersion, RegistryModel
from mixcv.kernel.schema import document
from mixcv.tenancy.models import Namespace, Scope
from tests import factories as make
from tests.extraction.packages import packages
from tests.extraction.packages.archives import package_zip, tar_of, zip_of

pytestmark = pytest.mark.django_db
UPLOAD = {"name": "trial", "version": "1.0.0", "file_size_bytes": 50_000}
WEIGHTS = tar_of({"weights/best.pt": b"PK-not-loaded-here"})


class Api:
    """Calls with a key. Each answer is held against what the OpenAPI document says of it."""

    def __init__(self, key: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {key}"} if key else {})

    def get(self, path: str, **query: Any) -> Any:
        return fitting("get", path, self.client.get(f"/v1/{path}", query))

    def delete(self, path: str) -> Any:
        return fitting("delete", path, self.client.delete(f"/v1/{path}"))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        if body is None:
            return fitting("post", path, self.client.post(f"/v1/{path}", headers=headers))
        text = body if isinstance(body, bytes) else json.dumps(body)
        answer = self.client.post(f"/v1/{path}", text, content_type="application/json", headers=headers)
        return fitting("post", path, answer)

    def form(self, path: str, **fields: Any) -> Any:
        return fitting("post", path, self.client.post(f"/v1/{path}", fields))

    def put(self, url: str, data: bytes, content_type: str = "application/zip") -> Any:
        return Client().put(url.replace("http://testserver", ""), data, content_type=content_type)


def fitting(method: str, path: str, answer: Any) -> Any:
    """The answer, which has exactly the form that the document promises."""
    plain = re.sub(r"^namespaces/[^/]+/", "", path.partition("?")[0])
    for template in sorted(document()["paths"], key=lambda one: one.count("{")):
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", template)
        operation = document()["paths"][template].get(method)
        if operation is None or not re.fullmatch(pattern, f"/v1/{plain}"):
            continue
        status = str(answer.status_code)
        said = operation["responses"].get(status) or operation["responses"][f"{status[0]}XX"]
        schema = {**said["content"]["application/json"]["schema"], "components": document()["components"]}
        faults = [
            f"{one.json_path}: {one.message[:200]}"
            for one in Draft202012Validator(schema).iter_errors(answer.json())
        ]
        assert faults == []
        promised = _resolved(said["content"]["application/json"]["schema"]).get("properties")
        if promised and answer.status_code < 300:
            assert set(answer.json()) == set(promised)
        return answer
    raise AssertionError(f"{method} {path} is not in the document")


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


@pytest.fixture
def namespace() -> Namespace:
    return make.make_namespace()


@pytest.fixture
def api(namespace: Namespace) -> Api:
    return Api(make.make_key(namespace, scopes=[Scope.READ, Scope.WRITE, Scope.DELETE]))


def sent(api: Api, data: bytes, body: dict[str, Any] = UPLOAD, place: str = "plugins") -> Any:
    """Ask, PUT, confirm; gives the confirmation's answer."""
    asked = api.post(f"{place}/uploads", body)
    assert asked.status_code == 200, asked.content
    put = api.put(asked.json()["presigned_url"], data)
    assert put.status_code == 200, put.content
    return api.post(f"{place}/uploads/{asked.json()['upload_id']}/confirm")


def test_a_package_goes_from_the_address_to_a_status(api: Api, namespace: Namespace) -> None:
    asked = api.post(f"namespaces/{namespace.public_id}/plugins/uploads", UPLOAD).json()
    assert {"upload_id", "presigned_url", "s3_key", "expires_at"} < set(asked)
    assert (asked["namespace_id"], asked["name"], asked["version"]) == (namespace.public_id, "trial", "1.0.0")
    early = api.post(f"plugins/uploads/{asked['upload_id']}/confirm")
    assert early.status_code == 409
    data = package_zip()
    assert api.put(asked["presigned_url"], data).headers["ETag"]
    confirmed = api.post(
        f"plugins/uploads/{asked['upload_id']}/confirm", {"file_size_bytes": len(data)}
    ).json()
    assert (confirmed["success"], confirmed["plugin_id"]) == (True, "trial_1_0_0")
    assert confirmed["validation_status"] == "passed"
    assert confirmed["feature_uri"] == "mixpeek://trial@1.0.0/look"
    assert api.get("plugins/trial_1_0_0/status").json()["status"] == "NOT_DEPLOYED"
    deployed = api.post("plugins/trial_1_0_0/deploy?deployment_type=batch_only")
    assert (deployed.status_code, deployed.json()["status"]) == (200, "queued")
    status = api.get(f"namespaces/{namespace.name}/plugins/trial_1_0_0/status").json()
    assert (status["status"], status["deployed"], status["queued_at"] is not None) == ("QUEUED", False, True)
    assert api.post("plugins/trial_1_0_0/deploy").status_code == 409
    Deployment.objects.update(lease_until="2099-01-01T00:00:00Z")
    assert api.get("plugins/trial_1_0_0/status").json()["status"] == "IN_PROGRESS"
    assert api.post("plugins/trial_1_0_0/undeploy").json()["status"] == "not_deployed"
    assert api.post(f"plugins/uploads/{asked['upload_id']}/confirm").status_code == 409
    assert api.post("plugins/uploads", UPLOAD).status_code == 409


def test_a_declared_size_is_a_hint_and_a_confirmed_one_is_not(api: Api) -> None:
    asked = api.post("plugins/uploads", UPLOAD | {"file_size_bytes": 1}).json()
    api.put(asked["presigned_url"], package_zip())
    path = f"plugins/uploads/{asked['upload_id']}/confirm"
    wrong = api.post(path, {"file_size_bytes": 1})
    assert (wrong.status_code, "bytes came" in wrong.json()["error"]["message"]) == (422, True)
    assert api.post(path, {"etag": "anything"}).status_code == 422
    assert api.post(path).json()["success"] is True


@pytest.mark.parametrize("version", ["v1", "1.0", "1.0.0"])
@pytest.mark.parametrize("folder", ["", "trial"])
def test_versions_and_both_forms_are_taken(api: Api, version: str, folder: str) -> None:
    answer = sent(api, package_zip(folder=folder), UPLOAD | {"version": version}).json()
    assert answer["plugin_id"] == "trial_1_0_0"


def test_faults_are_told_and_better_bytes_are_taken(api: Api) -> None:
    asked = api.post("plugins/uploads", UPLOAD).json()
    bad = packages.MANIFEST.replace("embedding_dim", "dimensions")
    api.put(asked["presigned_url"], package_zip("import socket\n", bad))
    path = f"plugins/uploads/{asked['upload_id']}/confirm"
    refused = api.post(path)
    body = refused.json()
    assert (refused.status_code, body["success"], body["validation_status"]) == (200, False, "failed")
    assert any("rename dimensions → embedding_dim" in one for one in body["validation_errors"])
    assert any(one.startswith("pipeline.py:1: import of socket") for one in body["validation_errors"])
    assert (body["plugin_id"], body["feature_uri"]) == ("", "")
    api.put(asked["presigned_url"], package_zip())
    assert api.post(path).json()["success"] is True


def test_a_package_may_be_sent_at_once(api: Api) -> None:
    file = SimpleUploadedFile("trial.zip", package_zip())
    answer = api.form("plugins", file=file, name="trial", version="1.0").json()
    assert (answer["success"], answer["plugin_id"]) == (True, "trial_1_0_0")
    assert answer["s3_archive_url"].startswith("sha256:")
    again = api.form("plugins", file=SimpleUploadedFile("t.zip", package_zip()), name="trial", version="1.0")
    assert again.status_code == 409
    wrong = api.form("plugins", file=SimpleUploadedFile("t.zip", b"no zip"), name="other", version="1.0")
    assert wrong.json()["validation_errors"][0].startswith("archive: This is no zip archive")


def test_lists_and_one(api: Api, namespace: Namespace) -> None:
    sent(api, package_zip())
    make.make_version(namespace, "street")
    listed = api.get("plugins").json()
    assert (listed["total"], listed["namespace_id"], listed["success"]) == (2, namespace.public_id, True)
    assert [one["plugin_id"] for one in listed["plugins"]] == ["street_1_0_0", "trial_1_0_0"]
    assert len(api.post("plugins/list", {"search": "trial"}).json()["plugins"]) == 1
    one = api.get("plugins/trial", return_presigned_urls=True).json()["plugin"]
    assert {"plugin_id", "name", "version", "code_hash", "validation_status", "manifest"} < set(one)
    assert one["manifest"]["feature_extractor_name"] == "trial"
    assert api.get("plugins/trial@1.0.0").json()["plugin"]["plugin_id"] == "trial_1_0_0"
    assert api.delete("plugins/trial_1_0_0").json()["deployment_removed"] is False
    assert api.get("plugins/trial_1_0_0").status_code == 404


def test_a_name_of_several_versions_names_none(api: Api) -> None:
    for number in ("1.0.0", "2.0.0"):
        data = package_zip(manifest=packages.MANIFEST.replace("1.0.0", number))
        assert sent(api, data, UPLOAD | {"version": number}).json()["success"] is True
    answer = api.delete("plugins/trial")
    assert answer.status_code == 409
    assert "trial_2_0_0, trial_1_0_0" in answer.json()["error"]["message"]


def test_what_collections_use_is_not_deleted(api: Api, namespace: Namespace) -> None:
    sent(api, package_zip())
    version = ExtractorVersion.objects.get()
    make.make_collection(make.make_bucket(namespace), "yard", version=version)  # not ready yet, which is fine
    answer = api.delete("plugins/trial_1_0_0")
    assert (answer.status_code, "col_yard" in answer.json()["error"]["message"]) == (409, True)


def test_extractors_are_listed_by_source(api: Api, namespace: Namespace) -> None:
    sent(api, package_zip())
    make.make_version(namespace, "street")
    listed = api.get("extractors").json()
    assert (listed["total"], listed["builtin_count"], listed["custom_count"]) == (2, 1, 1)
    custom = api.get("extractors", source="custom").json()["extractors"]
    assert [(one["feature_extractor_id"], one["source"]) for one in custom] == [("trial_1_0_0", "custom")]
    assert api.post("extractors/list", {"source": "builtin"}).json()["total"] == 1
    assert api.get("extractors/street_1_0_0").json()["feature_extractor_name"] == "street"
    ExtractorVersion.objects.filter(public_id="street_1_0_0").update(state="retired")
    assert api.get("extractors").json()["total"] == 1
    assert api.get("extractors", include_disabled=True).json()["total"] == 2
    plain = api.get("collections/features/extractors").json()
    assert [one["feature_extractor_id"] for one in plain] == ["trial_1_0_0"]
    assert {"icon", "max_inputs", "required_vector_indexes", "parameter_schema"} < set(plain[0])
    one = api.get("collections/features/extractors/trial_1_0_0").json()
    assert one["output_schema"] == {}
    assert api.get("extractors", source="other").status_code == 422


def weights(name: str = "yolo_v2_weights.tar.gz", data: bytes = WEIGHTS) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def test_a_model_is_sent_deployed_read_and_deleted(api: Api, namespace: Namespace) -> None:
    fields = {
        "name": "yolo-detector",
        "version": "2.0.0",
        "model_format": "pytorch",
        "task_type": "detection",
    }
    sent_ = api.form(f"namespaces/{namespace.public_id}/models", file=weights(), num_gpus=1, **fields).json()
    assert (sent_["success"], sent_["model_id"]) == (True, "yolo-detector_2_0_0")
    assert {"deployment_status", "endpoint", "model_archive_url"} < set(sent_)
    deployed = api.post(f"namespaces/{namespace.public_id}/models/yolo-detector_2_0_0/deploy").json()
    assert (deployed["deployment_status"], "wish" in deployed["message"]) == ("pending", True)
    domain.bring_up_model(model=RegistryModel.objects.get())
    one = api.get("models/yolo-detector_2_0_0").json()["model"]
    assert (one["deployed"], one["task_type"]) == (True, "detection")
    assert one["deployment_info"]["weights"] == [{"path": "weights/best.pt", "size": 18}]
    assert one["resource_requirements"]["num_gpus"] == 1
    listed = api.get("models").json()
    assert (listed["total"], len(listed["models"]), listed["organization_id"]) == (1, 1, "mixcv")
    assert api.post("models/list", {"filters": {"field": "name", "value": "x"}}).json()["models"] == []
    assert api.form("models", file=weights(), **fields).status_code == 409
    assert api.delete("models/yolo-detector_2_0_0").json()["model_id"] == "yolo-detector_2_0_0"
    assert api.get("models/yolo-detector_2_0_0").status_code == 404


def test_a_file_that_came_as_text_is_missed_with_the_other_faults(api: Api) -> None:
    answer = api.form("models", file="/home/me/weights.tar.gz", name="yolo-detector", colour="red")
    assert answer.status_code == 422
    faults = {
        tuple(one["location"]): one["message"]
        for one in answer.json()["error"]["details"]["validation_errors"]
    }
    assert "archive part is missing: 'file' came as text" in faults["body", "file"]
    assert ("body", "version") in faults
    assert "Accepted: " in faults["body", "colour"]


@pytest.mark.parametrize("place", ["models", "plugins"])
@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"{}"])
def test_a_body_that_is_none_is_a_clear_fault(api: Api, place: str, body: bytes) -> None:
    for path in (place, f"{place}/uploads"):
        answer = api.post(path, body)
        assert answer.status_code in {400, 422}
        assert answer.json()["success"] is False


@pytest.mark.parametrize("path", ["plugins/uploads", "models/uploads", "plugins/trial_1_0_0/versions"])
def test_a_form_where_json_is_wanted_is_refused(api: Api, path: str) -> None:
    answer = api.form(path, name="trial", version="1.0.0", model_id="x", model_format="pytorch")
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.json()["error"]["message"]


def test_a_model_is_sent_to_a_signed_address(api: Api) -> None:
    body = {
        "name": "digits",
        "version": "1",
        "model_format": "pytorch",
        "resource_requirements": {"num_gpus": 1},
    }
    bad = sent(api, b"nothing of the kind", body, "models").json()
    assert (bad["success"], bad["validation_status"]) == (False, "failed")
    good = sent(api, (SHIPPED_WEIGHTS / "digits.pt").read_bytes(), body, "models").json()
    assert (good["success"], good["model_id"]) == (True, "digits_1_0_0")
    assert RegistryModel.objects.get().file_name == "digits-1.0.0.pt"


def test_the_next_version_comes_by_one_call(api: Api, namespace: Namespace) -> None:
    code = "from engine.models import load_namespace_model as load\n"
    code += "def extract(**k):\n    load_namespace_model('yolo-detector_1_0_0')\n"
    assert sent(api, package_zip(code)).json()["success"] is True
    api.form("models", file=weights(), name="yolo-detector", version="2.0.0")
    early = api.post("plugins/trial_1_0_0/versions", {"model_id": "yolo-detector_2_0_0"})
    assert (early.status_code, "Deploy it first" in early.json()["error"]["message"]) == (409, True)
    domain.bring_up_model(model=domain.deploy_model(model=RegistryModel.objects.get()))
    made = api.post("plugins/trial_1_0_0/versions", {"model_id": "yolo-detector_2_0_0", "version": "2.0.0"})
    plugin = made.json()["plugin"]
    assert (plugin["plugin_id"], plugin["models"]) == ("trial_2_0_0", ["yolo-detector_2_0_0"])
    assert plugin["deployment_info"]["status"] == "QUEUED"
    refused = api.delete("models/yolo-detector_2_0_0")
    assert (refused.status_code, "trial_2_0_0" in refused.json()["error"]["message"]) == (409, True)
    twice = api.post("plugins/trial_1_0_0/versions", {"model_id": "yolo-detector_2_0_0", "version": "2.0.0"})
    assert twice.status_code == 409
    none = api.post("plugins/trial_1_0_0/versions", {"model_id": "other_1_0_0"})
    assert none.status_code == 404


def test_a_call_with_a_key_happens_once(api: Api) -> None:
    first = api.post("plugins/uploads", UPLOAD, **{"Idempotency-Key": "a"}).json()
    assert api.post("plugins/uploads", UPLOAD, **{"Idempotency-Key": "a"}).json() == first


def test_sizes_are_bounded(api: Api, settings: Any) -> None:
    settings.MIXCV_MAX_PACKAGE_BYTES = settings.MIXCV_MAX_MODEL_BYTES = 10
    for place in ("plugins", "models"):
        answer = api.form(place, file=weights(), name="trial", version="1.0.0")
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("place", ["plugins", "extractors", "models", "collections/features/extractors"])
def test_more_rows_take_no_more_queries(api: Api, namespace: Namespace, place: str) -> None:
    counts = []
    for number in (1, 2, 3):
        manifest = packages.MANIFEST.replace("1.0.0", f"{number}.0.0")
        file = SimpleUploadedFile(
            "t.zip", zip_of({"manifest.py": manifest, "pipeline.py": "def extract(): 1"})
        )
        assert api.form("plugins", file=file, name="trial", version=str(number)).json()["success"]
        assert api.form("models", file=weights(), name="m1", version=str(number)).json()["success"]
        if number == 2:
            continue
        with CaptureQueriesContext(connection) as queries:
            assert api.get(place).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


PATHS = [
    ("get", "plugins/trial_1_0_0"),
    ("get", "plugins/trial_1_0_0/status"),
    ("post", "plugins/trial_1_0_0/deploy"),
    ("post", "plugins/trial_1_0_0/undeploy"),
    ("delete", "plugins/trial_1_0_0"),
    ("get", "extractors/trial_1_0_0"),
    ("get", "collections/features/extractors/trial_1_0_0"),
    ("get", "models/m1_1_0_0"),
    ("post", "models/m1_1_0_0/deploy"),
    ("delete", "models/m1_1_0_0"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_what_is_anothers_is_not_there(api: Api, method: str, path: str) -> None:
    sent(api, package_zip())
    api.form("models", file=weights(), name="m1", version="1")
    stranger = Api(make.make_key(make.make_namespace("other"), scopes=[Scope.ADMIN]))
    assert getattr(stranger, method)(path).status_code == 404
    assert getattr(stranger, method)(f"namespaces/demo/{path}").status_code == 404
    assert getattr(Api(""), method)(path).status_code == 401
    reader = Api(make.make_key(make.make_namespace(), scopes=[Scope.READ]))
    assert getattr(reader, method)(path).status_code == (200 if method == "get" else 403)
    asked = api.post("plugins/uploads", UPLOAD | {"version": "9.0.0"}).json()["upload_id"]
    assert stranger.post(f"plugins/uploads/{asked}/confirm").status_code == 404
    assert api.post(f"models/uploads/{asked}/confirm").status_code == 404
