"""The page of tasks, the progress component, and the navigation around every page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from extraction.imports.models import TruthImport
from extraction.runs.domain import create_batch, submit_batch
from mixcv.kernel.jobs import describe_jobs, rate_text
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Role
from tests import factories as make

pytestmark = pytest.mark.django_db
State = Job.State


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def manager(namespace):
    return signed_in(make.make_user(namespace, role=Role.MANAGER))


@pytest.fixture
def reviewer(namespace):
    return signed_in(make.make_user(namespace))


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def job(namespace, state=State.RUNNING, kind="odd_work", **values):
    now = timezone.now()
    values = {"subject": "thing", "done": 34, "total": 60, "started_at": now - timedelta(minutes=3)} | values
    over = state not in {State.PENDING, State.RUNNING}
    finished = now if over else None
    return Job.objects.create(
        namespace_id=namespace.pk, kind=kind, state=state, finished_at=finished, **values
    )


def text_of(client, path="tasks/", **headers):
    answer = client.get(f"/n/demo/{path}", headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (41.3, "41 a second"),
        (4.23, "4.2 a second"),
        (0.5, "30 a minute"),
        (0.0233, "1.4 a minute"),
        (0.0006, "2.2 an hour"),
        (0.00001, "0.0 an hour"),
    ],
)
def test_a_rate_has_the_unit_in_which_one_reads_it(rate, words):
    assert rate_text(rate) == words


def test_live_work_stands_first_with_its_bar_rate_and_time_left(namespace, manager):
    job(namespace, State.FAILED, subject="broken", error="The disk is full.")
    running = job(namespace, rate=1 / 45)
    text = text_of(manager)
    assert text.index("Odd work thing") < text.index("Odd work broken")
    for words in ("34 of 60, 1.3 a minute", "20 min left", "The disk is full.", "took 3 min"):
        assert words in text
    assert '<progress value="34"' in text
    assert f'action="/n/demo/tasks/{running.public_id}/cancel/"' in text
    assert "style=" not in text


def test_before_the_first_estimate_it_says_counting(namespace, manager):
    job(namespace)
    assert "counting" in text_of(manager)


def test_what_no_worker_has_taken_waits_for_one(namespace, manager):
    job(namespace, State.PENDING, done=0, total=0)
    assert "waits for a worker" in text_of(manager)


def test_without_any_task_it_says_what_would_be_there(manager):
    text = text_of(manager)
    assert "Nothing runs." in text
    assert "No task yet." in text


@pytest.mark.parametrize(
    ("query", "seen", "unseen"),
    [
        ("", ["runs", "went wrong", "went well"], []),
        ("?state=live", ["runs"], ["went wrong", "went well"]),
        ("?state=failed", ["went wrong"], ["runs", "went well"]),
        ("?state=done", ["went well"], ["runs", "went wrong"]),
        ("?kind=batch", ["went well"], ["runs", "went wrong"]),
        ("?state=stopped&kind=batch", ["No task like this"], ["runs", "went well"]),
        ("?state=x&kind=y&page=z", ["runs", "went wrong", "went well"], []),  # nonsense asks for all
    ],
)
def test_it_narrows_by_state_and_kind(namespace, manager, query, seen, unseen):
    job(namespace, subject="runs")
    job(namespace, State.FAILED, subject="went wrong")
    job(namespace, State.COMPLETED, kind="batch", subject="went well")
    text = text_of(manager, f"tasks/{query}")
    main = text[text.index("<main") :]
    assert [words in main for words in seen] == [True] * len(seen)
    # The words of the empty list speak of what runs.
    assert not [words for words in unseen if f"{words}</a>" in main]


def test_it_has_pages_and_live_work_only_on_the_first(namespace, manager):
    for n in range(31):
        job(namespace, State.COMPLETED, subject=f"done {n}")
    job(namespace, subject="runs now")
    assert "Page 1 of 2" in text_of(manager)
    second = text_of(manager, "tasks/?page=2")
    assert "done 0" in second
    assert "runs now" not in second


def test_for_htmx_it_answers_with_the_lists_and_asks_again_while_something_runs(namespace, manager):
    running = job(namespace)
    text = text_of(manager, "tasks/?kind=", **{"HX-Request": "true"})
    assert "<main" not in text
    assert 'hx-get="/n/demo/tasks/"' in text
    Job.objects.filter(pk=running.pk).update(state=State.COMPLETED)
    assert "hx-get" not in text_of(manager, **{"HX-Request": "true"})


def test_one_task_polls_alone_until_it_is_over_and_then_tells(namespace, manager):
    running = job(namespace)
    path = f"tasks/{running.public_id}/"
    assert f'hx-get="/n/demo/{path}"' in text_of(manager, path)  # by hand: a page
    answer = manager.get(f"/n/demo/{path}", headers={"HX-Request": "true"})
    assert f'hx-get="/n/demo/{path}"' in answer.content.decode()
    assert "HX-Trigger" not in answer.headers
    Job.objects.filter(pk=running.pk).update(state=State.COMPLETED, finished_at=timezone.now())
    answer = manager.get(f"/n/demo/{path}", headers={"HX-Request": "true"})
    assert answer.headers["HX-Trigger"] == "task-over"
    assert "hx-get" not in answer.content.decode()


def test_managers_stop_a_task_and_come_back_where_they_were(namespace, manager):
    running = job(namespace)
    path = f"/n/demo/tasks/{running.public_id}/cancel/"
    back = manager.post(path, headers={"Referer": "http://testserver/n/demo/quality/"})
    assert back.headers["Location"] == "http://testserver/n/demo/quality/"
    running.refresh_from_db()
    assert running.cancel_requested
    text = text_of(manager)
    assert "being stopped" in text
    assert "/cancel/" not in text  # once is enough
    assert manager.post(path, headers={"Referer": "http://evil/"}).headers["Location"] == "/n/demo/tasks/"


def test_what_is_over_is_not_stopped(namespace, manager):
    done = job(namespace, State.COMPLETED)
    manager.post(f"/n/demo/tasks/{done.public_id}/cancel/")
    done.refresh_from_db()
    assert not done.cancel_requested
    assert "is over already" in text_of(manager)


def test_reviewers_look_and_do_not_stop(namespace, reviewer):
    running = job(namespace)
    assert "/cancel/" not in text_of(reviewer)
    assert reviewer.post(f"/n/demo/tasks/{running.public_id}/cancel/").status_code == 403


def test_tasks_of_another_namespace_are_not_there(namespace, manager):
    other = job(make.make_namespace("other"), subject="secret")
    assert "secret" not in text_of(manager)
    assert manager.get(f"/n/demo/tasks/{other.public_id}/").status_code == 404
    assert manager.post(f"/n/demo/tasks/{other.public_id}/cancel/").status_code == 404
    assert manager.get("/n/other/tasks/").status_code == 404


def some_of_everything(namespace):
    """A batch that waits for its detector, an import, an index and a kind that nobody describes."""
    bucket = make.make_bucket(namespace)
    collection = make.make_collection(bucket)
    version = collection.extractor_version
    make.make_objects(bucket, 1)
    batch = create_batch(bucket=bucket, collections=[collection])
    submit_batch(batch=batch)
    version.state = "failed"
    version.save()
    batch.refresh_from_db()
    feature = version.features.get()
    index = job(namespace, kind="vector_index", checkpoint={"feature": feature.pk}, total=1, done=0)
    return batch, index, job(namespace)


def test_each_kind_is_described_with_its_page(namespace, manager):
    batch, index, odd = some_of_everything(namespace)
    imported = TruthImport.objects.create(
        bucket=batch.bucket, name="truth.zip", job=job(namespace, kind="truth_import", subject="imp_1")
    )
    rows = Job.objects.filter(namespace_id=namespace.pk)
    found = {work.job.pk: work for work in describe_jobs(namespace, rows)}
    assert found[batch.job_id].about.title == f"Detect in {batch.bucket.name}"
    assert found[batch.job_id].about.href == f"/n/demo/batches/{batch.public_id}/"
    assert found[batch.job_id].left.startswith("waits for detector")
    assert found[imported.job_id].about.title == f"Import truth.zip into {batch.bucket.name}"
    assert found[imported.job_id].about.href.endswith(f"/truth/{imported.public_id}/")
    assert found[index.pk].about.title.startswith("Index ")
    assert found[odd.pk].about.title == "Odd work thing"
    text = text_of(manager)
    for work in found.values():
        assert work.about.title in text
    for path in (found[batch.job_id].about.href, found[imported.job_id].about.href):
        assert manager.get(path).status_code == 200


def test_it_takes_the_same_number_of_queries_for_more(namespace, manager):
    def queries():
        with CaptureQueriesContext(connection) as caught:
            text_of(manager)
        return len(caught)

    some_of_everything(namespace)
    queries()  # the first opens the session
    few = queries()
    some_of_everything(namespace)
    some_of_everything(namespace)
    assert queries() == few


def test_the_bar_leads_to_the_tasks(namespace, manager):
    job(namespace)
    text = text_of(manager, "quality/")
    assert '<a class="btn quiet tasks" href="/n/demo/tasks/">' in text
    assert "1 task running" in text


def test_each_place_is_in_the_bar_or_under_more_and_the_page_is_marked(namespace, manager):
    text = text_of(manager, "retrievers/")
    for path in ("", "images/", "review/", "datasets/", "quality/"):
        assert f'<a href="/n/demo/{path}">' in text
    more = text[text.index('class="menu more"') : text.index("</details>", text.index('class="menu more"'))]
    for path in ("detectors/", "batches/", "models/", "tasks/", "api/"):
        assert f'<a href="/n/demo/{path}">' in more
    assert '<a href="/n/demo/retrievers/" aria-current="page">' in more
    assert "now at Retrievers" in more
    assert "now at" not in text_of(manager, "quality/")
