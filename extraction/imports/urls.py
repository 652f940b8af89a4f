from django.urls import path

from extraction.imports import views

urlpatterns = [
    path("images/<str:bucket>/truth", views.start, name="truth-import-start"),
    path("images/<str:bucket>/truth/<str:ref>/", views.report, name="truth-import"),
    path("images/<str:bucket>/truth/<str:ref>/stop", views.stop, name="truth-import-stop"),
]
