from django.urls import path

from extraction.imports import api

TRUTH = "buckets/<str:bucket_ref>/truth"

urlpatterns = [
    path(f"{TRUTH}/uploads", api.TruthUploads.as_view()),
    path(f"{TRUTH}/import", api.StartImport.as_view()),
    path(f"{TRUTH}/imports", api.Imports.as_view()),
    path(f"{TRUTH}/imports/list", api.ImportList.as_view()),
    path(f"{TRUTH}/imports/<str:import_id>", api.OneImport.as_view()),
    path(f"{TRUTH}/imports/<str:import_id>/faults", api.ImportFaults.as_view()),
    path(f"{TRUTH}/imports/<str:import_id>/faults/list", api.ImportFaultList.as_view()),
]
