"""Every address of the product. Pages lie under `/n/<namespace>/`, the API under `/v1/`."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, include, path

from mixcv.kernel import api
from mixcv.kernel.health import healthz

api_routes: list[URLPattern | URLResolver] = [
    path("", include("extraction.api_urls")),
    path("", include("review.api_urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("v1/namespaces/<str:namespace_ref>/", include(api_routes)),
    path("v1/", include(api_routes)),
    path("", include("mixcv.tenancy.urls")),
    path("n/<str:ns>/", include("extraction.urls")),
    path("n/<str:ns>/", include("review.urls")),
]


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/v1/"):
        return api.not_found(request, exception)
    return render(request, "error.html", {"status": 404}, status=404)


def handler500(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/v1/"):
        return api.server_error()
    # Rendered without the request: whatever broke may break the frame too.
    return render(None, "error_bare.html", {"status": 500}, status=500)
