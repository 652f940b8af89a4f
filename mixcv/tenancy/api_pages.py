"""The page from which programs get in: addresses, keys, and the way to the API's document."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from mixcv.kernel.errors import NotFound
from mixcv.tenancy.addresses import address
from mixcv.tenancy.domain import create_api_key, revoke_api_keys
from mixcv.tenancy.forms import NewKeyForm
from mixcv.tenancy.models import ApiKey, Role
from mixcv.tenancy.request import AppRequest, actor_of, needs

_KEYS = 200
_NEW_KEY = "new_key"


@require_GET
@never_cache
def programs(request: AppRequest) -> HttpResponse:
    """Where programs get in; a key that was just made is shown once."""
    made = request.session.pop(_NEW_KEY, None)
    text = made["text"] if made and made["namespace"] == request.namespace.pk else ""
    return _page(request, NewKeyForm(), text=text)


@require_POST
@needs(Role.ADMIN)
def new_key(request: AppRequest) -> HttpResponse:
    """Make a key. Its text waits in the session for the page that shows it."""
    form = NewKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    _, text = create_api_key(
        namespace=request.namespace,
        label=form.cleaned_data["label"],
        scopes=form.cleaned_data["scopes"],
        rate_limit=form.cleaned_data["rate_limit"],
        by=actor_of(request),
    )
    request.session[_NEW_KEY] = {"namespace": request.namespace.pk, "text": text}
    return redirect(address(request.namespace, "programs"))


@require_POST
@needs(Role.ADMIN)
def revoke_key(request: AppRequest, key: int) -> HttpResponse:
    row = ApiKey.objects.filter(pk=key, namespace=request.namespace).first()
    if row is None:
        raise NotFound("There is no such key here.")
    if revoke_api_keys(keys=[row], by=actor_of(request)):
        messages.success(request, f"{row.label} is revoked: programs that use it get 401 from now on.")
    return redirect(address(request.namespace, "programs"))


def _page(request: HttpRequest, form: NewKeyForm, *, text: str = "", status: int = 200) -> HttpResponse:
    namespace = request.namespace  # type: ignore[attr-defined]  # set by the middleware
    is_admin = request.role == Role.ADMIN  # type: ignore[attr-defined]
    keys = ApiKey.objects.filter(Q(namespace=namespace) | Q(also_opens=namespace)).distinct()
    context = {
        "here": "programs",
        "form": form,
        "text": text,
        "is_admin": is_admin,
        "keys": keys.select_related("created_by", "namespace").order_by("-created_at")[:_KEYS]
        if is_admin
        else [],
        "base": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "tenancy/programs.html", context, status=status)
