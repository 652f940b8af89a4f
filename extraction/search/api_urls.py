"""The routes of retrievers; those with a word of their own before those with an id."""

from django.urls import path

from extraction.search.api import executions, retrievers

ONE = "retrievers/<str:retriever_ref>"

urlpatterns = [
    path("retrievers", retrievers.Retrievers.as_view()),
    path("retrievers/list", retrievers.RetrieverList.as_view()),
    path("retrievers/stages", retrievers.Stages.as_view()),
    path("retrievers/execute", executions.ExecuteAdhoc.as_view()),
    path("retrievers/executions", executions.Executions.as_view()),
    path("retrievers/executions/list", executions.ExecutionList.as_view()),
    path("retrievers/executions/<str:execution_ref>", executions.OneExecution.as_view()),
    path(ONE, retrievers.OneRetriever.as_view()),
    path(f"{ONE}/clone", retrievers.CloneRetriever.as_view()),
    path(f"{ONE}/execute", executions.ExecuteRetriever.as_view()),
    path(f"{ONE}/execute/batch", executions.ExecuteBatch.as_view()),
    path(f"{ONE}/execute/explain", executions.ExplainRetriever.as_view()),
    path(f"{ONE}/executions", executions.RetrieverExecutions.as_view()),
    path(f"{ONE}/executions/list", executions.RetrieverExecutionList.as_view()),
    path(f"{ONE}/executions/<str:execution_ref>", executions.RetrieverExecution.as_view()),
    path(f"{ONE}/executions/<str:execution_ref>/status", executions.ExecutionStatus.as_view()),
    path(f"{ONE}/executions/<str:execution_ref>/profile", executions.ExecutionProfile.as_view()),
    path("features/search", executions.SearchFeatures.as_view()),
]
