"""Every option, read once from VIGIL_* variables and passed down. Knows nothing of who uses it.

Each field says which operator turns it and when. A wrong value fails at birth with a sentence (pydantic's).
"""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_ADVERTISED = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([1-9][0-9]{0,4})")
_APPLICATION = re.compile(r"rtmps?://[^\s/?#@]+/[A-Za-z0-9_.-]+")


class Settings(BaseSettings):
    """Frozen; `Settings()` reads the environment, `Settings(port=0)` overrides for a test."""

    model_config = SettingsConfigDict(env_prefix="VIGIL_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address the API listens on; 0.0.0.0 behind a proxy.")
    port: int = Field(8000, ge=0, le=65535, description="Port of API and page; 0 takes a free one.")
    redis_url: str | None = Field(None, description="redis:// or rediss:// of your own server; unset starts the embedded one.")
    data_dir: Path | None = Field(None, description="Folder where the embedded server keeps its state; unset: a temporary one.")
    model_dir: Path | None = Field(
        None, description="Checkpoint folder or a link to one, watched: another takes over in flight. Unset: the shipped nano-v1."
    )
    engine: str = Field(
        "auto", description="Backend that runs the network; auto takes the fastest that runs here, fake is for tests. Name one to insist."
    )
    engine_threads: int = Field(0, ge=0, description="CPU threads of the engine; 0 takes one per core.")
    max_pixels: int = Field(
        448 * 256, ge=64 * 64, description="Pixels of the analysed picture; smaller is faster, larger sees smaller things."
    )
    decoder: Literal["auto", "software", "cuda"] = Field(
        "auto", description="auto decodes on a GPU where there is one; software never; cuda fails a stream that the GPU cannot decode."
    )
    workers: int = Field(
        0, ge=0, le=64, description="Worker processes; 0 takes one for every two cores. More isolate streams from each other's crashes."
    )
    spare_worker: bool = Field(True, description="Keep a started process that steps in at once for a dead worker; off saves 100 MB.")
    pin_cpus: bool = Field(False, description="Bind engine and workers to cores of their own; on where other programs share the machine.")
    max_streams: int = Field(16, ge=1, le=1024, description="Streams this shard accepts before POST answers 429.")
    admit_fps: float = Field(
        2.0,
        ge=0,
        description="Frames a second that a stream without fps counts with when POST weighs it against what the engine holds; raise it "
        "where slow streams are of no use, 0 admits up to max_streams whatever the engine holds.",
    )
    policies: Path | None = Field(None, description="YAML file or folder of policies, watched for changes; unset: deploy/policies.")
    allow_networks: tuple[str, ...] = Field(
        (), description="Private networks that URLs of streams and webhooks may point to, as CIDR; JSON list. Empty: public addresses only."
    )
    allow_hosts: tuple[str, ...] = Field(
        (),
        description="Names the API answers to besides localhost and addresses, such as vigil.example.com; JSON list. Set behind a proxy; "
        "keep the name by which Prometheus and the media server ask, which is vigil in docker-compose.yml.",
    )
    allow_origins: tuple[str, ...] = Field(
        (), description="Other sites' pages that may use the API, such as https://desk.example.com; JSON list. Empty: our own page only."
    )
    push_url: str | None = Field(
        None, description="rtmp:// address, application included, that publishers are told for pushed streams; unset: none are taken."
    )
    push_play_url: str | None = Field(
        None, description="The same application as workers reach it, such as rtmp://mediamtx:1935/live; unset: push_url itself."
    )
    hook_token: SecretStr | None = Field(
        None,
        min_length=16,
        validate_default=True,
        description="Secret that the media server's hooks carry; needed with push_url, at least 16 characters.",
    )
    shard: str = Field("main", pattern="^[A-Za-z0-9_.-]{1,64}$", description="Name of this installation in metrics; one for each machine.")
    advertise: str | None = Field(
        None, description="host:port at which Prometheus reaches this API, told by /v1/metrics/targets; unset: host and port."
    )
    open_timeout_s: float = Field(10.0, gt=0, description="Longest wait for a source to open.")
    read_timeout_s: float = Field(
        4.0, gt=0, description="Longest wait for one read; keep it above 3 HLS target durations for slow origins."
    )
    stall_after_s: float = Field(4.0, gt=0, description="No good frame for so long means stalled, then a reopen.")
    backoff_base_s: float = Field(0.5, gt=0, description="First reconnect wait; doubles with full jitter.")
    backoff_max_s: float = Field(15.0, gt=0, description="Longest reconnect wait.")
    connects_per_minute: int = Field(120, ge=1, description="Reconnect attempts a worker makes per minute over all its streams.")
    max_source_pixels: int = Field(3840 * 2160, ge=1, description="Larger pictures are refused as too_large.")
    save_every_s: float = Field(1.0, gt=0, description="How often a stream's state is written behind to Redis.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
    log_json: bool = Field(False, description="JSON lines for a log collector instead of readable text.")

    @field_validator("advertise")
    @classmethod
    def _is_reached(cls, address: str | None) -> str | None:
        if address is not None and ((found := _ADVERTISED.fullmatch(address)) is None or int(found[1]) > 65535):
            raise ValueError("expected host:port at which Prometheus reaches this API, such as vigil:8000")
        return address

    @field_validator("push_url", "push_play_url")
    @classmethod
    def _names_an_application(cls, url: str | None) -> str | None:
        if url is not None and not _APPLICATION.fullmatch(url):
            raise ValueError("expected rtmp:// or rtmps://, host and one application, such as rtmp://media.example.com:1935/live")
        return url

    @field_validator("hook_token")
    @classmethod
    def _guards_the_hooks(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if token is None and info.data.get("push_url"):
            raise ValueError("VIGIL_PUSH_URL needs VIGIL_HOOK_TOKEN too: without it, anybody could say that a stream is published")
        return token
