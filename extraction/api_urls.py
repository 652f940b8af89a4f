"""The rooms' API, gathered; mounted at `/v1/` and at `/v1/namespaces/{namespace}/`."""

from django.urls import include, path

urlpatterns = [
    path("", include("extraction.intake.api_urls")),
    path("", include("extraction.search.documents_urls")),
    path("", include("extraction.packages.api_urls")),
    path("", include("extraction.runs.api_urls")),
    path("", include("extraction.imports.api_urls")),
    path("", include("extraction.search.api_urls")),
]
