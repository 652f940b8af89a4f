from django.urls import path

from extraction.intake import media_views, views

urlpatterns = [
    path("images/", views.images, name="images"),
    path("images/<int:pk>/file", media_views.image_file, name="image-file"),
    path("images/<int:pk>/thumb", media_views.image_thumb, name="image-thumb"),
    path("images/<int:pk>/crop", media_views.image_crop, name="image-crop"),
    path("images/<str:bucket>/", views.bucket, name="bucket"),
    path("images/<str:bucket>/upload", views.upload, name="bucket-upload"),
]
