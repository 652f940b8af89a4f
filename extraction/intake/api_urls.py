from django.urls import path

from extraction.intake import api

urlpatterns = [
    path("buckets", api.Buckets.as_view(), name="api-buckets"),
    path("buckets/list", api.BucketList.as_view(), name="api-buckets-list"),
    path("buckets/<str:bucket_ref>", api.OneBucket.as_view(), name="api-bucket"),
    path("buckets/<str:bucket_ref>/objects", api.Objects.as_view(), name="api-objects"),
    path("buckets/<str:bucket_ref>/objects/list", api.ObjectList.as_view(), name="api-objects-list"),
    path("buckets/<str:bucket_ref>/objects/batch", api.ObjectBatch.as_view(), name="api-objects-batch"),
    path("buckets/<str:bucket_ref>/objects/<str:object_ref>", api.OneObject.as_view(), name="api-object"),
]
