"""The routes of document lists; before those of single documents, whose ids would take these words."""

from django.urls import path

from extraction.search import documents_api as api

COLLECTION = "collections/<str:collection_ref>/documents"

urlpatterns = [
    path("documents", api.Documents.as_view()),
    path("documents/list", api.DocumentListView.as_view()),
    path(COLLECTION, api.CollectionDocuments.as_view()),
    path(f"{COLLECTION}/list", api.CollectionDocumentList.as_view()),
    path(f"{COLLECTION}/count", api.DocumentCount.as_view()),
    path(f"{COLLECTION}/distinct", api.DistinctValues.as_view()),
]
