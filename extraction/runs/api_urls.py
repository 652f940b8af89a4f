"""The room's API routes, relative to `/v1/` and `/v1/namespaces/{namespace}/`."""

from django.urls import path

from extraction.runs.api import batches, collections, documents

COLLECTION = "collections/<str:collection_ref>"
BATCHES = "buckets/<str:bucket_ref>/batches"
BATCH = f"{BATCHES}/<str:batch_ref>"

urlpatterns = [
    path("collections", collections.CollectionsView.as_view()),
    path("collections/list", collections.CollectionListView.as_view()),
    path(COLLECTION, collections.CollectionView.as_view()),
    path(f"{COLLECTION}/trigger", collections.TriggerView.as_view()),
    path(f"{COLLECTION}/documents/batch", documents.DocumentBatchView.as_view()),
    path(f"{COLLECTION}/documents/<str:document_id>", documents.CollectionDocumentView.as_view()),
    path(BATCHES, batches.BatchesView.as_view()),
    path(f"{BATCHES}/list", batches.BatchListView.as_view()),
    path(BATCH, batches.BucketBatchView.as_view()),
    path(f"{BATCH}/submit", batches.SubmitView.as_view()),
    path(f"{BATCH}/cancel", batches.CancelView.as_view()),
    path(f"{BATCH}/retry", batches.RetryView.as_view()),
    path(f"{BATCH}/audit", batches.AuditView.as_view()),
    path(f"{BATCH}/failed-documents", batches.FailedView.as_view()),
    path("batches", batches.AllBatchesView.as_view()),
    path("batches/list", batches.AllBatchListView.as_view()),
    path("batches/<str:batch_ref>", batches.BatchView.as_view()),
    path("batches/<str:batch_ref>/cancel", batches.CancelByIdView.as_view()),
    path("documents/batch-get", documents.BatchGetView.as_view()),
    path("documents/<str:document_id>", documents.DocumentView.as_view()),
]
