"""`python -m deploy.grafana.build` writes dashboards/*.json again: the files that Grafana is given. Same code, same bytes."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.delivery import delivery
from deploy.grafana.engine import engine
from deploy.grafana.overview import overview
from deploy.grafana.stream import stream

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, Dashboard]:
    """File name -> dashboard, in the order in which one reads them."""
    made = (overview(), stream(), engine(), delivery())
    return {f"{dashboard.uid}.json": dashboard for dashboard in made}


def to_json(dashboard: Dashboard) -> str:
    """As Grafana reads it."""
    return json.dumps(dashboard, cls=JSONEncoder, sort_keys=True, indent=1) + "\n"


def main() -> None:
    """Write all of them."""
    for name, dashboard in dashboards().items():
        (FOLDER / name).write_text(to_json(dashboard))


if __name__ == "__main__":
    main()
