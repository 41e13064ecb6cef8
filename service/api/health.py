"""Routes for operators and Prometheus: does it live, does it work, how much does it do, where else is that asked."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from redis import RedisError
from starlette.responses import JSONResponse, Response

from service.api.context import Context
from service.api.openapi import documented
from service.api.problem import ApiError, FieldError
from service.api.views import HealthView, ReadyView, answer
from service.metrics import merge
from service.settings import Settings
from service.state.store import Target

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ENGINE_READY = re.compile(rb"^vigil_engine_ready\{([^}]*)\} 1\.0$", re.MULTILINE)
_PASSED_OVER = re.compile(rb"^vigil_engine_passed_over\{(.*)\} 1\.0$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


_TARGETS: dict[str, Any] = {
    "description": "One entry for each API heard of within the last hour that did not stop by itself",
    "content": {
        "application/json": {
            "schema": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["targets", "labels"],
                    "properties": {
                        "targets": {"type": "array", "items": {"type": "string"}},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                },
            },
            "example": [{"targets": ["vigil.example.com:8000"], "labels": {"shard": "main"}}],
        }
    },
}


def health_routes(context: Context) -> APIRouter:
    """/healthz, /readyz, /metrics, /v1/metrics/targets."""
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

    _serve_targets(router, context)
    return router


def _serve_targets(router: APIRouter, context: Context) -> None:
    @router.get(
        "/v1/metrics/targets",
        summary="Every API with /metrics, for Prometheus' http_sd_configs; itself alone when Redis is away",
        response_class=Response,
        responses={200: _TARGETS},
    )
    def targets(request: Request) -> Response:
        own = own_target(context.settings, (request.scope["server"] or ("", context.settings.port))[1])
        found = sorted({own, *_registered(context)}, key=lambda one: (one.shard, one.address))
        return JSONResponse([{"targets": [one.address], "labels": {"shard": one.shard}} for one in found])


def own_target(settings: Settings, port: int) -> Target:
    """Where this API is reached by Prometheus: as the operator says, else where it listens."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return Target(settings.shard, settings.advertise or f"{host}:{port}")


def _registered(context: Context) -> tuple[Target, ...]:
    try:
        return context.store.targets(now_s=context.now_s())
    except RedisError:
        return ()


def _pages(context: Context) -> Mapping[str, bytes] | None:
    """The metrics pages of this shard's processes that live; None when Redis is away."""
    try:
        return context.store.all_metrics(context.settings.shard)
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
