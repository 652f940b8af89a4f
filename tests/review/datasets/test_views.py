"""The pages of datasets."""

from __future__ import annotations

import io
import zipfile

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import expect

from mixcv.tenancy.models import Role
from review.datasets import domain
from review.datasets.models import Dataset, DatasetInclude
from tests import factories as make
from tests.pages.desk import sign_in
from tests.review.datasets.building import INES, build, confirm, dataset_of, detected, ready, reject

pytestmark = pytest.mark.django_db
HOME = "/n/demo/datasets/"


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(make.make_bucket(namespace, "cameras"), "street")


@pytest.fixture
def reviewer(namespace):
    return signed_in(make.make_user(namespace, name="ines"))


@pytest.fixture
def manager(namespace):
    return signed_in(make.make_user(namespace, name="maria", role=Role.MANAGER))


def signed_in(user):
    browser = Client()
    browser.force_login(user)
    return browser


def form_of(collection, **changes):
    return {
        "name": "street",
        "extractor": collection.extractor_version.extractor.name,
        "background": "10",
        "validation": "0",
        "seed": "0",
        **changes,
    }


def text(answer):
    return " ".join(answer.content.decode().split())


def test_a_manager_makes_builds_and_downloads_one(manager, collection):
    ready(collection)
    answer = manager.post(
        HOME, form_of(collection, accept_above="0.9", background="12.5", buckets=["bkt_cameras"])
    )
    assert answer["Location"] == f"{HOME}ds_street/"
    dataset = Dataset.objects.get()
    assert dataset.policy["background_share"] == 0.125
    assert (dataset.policy["accept_above"], dataset.policy["buckets"]) == (0.9, ["bkt_cameras"])
    page = text(manager.get(f"{HOME}ds_street/"))
    assert "A version built now takes 5 images with 15 boxes" in page
    assert "Build version 1" in page
    page = text(manager.post(f"{HOME}ds_street/build/", follow=True))
    assert "Version 1 is built: 5 images with 15 boxes." in page
    answer = manager.get(f"{HOME}ds_street/versions/1/export/?format=coco")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert "annotations/train.json" in archive.namelist()
    assert manager.get(f"{HOME}ds_street/versions/1/export/?format=voc").status_code == 422


def test_what_is_left_out_is_shown_with_the_queue_that_completes_it(reviewer, collection):
    ready(collection)
    documents = detected(collection, 2)
    dataset_of(collection)
    page = text(reviewer.get(f"{HOME}ds_street/"))
    queue = make.queue_of(collection)
    assert "Nobody has looked" in page
    assert f"/n/demo/review/{queue.public_id}/" in page
    page = text(reviewer.get(f"{HOME}ds_street/images/unseen/"))
    assert all(document.object.key in page for document in documents)
    assert f"/n/demo/review/{queue.public_id}/" in page
    assert "No image" in text(reviewer.get(f"{HOME}ds_street/images/partial/"))
    assert reviewer.get(f"{HOME}ds_street/images/nothing/").status_code == 404


def test_why_nothing_can_be_built_is_said(manager, collection):
    dataset_of(collection)
    assert "hold no image" in text(manager.get(f"{HOME}ds_street/"))
    assert "The dataset is empty" in text(manager.post(f"{HOME}ds_street/build/", follow=True))
    (document,) = detected(collection, 1)
    assert "No image is reviewed whole." in text(manager.get(f"{HOME}ds_street/"))
    confirm([document])
    page = text(manager.get(f"{HOME}ds_street/"))
    assert "No complete image belongs to the holdout" in page
    assert "Build version" not in page


def test_the_policy_changes_and_faults_are_shown_beside_the_field(manager, collection):
    dataset_of(collection, background_share=0.07, accept_above=0.8)
    page = text(manager.get(f"{HOME}ds_street/"))
    assert 'value="7.0"' in page
    assert 'value="0.8"' in page
    answer = manager.post(f"{HOME}ds_street/policy/", form_of(collection, background="200"))
    assert answer.status_code == 422
    assert "less than or equal to 100" in text(answer)
    manager.post(f"{HOME}ds_street/policy/", form_of(collection, validation="25", only_included="on"))
    policy = Dataset.objects.get().policy
    assert (policy["validation_share"], policy["only_included"], policy["accept_above"]) == (0.25, True, None)


def test_an_image_over_the_share_of_background_is_added_by_hand(manager, collection):
    ready(collection)
    (document,) = reject(detected(collection, 1))
    dataset_of(collection)
    assert "Add it" in text(manager.get(f"{HOME}ds_street/images/background_over/"))
    manager.post(f"{HOME}ds_street/include/", {"image": document.image_id, "kind": "hard_negative"})
    assert DatasetInclude.objects.get().kind == "hard_negative"
    assert "A version built now takes 6 images" in text(manager.get(f"{HOME}ds_street/"))
    assert "do not exist here" in text(
        manager.post(f"{HOME}ds_street/include/", {"image": "999999"}, follow=True)
    )


def test_reviewers_look_and_managers_change(reviewer, collection):
    ready(collection)
    version = build(dataset_of(collection))
    page = text(reviewer.get(f"{HOME}ds_street/"))
    assert "Build version" not in page
    assert "Change the policy" not in page
    for path in ("build", "policy", "delete", "include", "versions/1/delete"):
        assert reviewer.post(f"{HOME}ds_street/{path}/", {}).status_code == 403
    assert reviewer.post(HOME, form_of(collection, name="mine")).status_code == 422
    assert list(Dataset.objects.values_list("name", flat=True)) == ["street"]
    assert reviewer.get(f"{HOME}ds_street/versions/{version.number}/export/").status_code == 200


def test_versions_and_datasets_are_deleted(manager, collection):
    ready(collection)
    build(dataset_of(collection))
    assert "Delete them first" in text(manager.post(f"{HOME}ds_street/delete/", follow=True))
    assert "Version 1 is deleted." in text(manager.post(f"{HOME}ds_street/versions/1/delete/", follow=True))
    manager.post(f"{HOME}ds_street/delete/")
    assert not Dataset.objects.exists()


def test_a_policy_whose_bucket_is_gone_still_has_a_page(manager, collection):
    dataset = dataset_of(collection)
    Dataset.objects.filter(pk=dataset.pk).update(policy={**dataset.policy, "buckets": ["bkt_gone"]})
    assert "bkt_gone" in text(manager.get(f"{HOME}ds_street/"))
    assert "bkt_gone" in text(manager.post(f"{HOME}ds_street/build/", follow=True))


def test_another_namespace_has_no_such_page(manager, namespace):
    other = make.make_collection(make.make_bucket(make.make_namespace("other")), "street")
    dataset_of(other)
    for path in ("", "images/unseen/", "versions/1/export/"):
        assert manager.get(f"{HOME}ds_street/{path}").status_code == 404
    assert "ds_street" not in text(manager.get(HOME))


def test_pages_cost_the_same_at_one_and_at_three_rows(manager, collection):
    ready(collection)
    detected(collection, 1)
    dataset = dataset_of(collection)
    build(dataset)

    def cost():
        found = []
        for path in ("", "ds_street/", "ds_street/images/unseen/", "ds_street/images/reviewed/"):
            with CaptureQueriesContext(connection) as queries:
                assert manager.get(f"{HOME}{path}").status_code == 200
            found.append(len(queries))
        return found

    cost()
    before = cost()
    for name in ("second", "third"):
        dataset_of(collection, name)
        build(dataset)
    detected(collection, 2)
    ready(collection)
    assert cost() == before


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_from_the_list_to_a_built_version_in_the_browser(page, live_server, theme):
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace, "cameras"), "street")
    user = make.make_user(namespace, name="maria", role=Role.MANAGER)
    user.theme = theme
    user.save()
    ready(collection)
    detected(collection, 2)
    reject(detected(collection, 2))
    sign_in(page.context, user, live_server.url)
    page.goto(f"{live_server.url}/n/demo/")
    page.get_by_role("link", name="Datasets").click()
    assert faults_of(page) == []
    page.get_by_label("Name").fill("street")
    page.get_by_role("button", name="Make the dataset").click()
    expect(
        page.get_by_role("heading", name="A version built now takes 5 images with 15 boxes")
    ).to_be_visible()
    assert faults_of(page) == []
    page.get_by_role("button", name="Build version 1").click()
    expect(page.get_by_role("heading", name="1 version")).to_be_visible()
    assert faults_of(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Download version 1 as YOLO").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert "data.yaml" in archive.namelist()
    page.get_by_role("link", name="More background than wanted").click()
    assert faults_of(page) == []
    for width, height in ((1440, 900), (1280, 720), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        for path in ("", "ds_street/", "ds_street/images/unseen/"):
            page.goto(f"{live_server.url}{HOME}{path}")
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0
    page.goto("about:blank")


RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


def faults_of(page):
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:300]}" for v in found for n in v["nodes"]]


def test_includes_survive_a_change_of_policy(collection):
    ready(collection)
    dataset = dataset_of(collection)
    domain.include_images(dataset=dataset, image_ids=[collection.documents.first().image_id], by=INES)
    domain.update_policy(dataset=dataset, changes={"seed": 5}, by=INES)
    assert dataset.includes.count() == 1


def test_a_picture_s_page_adds_it_to_a_dataset(namespace, collection, manager, reviewer):
    document = detected(collection, 1)[0]
    row = dataset_of(collection)
    page = f"/n/demo/images/{document.image_id}/page"
    assert "Add to the dataset" in manager.get(page, follow=True).content.decode()
    assert "Add to the dataset" not in reviewer.get(page, follow=True).content.decode()
    sent = {"dataset": row.public_id, "image": document.image_id, "kind": "hard_negative"}
    assert reviewer.post(f"{HOME}add-image/", sent).status_code == 403
    answer = manager.post(f"{HOME}add-image/", sent, follow=True)
    assert answer.redirect_chain[0][0] == page
    text = " ".join(answer.content.decode().split())
    assert f"The picture is added to {row.name}." in text
    assert "Add to the dataset" not in text, "there is no other dataset to add it to"
    assert DatasetInclude.objects.get().kind == "hard_negative"


@pytest.mark.parametrize(
    "image", ["", "x", "²", "0", "9" * 30], ids=["none", "word", "square", "zero", "long"]
)
def test_a_picture_that_is_none_is_not_found(collection, manager, image):
    sent = {"dataset": dataset_of(collection).public_id, "image": image}
    assert manager.post(f"{HOME}add-image/", sent).status_code == 404


def test_an_incomplete_holdout_is_named_with_the_way_to_complete_it(collection, manager, reviewer):
    row = dataset_of(collection)
    confirm(detected(collection, 2))
    detected(collection, 1, "holdout")
    path = f"{HOME}{row.public_id}/"
    text = " ".join(manager.get(path).content.decode().split())
    assert "No complete image belongs to the holdout" in text
    assert "1 held-out image of street is not reviewed whole" in text
    assert (
        f'action="/n/demo/review/collections/{collection.public_id}/holdout/"' in text or "/holdout/" in text
    )
    assert "Complete the holdout" not in reviewer.get(path).content.decode()
    confirm(detected(collection, 1, "holdout"))
    assert "1 held-out image of street" in " ".join(manager.get(path).content.decode().split())
