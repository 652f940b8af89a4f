"""The room's API routes, relative to `/v1/` and `/v1/namespaces/{namespace}/`."""

from django.urls import path

from extraction.runs import api

urlpatterns = [
    path("collections", api.CollectionsView.as_view()),
    path("collections/<str:collection_ref>", api.CollectionView.as_view()),
    path("buckets/<str:bucket_ref>/batches", api.BatchesView.as_view()),
    path("buckets/<str:bucket_ref>/batches/<str:batch_ref>", api.BatchView.as_view()),
    path("buckets/<str:bucket_ref>/batches/<str:batch_ref>/submit", api.SubmitView.as_view()),
    path("batches/<str:batch_ref>", api.BatchView.as_view()),
    path("documents/list", api.DocumentListView.as_view()),
]
