"""Pages of tenancy inside a namespace."""

from django.urls import path

from mixcv.tenancy import api_pages

urlpatterns = [
    path("api/", api_pages.programs, name="programs"),
    path("api/keys/", api_pages.new_key, name="new-key"),
    path("api/keys/<int:key>/revoke", api_pages.revoke_key, name="revoke-key"),
]
