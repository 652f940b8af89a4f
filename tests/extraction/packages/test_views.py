"""Pages of detectors and models: what they show, who may change what, and the same queries for more rows."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.packages import domain
from extraction.packages.domain.versions import set_production
from extraction.packages.models import Deployment, ExtractorVersion, RegistryModel
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Namespace, Role
from tests import factories as make
from tests.extraction.packages import packages
from tests.extraction.packages.archives import keep, package_zip, tar_of

pytestmark = pytest.mark.django_db
WEIGHTS = tar_of({"weights/best.pt": b"not loaded here"})
LOADING = """
from engine.models import load_namespace_model

def build_steps(**kwargs):
    load_namespace_model("yolo-detector_1_0_0")
"""


@pytest.fixture
def namespace() -> Namespace:
    return make.make_namespace("demo")


def client_of(role: Role, namespace: str = "demo") -> Client:
    client = Client()
    client.force_login(make.make_user(make.make_namespace(namespace), role=role))
    return client


def version(namespace: Namespace, number: str = "1.0.0", code: str = LOADING) -> ExtractorVersion:
    data = package_zip(code, packages.MANIFEST.replace("1.0.0", number))
    return domain.register_package(namespace=namespace, archive=keep(namespace, data))


def model(namespace: Namespace, number: str = "2.0.0", *, deployed: bool = True) -> RegistryModel:
    row = domain.register_model(
        namespace=namespace,
        name="yolo-detector",
        version=number,
        archive=keep(namespace, WEIGHTS, "w.tar.gz"),
        file_name="w.tar.gz",
    )
    if deployed:
        domain.bring_up_model(model=domain.deploy_model(model=row))
    return row


def zip_file(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("trial.zip", data, "application/zip")


def test_a_package_is_uploaded_and_its_version_shown(namespace: Namespace) -> None:
    manager = client_of(Role.MANAGER)
    assert b"Upload the package" in manager.get("/n/demo/detectors/").content
    made = manager.post("/n/demo/detectors/upload/", {"file": zip_file(package_zip())})
    assert made.headers["Location"] == "/n/demo/detectors/trial_1_0_0/"
    page = manager.get("/n/demo/detectors/trial_1_0_0/").content.decode()
    assert "mixpeek://trial@1.0.0/look" in page
    assert "not deployed" in page
    assert manager.post("/n/demo/detectors/trial_1_0_0/deploy/").status_code == 302
    assert Deployment.objects.count() == 1
    assert b'hx-trigger="every 1s"' in manager.get("/n/demo/detectors/state/").content


def test_faults_are_listed_on_the_page(namespace: Namespace) -> None:
    manager = client_of(Role.MANAGER)
    bad = package_zip("import socket\n", packages.MANIFEST.replace("embedding_dim", "dimensions"))
    page = manager.post("/n/demo/detectors/upload/", {"file": zip_file(bad)})
    assert page.status_code == 422
    assert "rename dimensions → embedding_dim" in page.content.decode()
    assert "pipeline.py:1: import of socket" in page.content.decode()
    none = manager.post("/n/demo/detectors/upload/")
    assert (none.status_code, b"Choose a zip" in none.content) == (422, True)


def test_warnings_and_why_a_deployment_failed_are_shown(namespace: Namespace) -> None:
    row = version(namespace)
    ExtractorVersion.objects.update(state="ready", warnings=["numpy 1.0 was asked for"])
    for path in ("detectors/", f"detectors/{row.public_id}/"):
        assert b"numpy 1.0 was asked for" in client_of(Role.REVIEWER).get(f"/n/demo/{path}").content
    ExtractorVersion.objects.update(state="failed", error="needs nowhere, which is not installed\nlast words")
    for path in ("detectors/", f"detectors/{row.public_id}/"):
        page = client_of(Role.REVIEWER).get(f"/n/demo/{path}").content
        assert b"needs nowhere" in page
        assert (b"last words" in page) == (row.public_id in path)


def test_undeploying_and_deleting(namespace: Namespace) -> None:
    manager = client_of(Role.MANAGER)
    row = version(namespace)
    ExtractorVersion.objects.update(state="ready")
    path = f"/n/demo/detectors/{row.public_id}/"
    assert manager.post(f"{path}undeploy/").status_code == 302
    row.refresh_from_db()
    assert row.state == "registered"
    unsure = manager.post(f"{path}delete/", {"confirm": "yes"})
    assert (unsure.status_code, ExtractorVersion.objects.count()) == (422, 1)
    assert manager.post(f"{path}delete/", {"confirm": row.public_id}).status_code == 302
    assert not ExtractorVersion.objects.exists()
    assert manager.get(path).status_code == 404


def test_what_a_collection_uses_has_no_delete_button(namespace: Namespace) -> None:
    row = version(namespace)
    make.make_collection(make.make_bucket(namespace), "yard", version=row)
    page = client_of(Role.MANAGER).get(f"/n/demo/detectors/{row.public_id}/").content
    assert b"Delete for good" not in page
    assert b"col_yard" in page


def test_weights_are_added_deployed_and_deleted(namespace: Namespace) -> None:
    manager = client_of(Role.MANAGER)
    file = SimpleUploadedFile("w.tar.gz", WEIGHTS)
    made = manager.post("/n/demo/models/", {"file": file, "name": "yolo-detector", "version": "1.0"})
    assert made.status_code == 302
    assert b"yolo-detector_1_0_0" in manager.get("/n/demo/models/").content
    twice = {"file": SimpleUploadedFile("w.tar.gz", WEIGHTS), "name": "yolo-detector", "version": "1.0"}
    answer = manager.post("/n/demo/models/", twice)
    assert (answer.status_code, b"has a version 1.0.0 already" in answer.content) == (422, True)
    assert manager.post("/n/demo/models/yolo-detector_1_0_0/deploy/").status_code == 302
    assert b'hx-trigger="every 1s"' in manager.get("/n/demo/models/state/").content
    path = "/n/demo/models/yolo-detector_1_0_0/delete/"
    assert manager.post(path, {"confirm": ""}).status_code == 422
    assert manager.post(path, {"confirm": "yolo-detector_1_0_0"}).status_code == 302
    assert not RegistryModel.objects.exists()


def test_new_weights_make_the_next_version_by_one_button(namespace: Namespace) -> None:
    manager = client_of(Role.MANAGER)
    row = version(namespace)
    model(namespace)
    page = manager.get("/n/demo/models/").content.decode()
    button = f"/n/demo/models/yolo-detector_2_0_0/versions/{row.public_id}/"
    assert button in page
    named = manager.get(button).content.decode()
    assert "trial 2.0.0: the code of 1.0.0 with the weights yolo-detector_2_0_0" in named
    assert not ExtractorVersion.objects.filter(public_id="trial_2_0_0").exists()
    made = manager.post(button, {"number": "2.0.0"})
    assert made.headers["Location"] == "/n/demo/detectors/trial_2_0_0/"
    following = ExtractorVersion.objects.get(public_id="trial_2_0_0")
    assert (following.state, following.model_overrides) == (
        "deploying",
        {"yolo-detector_1_0_0": "yolo-detector_2_0_0"},
    )
    page = manager.get("/n/demo/models/").content.decode()
    assert "trial 2.0.0" in page  # needs it now
    assert "_0/versions/" not in page
    assert "yolo-detector_2_0_0" in manager.get("/n/demo/detectors/trial_2_0_0/").content.decode()


def test_each_version_names_its_weights(namespace: Namespace) -> None:
    version(namespace)
    make.make_version(namespace, "plain")
    page = client_of(Role.REVIEWER).get("/n/demo/detectors/").content.decode()
    assert "yolo-detector_1_0_0" in page
    assert "what its package brings" in page


def test_a_closed_gate_refuses_in_words_and_leads_to_the_comparison(namespace: Namespace) -> None:
    manager = client_of(Role.MANAGER)
    first, second = make.make_version(namespace, "street"), make.make_version(namespace, "street", "2.0.0")
    assert manager.post(f"/n/demo/detectors/{first.public_id}/promote/").status_code == 302
    refused = manager.post(f"/n/demo/detectors/{second.public_id}/promote/")
    assert refused.status_code == 409
    page = refused.content.decode()
    assert "street 2.0.0 was not put into production: its gate is closed" in page
    assert "was never measured beside street 1.0.0" in page
    assert "/n/demo/versions/?new=street_2_0_0#start" in page
    first.extractor.refresh_from_db()
    assert first.extractor.production_id == first.pk


def test_rolling_back_and_the_history_of_production(namespace: Namespace) -> None:
    manager = client_of(Role.MANAGER)
    first, second = make.make_version(namespace, "street"), make.make_version(namespace, "street", "2.0.0")
    for row in (first, second):
        set_production(row, actor=SYSTEM, reason=f"try {row.version}")
    page = manager.get(f"/n/demo/detectors/{second.public_id}/").content.decode()
    assert "try 1.0.0" in page
    assert "Roll back to 1.0.0" in page
    answer = manager.post(f"/n/demo/detectors/{second.public_id}/roll-back/", {"reason": "worse at night"})
    assert answer.headers["Location"] == f"/n/demo/detectors/{first.public_id}/"
    page = manager.get(answer.headers["Location"]).content.decode()
    assert "back from 2.0.0" in page
    assert "worse at night" in page


def test_a_package_that_loads_other_models_gets_no_button(namespace: Namespace) -> None:
    version(namespace, code=packages.FICKLE.replace("os.system(", "str("))
    model(namespace)
    assert b"New version of" not in client_of(Role.MANAGER).get("/n/demo/models/").content


PAGES = ["detectors/", "detectors/state/", "detectors/trial_1_0_0/", "models/", "models/state/"]
POSTS = [
    "detectors/upload/",
    "detectors/trial_1_0_0/deploy/",
    "detectors/trial_1_0_0/promote/",
    "detectors/trial_1_0_0/roll-back/",
    "detectors/trial_1_0_0/delete/",
    "models/yolo-detector_2_0_0/deploy/",
    "models/yolo-detector_2_0_0/delete/",
    "models/yolo-detector_2_0_0/versions/trial_1_0_0/",
]


def test_reviewers_read_and_change_nothing(namespace: Namespace) -> None:
    version(namespace)
    model(namespace)
    reviewer = client_of(Role.REVIEWER)
    for page in PAGES:
        answer = reviewer.get(f"/n/demo/{page}")
        assert answer.status_code == 200
        assert b"<form" not in answer.content.split(b"<main")[-1]
    assert {reviewer.post(f"/n/demo/{path}").status_code for path in POSTS} == {403}
    file = SimpleUploadedFile("w.tar.gz", WEIGHTS)
    reviewer.post("/n/demo/models/", {"file": file, "name": "mine", "version": "1.0"})
    assert RegistryModel.objects.count() == 1


def test_what_is_anothers_is_not_there(namespace: Namespace) -> None:
    version(namespace)
    model(namespace)
    stranger = client_of(Role.ADMIN, "other")
    assert stranger.get("/n/other/detectors/trial_1_0_0/").status_code == 404
    assert {stranger.post(f"/n/other/{path}").status_code for path in POSTS[1:]} == {404}
    assert {stranger.get(f"/n/demo/{path}").status_code for path in PAGES} == {404}


@pytest.mark.parametrize("page", PAGES)
def test_more_rows_take_no_more_queries(namespace: Namespace, page: str) -> None:
    client = client_of(Role.MANAGER)
    counts = []
    for numbers in (("1.0.0",), ("2.0.0", "3.0.0")):
        for number in numbers:
            row = version(namespace, number)
            ExtractorVersion.objects.update(warnings=["one", "two"], error="it failed")
            weights = model(namespace, number)
            row.model_uses.create(model=weights)
            Deployment.objects.create(extractor_version=ExtractorVersion.objects.get(public_id="trial_1_0_0"))
        client.get(f"/n/demo/{page}")  # the session's first visit writes
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/n/demo/{page}").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
