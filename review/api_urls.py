"""The API routes of review, relative to `/v1/` and `/v1/namespaces/{namespace}/`."""

from django.urls import path

from review.verdicts import api

urlpatterns = [
    path("annotations", api.AnnotationsView.as_view()),
    path("annotations/list", api.AnnotationListView.as_view()),
]
