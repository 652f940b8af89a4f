from django.urls import path

from extraction.packages import views

urlpatterns = [
    path("detectors/state/", views.versions, name="detectors-state"),
    path("detectors/upload/", views.upload, name="package-upload"),
    path("detectors/<str:version>/", views.detector, name="detector"),
    path("detectors/<str:version>/promote/", views.promote, name="version-promote"),
    path("detectors/<str:version>/roll-back/", views.roll_back, name="version-roll-back"),
    path("detectors/<str:version>/<str:verb>/", views.change_version, name="version-change"),
    path("models/", views.models, name="models"),
    path("models/state/", views.models_state, name="models-state"),
    path("models/<str:model>/versions/<str:version>/", views.next_version, name="model-version"),
    path("models/<str:model>/<str:verb>/", views.change_model, name="model-change"),
]
