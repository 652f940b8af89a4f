from django.urls import include, path

urlpatterns = [
    path("", include("extraction.intake.urls")),
    path("", include("extraction.packages.urls")),
    path("", include("extraction.runs.urls")),
    path("", include("extraction.imports.urls")),
    path("", include("extraction.search.urls")),
]
