"""Running retrievers and searches without one, and reading again what they did."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.search import domain
from extraction.search.api.answers import (
    ExecutionAnswer,
    ExecutionDetailAnswer,
    ExecutionProfileAnswer,
    ExecutionStatusAnswer,
    RanAnswer,
    StageAnswer,
    present_execution,
    present_execution_detail,
    present_execution_profile,
    present_execution_status,
    present_ran,
    present_stage,
    read_cursor,
)
from extraction.search.api.bodies import (
    AdhocBody,
    ExecuteBody,
    ExecutionListBody,
    ExplainBody,
    FeatureSearchBody,
    RunBatchBody,
    paging,
)
from extraction.search.definition import check_inputs, read_schema, read_stages
from extraction.search.models import Execution, Retriever
from extraction.search.queries import executions_of, get_execution, get_retriever
from mixcv.kernel.api import error_body
from mixcv.kernel.errors import DomainError, InvalidInput
from mixcv.kernel.listing import Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView

EXECUTIONS = Listing(
    columns={
        "execution_id": "public_id",
        "status": "status",
        "execution_mode": "mode",
        "actor": "actor",
        "unit": "unit",
        "total_returned": "result_count",
        "duration_ms": "duration_ms",
        "timestamp": "created_at",
        "created_at": "created_at",
    },
    free={"inputs": "inputs"},
    search=("public_id", "actor"),
    order="-created_at",
)
PAGE = page_answer(ExecutionAnswer)
EXAMPLE = {"inputs": {"query": ""}, "limit": 20}


class RunView(NamespacedView):
    tag = "Retrievers"

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """What passes says when to ask again, for clients that read no bodies too."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if answer.status_code == 503:
            answer.headers["Retry-After"] = str(answer.data["error"]["details"].get("retry_after_seconds", 5))
        return answer

    def run_plan(self, plan: domain.Plan, mode: str) -> Response:
        """Run what the body asks for; with a cursor, read on in what was found before."""
        limit, offset, cursor = paging(self.data)
        vectors = bool(self.data.get("return_vectors"))
        if cursor:
            ref, offset = read_cursor(cursor)
            row = get_execution(self.namespace, ref)
            if row.retriever_id != (plan.retriever.pk if plan.retriever else None):
                raise InvalidInput("This cursor is of another search.", field="pagination.cursor")
            return Response(
                present_ran(
                    domain.page_of_execution(execution=row, limit=limit, offset=offset), vectors=vectors
                )
            )
        ran = domain.execute(
            namespace=self.namespace,
            plan=plan,
            inputs=self.data.get("inputs") or self.data.get("input") or {},
            filters=self.data.get("filters"),
            limit=limit,
            offset=offset,
            by=self.actor,
            mode=mode,
        )
        return Response(present_ran(ran, vectors=vectors))

    def adhoc(self, stages: Any, unit: str | None = None, schema: Any = None) -> domain.Plan:
        read, of = read_stages(stages, unit=unit)
        refs = self.data.get("collection_identifiers") or self.data.get("collection_ids") or []
        return domain.Plan(read, of, refs, read_schema(schema))


class ExecuteRetriever(RunView):
    @operation(
        "execute_retriever",
        "Run a retriever. What it did is kept under its execution_id, and its later pages are of the same results.",
        body=ExecuteBody,
        body_optional=True,
        answer=RanAnswer,
        scope="read",
        example=EXAMPLE,
    )
    def post(self, request: Request, retriever_ref: str) -> Response:
        row = get_retriever(self.namespace, retriever_ref)
        return self.run_plan(domain.plan_of(row), Execution.Mode.RETRIEVER)


class ExecuteAdhoc(RunView):
    @operation(
        "execute_adhoc",
        "Run a search that is no retriever.",
        body=AdhocBody,
        answer=RanAnswer,
        scope="read",
        example={"stages": [{"stage_name": "first", "stage_id": "limit", "parameters": {"limit": 5}}]},
    )
    def post(self, request: Request) -> Response:
        plan = self.adhoc(self.data["stages"], self.data.get("unit"), self.data.get("input_schema"))
        return self.run_plan(plan, Execution.Mode.ADHOC)


class SearchFeatures(RunView):
    @operation(
        "search_features",
        "What lies nearest to one query in one feature.",
        body=FeatureSearchBody,
        answer=RanAnswer,
        scope="read",
        example={
            "feature_uri": "mixpeek://yolo_detector@1.0.0/detection_embedding",
            "query": {"input_mode": "document", "document_ref": {"document_id": "doc_frame_001"}},
            "top_k": 10,
        },
    )
    def post(self, request: Request) -> Response:
        one = {
            "feature_uri": self.data.get("feature_uri"),
            "query": self.data["query"],
            "top_k": self.data["top_k"],
        }
        stage = {
            "stage_name": "feature_search",
            "stage_id": "feature_search",
            "parameters": {"searches": [one], "final_top_k": self.data["top_k"]},
        }
        self.data["limit"] = self.data["top_k"]
        return self.run_plan(self.adhoc([stage], self.data.get("unit")), Execution.Mode.ADHOC)


class RunBatchResult(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    result = RanAnswer(allow_null=True)
    error = serializers.DictField(allow_null=True)


class RunBatchAnswer(serializers.Serializer[Any]):
    results = RunBatchResult(many=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()


class ExecuteBatch(RunView):
    @operation(
        "execute_retriever_batch",
        "Run a retriever several times; each query answers on its own.",
        body=RunBatchBody,
        answer=RunBatchAnswer,
        scope="read",
        example={"queries": [{"inputs": {"camera": "cam_1"}}, {"inputs": {"camera": "cam_2"}, "limit": 5}]},
    )
    def post(self, request: Request, retriever_ref: str) -> Response:
        plan = domain.plan_of(get_retriever(self.namespace, retriever_ref))
        results = [self._one(plan, query) for query in self.data["queries"]]
        failed = sum(not one["success"] for one in results)
        return Response({"results": results, "succeeded": len(results) - failed, "failed": failed})

    def _one(self, plan: domain.Plan, query: dict[str, Any]) -> dict[str, Any]:
        try:
            ran = domain.execute(
                namespace=self.namespace,
                plan=plan,
                inputs=query.get("inputs") or {},
                filters=query.get("filters"),
                limit=query.get("limit") or 25,
                by=self.actor,
            )
        except DomainError as error:
            return {"success": False, "result": None, "error": error_body(error)["error"]}
        shown = present_ran(ran, vectors=self.data["return_vectors"])
        return {"success": True, "result": shown, "error": None}


class ExplainAnswer(serializers.Serializer[Any]):
    retriever_id = serializers.CharField()
    retriever_name = serializers.CharField()
    unit = serializers.CharField()
    stages = StageAnswer(many=True)
    estimated_cost = serializers.DictField(child=serializers.FloatField())
    total_estimated_stages = serializers.IntegerField()


class ExplainRetriever(RunView):
    @operation(
        "explain_retriever",
        "What a retriever would do, without doing it.",
        body=ExplainBody,
        body_optional=True,
        answer=ExplainAnswer,
        scope="read",
        example={"inputs": {"query": ""}},
    )
    def post(self, request: Request, retriever_ref: str) -> Response:
        row = get_retriever(self.namespace, retriever_ref)
        check_inputs(self.data.get("inputs") or {}, row.input_schema)
        return Response(
            {
                "retriever_id": row.public_id,
                "retriever_name": row.name,
                "unit": row.unit,
                "stages": [present_stage(one) for one in row.stages],
                "estimated_cost": {"credits": 0.0},
                "total_estimated_stages": len(row.stages),
            }
        )


class ExecutionPages(NamespacedView):
    tag = "Retrievers"

    def page(self, request: Request, rows: QuerySet[Execution]) -> Response:
        if status := self.data.get("status"):
            rows = rows.filter(status=status.lower())
        if since := self.data.get("start_time"):
            rows = rows.filter(created_at__gte=since)
        if until := self.data.get("end_time"):
            rows = rows.filter(created_at__lte=until)
        found = EXECUTIONS.page(rows, present_execution, request, self.data)
        paging = found["pagination"]
        # Clients read these three as numbers, whether they asked for a total or not.
        paging |= {
            "total": found["total_count"],
            "limit": paging["page_size"],
            "offset": (paging["page"] - 1) * paging["page_size"],
        }
        return Response(found)

    def of(self, ref: str) -> tuple[Retriever, QuerySet[Execution]]:
        row = get_retriever(self.namespace, ref)
        return row, executions_of(self.namespace).filter(retriever=row)


class RetrieverExecutions(ExecutionPages):
    @operation(
        "list_retriever_executions",
        "A retriever's executions, newest first.",
        listing=EXECUTIONS,
        answer=PAGE,
    )
    def get(self, request: Request, retriever_ref: str) -> Response:
        return self.page(request, self.of(retriever_ref)[1])


class RetrieverExecutionList(ExecutionPages):
    @operation(
        "search_retriever_executions",
        "A retriever's executions, by status, filters and sort.",
        body=ExecutionListBody,
        body_optional=True,
        listing=EXECUTIONS,
        answer=PAGE,
        scope="read",
        example={"status": "completed", "limit": 20},
    )
    def post(self, request: Request, retriever_ref: str) -> Response:
        return self.page(request, self.of(retriever_ref)[1])


class RetrieverExecution(ExecutionPages):
    @operation(
        "get_retriever_execution",
        "One execution: what went in, what each stage took and returned, what came out.",
        answer=ExecutionDetailAnswer,
    )
    def get(self, request: Request, retriever_ref: str, execution_ref: str) -> Response:
        row, _ = self.of(retriever_ref)
        return Response(present_execution_detail(get_execution(self.namespace, execution_ref, row)))


class ExecutionStatus(ExecutionPages):
    @operation(
        "get_execution_status",
        "How an execution ended, without what it found.",
        answer=ExecutionStatusAnswer,
        answer_example={
            "execution_id": "exec_0abc",
            "status": "completed",
            "error": None,
            "total_returned": 12,
        },
    )
    def get(self, request: Request, retriever_ref: str, execution_ref: str) -> Response:
        row, _ = self.of(retriever_ref)
        return Response(present_execution_status(get_execution(self.namespace, execution_ref, row)))


class ExecutionProfile(ExecutionPages):
    @operation(
        "get_execution_profile",
        "What each stage of an execution took, returned and cost in time, in their order.",
        answer=ExecutionProfileAnswer,
        answer_example={
            "execution_id": "exec_0abc",
            "status": "completed",
            "total_time_ms": 20.0,
            "other_ms": 4.0,
            "stages": [
                {
                    "stage_name": "doubtful",
                    "stage_id": "attribute_filter",
                    "input_count": 40,
                    "output_count": 10,
                    "duration_ms": 16.0,
                    "efficiency": 0.25,
                    "share_of_time": 0.8,
                }
            ],
        },
    )
    def get(self, request: Request, retriever_ref: str, execution_ref: str) -> Response:
        row, _ = self.of(retriever_ref)
        return Response(present_execution_profile(get_execution(self.namespace, execution_ref, row)))


class Executions(ExecutionPages):
    @operation(
        "list_executions",
        "Searches that were no retriever's, newest first.",
        listing=EXECUTIONS,
        answer=PAGE,
    )
    def get(self, request: Request) -> Response:
        return self.page(request, executions_of(self.namespace).filter(mode=Execution.Mode.ADHOC))


class ExecutionList(ExecutionPages):
    @operation(
        "search_executions",
        "Searches that were no retriever's, by status, filters and sort.",
        body=ExecutionListBody,
        body_optional=True,
        listing=EXECUTIONS,
        answer=PAGE,
        scope="read",
        example={"status": "failed"},
    )
    def post(self, request: Request) -> Response:
        return self.page(request, executions_of(self.namespace).filter(mode=Execution.Mode.ADHOC))


class OneExecution(ExecutionPages):
    @operation(
        "get_execution",
        "One execution, of a retriever or of none.",
        answer=ExecutionDetailAnswer,
    )
    def get(self, request: Request, execution_ref: str) -> Response:
        return Response(present_execution_detail(get_execution(self.namespace, execution_ref)))
