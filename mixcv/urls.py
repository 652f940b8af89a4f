"""Every address of the product. Pages lie under `/n/<namespace>/`, the API under `/v1/`."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, include, path

from extraction.intake.put_view import put_bytes
from extraction.packages.downloads import get_bytes
from mixcv.kernel import api
from mixcv.kernel.health import healthz
from mixcv.kernel.schema import api_page, openapi
from mixcv.tenancy.api import namespaces

api_routes: list[URLPattern | URLResolver] = [
    path("", include("mixcv.tenancy.api.urls")),
    path("", include("extraction.api_urls")),
    path("", include("review.api_urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("openapi.json", openapi, name="openapi"),
    path("docs/openapi.json", openapi),
    path("docs/api/", api_page, name="api"),
    path("v1/uploads/<str:upload_id>", put_bytes, name="put-bytes"),
    path("archives/<int:blob_id>/<str:name>", get_bytes, name="get-bytes"),
    path("v1/me", namespaces.Me.as_view()),
    path("v1/health", namespaces.Health.as_view()),
    path("v1/namespaces", namespaces.Namespaces.as_view()),
    path("v1/namespaces/list", namespaces.NamespaceList.as_view()),
    path("v1/namespaces/<str:namespace>", namespaces.OneNamespace.as_view()),
    path("v1/namespaces/<str:namespace_ref>/", include(api_routes)),
    path("v1/", include(api_routes)),
    path("", include("mixcv.tenancy.urls")),
    path("n/<str:ns>/", include("mixcv.tenancy.page_urls")),
    path("n/<str:ns>/", include("extraction.urls")),
    path("n/<str:ns>/", include("review.urls")),
]


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/v1/"):
        return api.bad_request()
    return render(None, "400.html", status=400)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/v1/"):
        return api.not_found(request, exception)
    return render(request, "error.html", {"status": 404}, status=404)


def handler500(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/v1/"):
        return api.server_error()
    # Rendered without the request: whatever broke may break the frame too.
    return render(None, "error_bare.html", {"status": 500}, status=500)
