from django.urls import path

from review.training import views

urlpatterns = [
    path("training/", views.training, name="training"),
    path("training/<str:run>/", views.training_run, name="training-run"),
    path("training/<str:run>/collection/", views.collection, name="training-collection"),
]
