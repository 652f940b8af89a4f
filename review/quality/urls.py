from django.urls import path

from review.quality import views

urlpatterns = [
    path("quality/", views.quality, name="quality"),
    path("quality/labels/", views.add_label, name="quality-label-add"),
    path("quality/labels/remove/", views.drop_label, name="quality-label-remove"),
]
