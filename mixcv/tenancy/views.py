"""Signing in and out, the account, and the way to the first page."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mixcv.tenancy import domain
from mixcv.tenancy.addresses import address
from mixcv.tenancy.forms import ChangePasswordForm, SignInForm
from mixcv.tenancy.models import User
from mixcv.tenancy.queries import namespaces_of


class SignIn(LoginView):
    template_name = "tenancy/login.html"
    authentication_form = SignInForm
    next_page = "root"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    next_page = "login"


@login_required
@require_GET
def root(request: HttpRequest) -> HttpResponse:
    """To the namespace where one was last, else the first; a page that says how to get one where there is none."""
    mine = namespaces_of(cast("User", request.user))
    if not mine:
        return render(request, "tenancy/no_namespace.html")
    last = request.session.get("namespace")
    return redirect(address(next((one for one in mine if one.pk == last), mine[0]), "home"))


@login_required
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    form = ChangePasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        update_session_auth_hash(request, user)
        messages.success(request, "The new password is saved. Other browsers are signed out.")
        return redirect("account")
    context = {"form": form, "themes": User.Theme.choices, "mine": namespaces_of(user)}
    return render(request, "tenancy/account.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Kept on the account, so that the next page comes in it at once. Scripts get 204, a plain form its page again."""
    domain.set_theme(user=cast("User", request.user), theme=request.POST.get("theme", ""))
    if request.headers.get("X-Requested-With") == "fetch":
        return HttpResponse(status=204)
    back = request.META.get("HTTP_REFERER", "")
    allowed = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if allowed else "account")
