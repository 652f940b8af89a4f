"""The API routes of tenancy that lie inside a namespace."""

from django.urls import path

from mixcv.tenancy.api import tasks

urlpatterns = [
    path("tasks", tasks.Tasks.as_view()),
    path("tasks/list", tasks.TaskList.as_view()),
    path("tasks/<str:task_id>", tasks.Task.as_view()),
    path("tasks/<str:task_id>/cancel", tasks.CancelTask.as_view()),
]
