"""Routes of policies: which are in force, put others in force, check a text. Workers read them again by themselves."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.context import Context
from service.api.examples import POLICY_TEXT
from service.api.openapi import documented
from service.api.problem import ApiError, FieldError
from service.api.views import CheckView, FindingView, PoliciesView, PolicyView, answer
from service.policy import Finding, PolicyError, PolicySet, load_policies, parse_policies

YAML_BODY = {
    "requestBody": {
        "required": True,
        "description": "The policies as YAML.",
        "content": {"application/yaml": {"schema": {"type": "string"}, "example": POLICY_TEXT}},
    }
}


def policy_routes(context: Context) -> APIRouter:
    """GET, PUT and check."""
    router = APIRouter(prefix="/v1/policies", tags=["policies"])

    @router.get("", summary="The policies in force", **documented(200, PoliciesView))
    def get_all() -> Response:
        return answer(_in_force(context))

    @router.put("", summary="Put these policies in force, in place of all others", openapi_extra=YAML_BODY, **documented(200, PoliciesView))
    async def put_all(request: Request) -> Response:
        text = await _text(request)
        return answer(await run_in_threadpool(_put, context, text))

    @router.post("/check", summary="Check policies without using them", openapi_extra=YAML_BODY, **documented(200, CheckView))
    async def check(request: Request) -> Response:
        text = await _text(request)
        return answer(await run_in_threadpool(_check, text))

    return router


def policy_names(context: Context) -> tuple[str, ...]:
    """Names that a stream may ask for."""
    return tuple(policy.name for policy in _in_force(context).policies)


def _in_force(context: Context) -> PoliciesView:
    stored = context.store.get_policies()
    if stored is not None:
        return _view(parse_policies(stored.text, "policies"), stored.version)
    files = context.policy_files
    return _view(load_policies(files) if files is not None else PolicySet(), 0)


def _put(context: Context, text: str) -> PoliciesView:
    try:
        policies = parse_policies(text, "policies")
    except PolicyError as error:
        errors = [FieldError(f"line {finding.line}", finding.message) for finding in error.findings if not finding.is_warning]
        detail = "; ".join(f"{item.where}: {item.message}" for item in errors[:5])
        raise ApiError(422, "invalid_policies", detail, errors=errors) from error
    return _view(policies, context.store.put_policies(text))


def _check(text: str) -> CheckView:
    try:
        policies = parse_policies(text, "policies")
    except PolicyError as error:
        return CheckView(False, (), _findings(error.findings))
    return CheckView(True, _rules(policies), _findings(policies.warnings))


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise ApiError(400, "not_text", f"the body is not UTF-8 text: byte {error.start}") from error


def _view(policies: PolicySet, version: int) -> PoliciesView:
    return PoliciesView(version, _rules(policies), _findings(policies.warnings), policies.text)


def _rules(policies: PolicySet) -> tuple[PolicyView, ...]:
    return tuple(PolicyView(policy.name, policy.severity, policy.mode) for policy in policies.policies)


def _findings(findings: tuple[Finding, ...]) -> tuple[FindingView, ...]:
    return tuple(FindingView(finding.line, finding.message, finding.is_warning) for finding in findings)
