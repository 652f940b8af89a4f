from django.urls import path

from extraction.runs import views

urlpatterns = [
    path("detectors/", views.detectors, name="detectors"),
    path("collections/<str:collection>/", views.collection, name="collection"),
    path("collections/<str:collection>/batch/", views.start_batch, name="batch-start"),
    path("batches/", views.batches, name="batches"),
    path("batches/<str:batch>/", views.batch, name="batch"),
    path("batches/<str:batch>/live/", views.batch_live, name="batch-live"),
    path("batches/<str:batch>/retry/", views.retry, name="batch-retry"),
    path("batches/<str:batch>/cancel/", views.cancel, name="batch-cancel"),
]
