"""What the API takes in: checked shapes with examples, for the routes and for OpenAPI. Knows no Redis."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic.config import JsonDict

from service.types import Severity

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
LabelValue = Annotated[str, StringConstraints(max_length=256)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Polygon = Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=3, max_length=64)]
StreamId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32, description="Free words for policies and dashboards.")]
Policies = Annotated[tuple[Name, ...], Field(max_length=256, description="Names of the policies to check; null: all of them.")]
Fps = Annotated[float, Field(gt=0, le=120, allow_inf_nan=False, description="Frames a second to analyse at most; null: every frame.")]
Zones = Annotated[
    dict[Name, Polygon],
    Field(max_length=32, description="Named polygons for policies, each a list of (x, y) as fractions of the picture."),
]

ZONE_EXAMPLE: JsonDict = {"door": [[0.7, 0.1], [0.95, 0.1], [0.95, 0.9], [0.7, 0.9]]}


class StreamCreate(BaseModel):
    """A stream to watch."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "rtmp://media.example.com/live/lobby"},
                {
                    "url": "https://media.example.com/hall/index.m3u8",
                    "name": "Hall, north",
                    "labels": {"site": "north"},
                    "policies": ["knife-in-hand"],
                    "fps": 10,
                    "zones": ZONE_EXAMPLE,
                },
                {"source": "push", "name": "Anna, from OBS"},
            ]
        },
    )

    source: Literal["pull", "push"] = Field("pull", description="push: the answer says, once, where and with which key to publish.")
    url: str | None = Field(
        None,
        min_length=1,
        max_length=2048,
        validate_default=True,
        description="rtmp://, rtmps://, http:// or https:// address of a live stream; none for push.",
    )
    name: Name | None = Field(None, description="What people call it; by default the address without its secrets.")
    labels: Labels = Field(default_factory=dict)
    policies: Policies | None = None
    fps: Fps | None = None
    zones: Zones = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _goes_with_its_source(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None and info.data.get("source") == "pull":
            raise ValueError("the address of a live stream is needed, or source push")
        if url is not None and info.data.get("source") == "push":
            raise ValueError("a pushed stream has no address of its own: the answer says where to publish it")
        return url


def default_name(url: str, stream_id: str) -> str:
    """Host and path: no user, no query. The last part of an RTMP address is often its key, and what is pushed has no address of its own:
    the first characters of the id tell these from each other."""
    if not url:
        return f"push {stream_id[:4]}"
    parts = urlsplit(url)
    if parts.scheme in ("rtmp", "rtmps"):
        application = parts.path.rstrip("/").rpartition("/")[0]
        return f"{parts.hostname or ''}{application}"[:75] + f" {stream_id[:4]}"
    return f"{parts.hostname or ''}{parts.path}"[:80]


class StreamPatch(BaseModel):
    """What to change; fields that are not named stay. Null means the default again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Hall, south"}, {"fps": 5, "policies": ["knife-in-hand"]}, {"fps": None}]}
    )

    name: Name | None = None
    labels: Labels | None = None
    policies: Policies | None = None
    fps: Fps | None = None
    zones: Zones | None = None


class WebhookCreate(BaseModel):
    """A receiver of alerts. What is left out, or null, lets all pass."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "https://desk.example.com/vigil"},
                {"url": "https://desk.example.com/vigil?key=s3cret", "name": "Night desk", "severities": ["high", "critical"]},
            ]
        },
    )

    url: str = Field(min_length=1, max_length=2048, description="https:// or http:// address that takes POST; redirects are not followed.")
    name: Name | None = Field(None, description="What people call it; by default the host.")
    severities: tuple[Severity, ...] | None = Field(None, min_length=1, max_length=5, description="Only alerts of these severities.")
    policies: tuple[Name, ...] | None = Field(None, min_length=1, max_length=256, description="Only alerts of these policies.")
    streams: tuple[StreamId, ...] | None = Field(None, min_length=1, max_length=256, description="Only alerts of these streams.")


class Review(BaseModel):
    """A reviewer's step. Resolving and dismissing need a reason."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Guard sent to the hall."}, {"reason": ""}]})

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
