"""Routes for operators: does it live, does it work, how much does it do."""

import re
from collections.abc import Mapping

from fastapi import APIRouter
from redis import RedisError
from starlette.responses import Response

from service.api.context import Context
from service.api.openapi import documented
from service.api.problem import ApiError, FieldError
from service.api.views import HealthView, ReadyView, answer
from service.metrics import merge

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ENGINE_READY = re.compile(rb"^vigil_engine_ready\{([^}]*)\} 1\.0$", re.MULTILINE)
_PASSED_OVER = re.compile(rb"^vigil_engine_passed_over\{(.*)\} 1\.0$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def health_routes(context: Context) -> APIRouter:
    """/healthz, /readyz, /metrics."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", summary="The API answers", **documented(200, HealthView))
    async def healthz() -> Response:
        return answer(HealthView("ok", context.now_s()))

    @router.get("/readyz", summary="All parts work; 503 says which one does not", **documented(200, ReadyView, 503))
    def readyz() -> Response:
        pages = _pages(context)
        if pages is None:
            raise _not_ready([FieldError("redis", "Redis does not answer; streams go on, new graphs and alerts wait")])
        engine = _engine(pages)
        workers = sum(name.startswith("worker") for name in pages)
        reasons = []
        if engine is None:
            reasons.append(FieldError("engine", "the engine is not ready; it may still be loading its model"))
        if workers == 0:
            reasons.append(FieldError("workers", "no worker process runs; streams wait"))
        if reasons:
            raise _not_ready(reasons)
        return answer(ReadyView(True, engine or "", workers, _passed_over(pages)))

    @router.get("/metrics", summary="Prometheus metrics of all processes", response_class=Response)
    def metrics() -> Response:
        pages = _pages(context) or {}
        return Response(merge({**pages, "api": context.metrics.expose()}), media_type=METRICS_TYPE)

    return router


def _pages(context: Context) -> Mapping[str, bytes] | None:
    """The metrics pages of the processes that live; None when Redis is away."""
    try:
        return context.store.all_metrics()
    except RedisError:
        return None


def _engine(pages: Mapping[str, bytes]) -> str | None:
    for page in pages.values():
        if found := _ENGINE_READY.search(page):
            labels = dict(_LABEL.findall(found.group(1).decode()))
            return f"{labels.get('backend', '?')}, {labels.get('model', '?')}"
    return None


def _passed_over(pages: Mapping[str, bytes]) -> dict[str, str]:
    """Backend -> why it was not chosen."""
    found = [dict(_LABEL.findall(one.decode())) for page in pages.values() for one in _PASSED_OVER.findall(page)]
    return {labels["backend"]: re.sub(r"\\(.)", _unescaped, labels["why"]) for labels in found}


def _unescaped(escape: "re.Match[str]") -> str:
    """As Prometheus writes a label: backslash, quote and line end are escaped."""
    return " " if escape.group(1) == "n" else escape.group(1)


def _not_ready(reasons: list[FieldError]) -> ApiError:
    detail = "; ".join(reason.message for reason in reasons)
    return ApiError(503, "not_ready", detail, errors=reasons, headers={"retry-after": "2"})
