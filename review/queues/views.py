"""Pages of review: what waits, and focus mode with the calls that it makes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from extraction.intake.models import Image
from extraction.runs.domain import get_collection
from extraction.runs.models import Detection, Document
from extraction.search.queries import get_retriever
from extraction.search.views import sent_inputs as sent_inputs
from mixcv.kernel.errors import DomainError, InvalidInput, NotFound
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.request import AppRequest, actor_of, needs
from review.queues import domain
from review.queues.filling import open_as_queues, remove_queue
from review.queues.forms import image_key, read_body, read_keys, read_verdict
from review.queues.models import Queue
from review.queues.payload import colours_of, differences, progress_data, sitting_data, work_data
from review.queues.queries import pace, source_of, waiting_queues, work_on
from review.verdicts.domain import Outcome, StaleVerdict, record_verdicts, retract_verdicts
from review.verdicts.models import Annotation


@require_GET
def review(request: AppRequest) -> HttpResponse:
    """What waits, per queue, the fullest first."""
    cards = waiting_queues(request.namespace)
    differing = differences([card.queue for card in cards])
    rows = [(card, differing.get(card.queue.pk, "")) for card in cards]
    return render(request, "review/queues/list.html", {"rows": rows, "here": "review"})


@require_POST
@needs(Role.MANAGER)
def remove(request: AppRequest, queue: str) -> HttpResponse:
    row = _queue(request, queue)
    remove_queue(queue=row, by=actor_of(request))
    messages.success(request, f"The queue {row.name} is taken away. Verdicts made in it stay.")
    return redirect(address(request.namespace, "review"))


@require_GET
def focus(request: AppRequest, queue: str) -> HttpResponse:
    row = _queue(request, queue)
    execution = domain.open_queue(queue=row, user=request.user)
    context = {
        "sitting": sitting_data(row, request.user, execution.public_id),
        "differing": differences([row]).get(row.pk, ""),
        "here": "review",
    }
    return render(request, "review/queues/focus.html", context | _next(request, row, []))


@require_POST
@needs(Role.MANAGER)
def open_retriever(request: AppRequest, retriever: str) -> HttpResponse:
    """Let what a retriever finds wait in queues of its own, and go there."""
    row = get_retriever(request.namespace, retriever)
    try:
        queues = open_as_queues(retriever=row, inputs=sent_inputs(request, row), by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(address(request.namespace, "retriever", row.public_id))
    if len(queues) == 1:
        return redirect(address(request.namespace, "focus", queues[0].public_id))
    return redirect(address(request.namespace, "review"))


@require_POST
@needs(Role.MANAGER)
def open_holdout(request: AppRequest, collection: str) -> HttpResponse:
    """Let all that a collection's holdout lacks wait in a queue of its own, and go there."""
    row = get_collection(request.namespace, collection)
    try:
        queue = domain.ensure_holdout_queue(collection=row, by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(address(request.namespace, "review"))
    return redirect(address(request.namespace, "focus", queue.public_id))


@require_GET
def next_work(request: AppRequest, queue: str) -> HttpResponse:
    """The next image's fragment; `?exclude=` names images that the page has, `?image=` asks for one again."""
    row = _queue(request, queue)
    if wanted := read_keys(request.GET.get("image", "")):
        image = get_object_or_404(Image, pk=wanted[0], namespace=request.namespace)
        if not domain.renew_lease(image=image, user=request.user):
            raise NotFound("Somebody else has this image open now.")
        return render(request, "review/queues/_work.html", _work(row, image, request))
    context = _next(request, row, read_keys(request.GET.get("exclude", "")))
    return render(request, context["fragment"], context)


def _next(request: AppRequest, queue: Queue, exclude: list[int]) -> dict[str, Any]:
    image = domain.next_image(queue=queue, user=request.user, exclude=exclude)
    if image:
        return _work(queue, image, request)
    others = [card for card in waiting_queues(request.namespace) if card.waiting and card.queue != queue]
    queue.refresh_from_db(fields=["waiting_count", "done_count"])
    return {"queue": queue, "other": others[0] if others else None, "fragment": "review/queues/_done.html"}


def _work(queue: Queue, image: Image, request: AppRequest) -> dict[str, Any]:
    try:
        work = work_on(queue, image, request.user)
    except Document.DoesNotExist as error:
        raise Http404("This image is not in the queue's collection.") from error
    data = work_data(work, colours_of(work.queue))
    return {"queue": queue, "work": work, "data": data, "fragment": "review/queues/_work.html"}


@require_POST
def verdict(request: AppRequest, queue: str) -> JsonResponse:
    """One verdict. The same `key` again answers as the first time: an answer may have been lost on the way."""
    row = _queue(request, queue)
    body = read_body(request)
    document = None
    if body.get("label") == "missed":
        on_image = Document.objects.filter(collection_id=row.collection_id, image_id=image_key(body))
        document = on_image.order_by("pk").values_list("pk", flat=True).first()
    sent = read_verdict(
        body,
        retriever_ref=row.retriever.public_id,
        stage_name=row.stage_name,
        collection_id=row.collection_id,
        document_id=document,
    )
    known = _known(request, sent.key, sent.verdict.detection_id, sent.verdict.image_id)
    if known:
        return _answer(request, row, known)
    outcome = record_verdicts(
        namespace=request.namespace,
        verdicts=[sent.verdict],
        by=actor_of(request),
        source=source_of(row, sent.verdict.detection_id),
    )[0]
    return _answer(request, row, _annotation(outcome, sent.verdict.detection_id))


@require_POST
def undo(request: AppRequest, queue: str) -> JsonResponse:
    """Take one's own decision back, named by its annotation or by the key of the call that made it."""
    row = _queue(request, queue)
    body = read_body(request)
    ref = body.get("annotation_id")
    if not ref:
        mine = _mine(request).filter(metadata__key=str(body.get("key")))
        ref = mine.values_list("public_id", flat=True).first()
    if not isinstance(ref, str):
        # It never arrived, or it is taken back already: either way it does not hold.
        return JsonResponse({"progress": progress_data(pace(row, request.user))})
    outcome = retract_verdicts(namespace=request.namespace, annotation_ids=[ref], by=actor_of(request))[0]
    return _answer(request, row, _annotation(outcome, None))


@require_POST
def lease(request: AppRequest, queue: str) -> JsonResponse:
    """Keep the images that the page has open, or with `release` let go of them. Answers which ones are lost."""
    _queue(request, queue)
    keys = read_keys(request.POST.get("images", ""))
    images = list(Image.objects.filter(namespace=request.namespace, pk__in=keys))
    if request.POST.get("release"):
        domain.release_lease(images=images, user=request.user)
        return JsonResponse({"lost": []})
    lost = [image.pk for image in images if not domain.renew_lease(image=image, user=request.user)]
    return JsonResponse({"lost": lost})


@require_POST
def skip(request: AppRequest, queue: str) -> JsonResponse:
    row, image = _queue(request, queue), _image(request)
    domain.skip_image(queue=row, image=image, user=request.user)
    return JsonResponse({"progress": progress_data(pace(row, request.user))})


@require_POST
def complete(request: AppRequest, queue: str) -> JsonResponse:
    """The person saw the whole image: nothing else is on it."""
    row = _queue(request, queue)
    domain.declare_complete(image=_image(request), user=request.user)
    return JsonResponse({"complete": True, "progress": progress_data(pace(row, request.user))})


def _queue(request: AppRequest, ref: str) -> Queue:
    rows = Queue.objects.select_related("collection__extractor_version__extractor", "retriever", "namespace")
    return get_object_or_404(rows, namespace=request.namespace, public_id=ref)


def _image(request: AppRequest) -> Image:
    image = Image.objects.filter(namespace=request.namespace, pk=image_key(read_body(request))).first()
    if image is None:
        raise NotFound("This image does not exist here.", field="image_id")
    return image


def _mine(request: AppRequest) -> QuerySet[Annotation]:
    return Annotation.objects.filter(
        namespace=request.namespace, actor=actor_of(request).name, deleted_at=None
    )


def _known(request: AppRequest, key: str, detection: int | None, image: int | None) -> Annotation | None:
    if not key:
        return None
    mine = _mine(request).filter(metadata__key=key)
    found = mine.filter(Q(detection_id=detection) if detection else Q(image_id=image))
    return found.select_related("object_class", "detection").first()


def _annotation(outcome: Outcome, detection_id: int | None) -> Annotation:
    """What was written. Raises the outcome's error; a stale one with the box as it is now."""
    if outcome.error is None:
        assert outcome.annotation is not None
        return outcome.annotation
    error: DomainError = outcome.error
    if isinstance(error, StaleVerdict):
        now = Detection.objects.select_related("decided_class").get(pk=detection_id or 0)
        decided = now.decided_class
        error.details["now"] = {
            "label": now.decided_label,
            "revision": now.revision,
            "decided": {"name": decided.name, "colour": decided.colour} if decided else None,
            "waits": not now.decided_label,
        }
    elif isinstance(error, InvalidInput) and error.field == "payload.bbox":
        error.field = "box"
    raise error


def _answer(request: AppRequest, queue: Queue, row: Annotation) -> JsonResponse:
    detection = row.detection_id and Detection.objects.filter(pk=row.detection_id).values_list(
        "revision", flat=True
    )
    named = row.object_class
    return JsonResponse(
        {
            "annotation_id": row.public_id,
            "revision": detection[0] if detection else None,
            "class_name": named.name if named else None,
            "colour": named.colour if named else 0,
            "progress": progress_data(pace(queue, request.user)),
        }
    )
