"""What every route is given: settings, the store, live feeds, metrics. Made once in app.py; nothing lives at module level."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.api.feeds import Hub
from service.ingest.address import AddressGuard
from service.metrics import Metrics
from service.settings import Settings
from service.state.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """`now_s` is the wall clock; `policy_files` is where the operator's policies lie, None for none."""

    settings: Settings
    store: Store
    hub: Hub
    metrics: Metrics
    addresses: AddressGuard
    policy_files: Path | None
    now_s: Callable[[], float]
