"""Pages of tenancy inside a namespace."""

from django.urls import path

from mixcv.tenancy import api_pages, task_pages

urlpatterns = [
    path("tasks/", task_pages.tasks, name="tasks"),
    path("tasks/<str:task>/", task_pages.task, name="task"),
    path("tasks/<str:task>/cancel/", task_pages.cancel, name="task-cancel"),
    path("api/", api_pages.programs, name="programs"),
    path("api/keys/", api_pages.new_key, name="new-key"),
    path("api/keys/<int:key>/revoke", api_pages.revoke_key, name="revoke-key"),
]
