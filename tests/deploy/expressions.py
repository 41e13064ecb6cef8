"""`python -m tests.deploy.expressions`: what every expression of every panel and rule says of a Vigil under load, as Markdown.

With `--pictures docs` it draws the pictures of the dashboards again.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.grafana.panel_data import Span
from deploy.grafana.preview import save
from tests.deploy.answers import Answer, answers, table
from tests.deploy.load import Loaded, loaded
from tests.deploy.panels import DASHBOARDS, Asked, asked_by_panels, asked_by_rules, dashboards, rules

PICTURE_S = 60


def every_expression() -> list[Asked]:
    """Of all panels and rules that are deployed."""
    return [*asked_by_panels(dashboards()), *asked_by_rules(rules())]


def ask(running: Loaded, asked: Sequence[Asked], within_s: float) -> list[Answer]:
    """The answers once none is empty any more; the last ones when the time is up."""
    deadline_s = time.monotonic() + within_s
    while True:
        running.visit()
        found = answers(running.prometheus.query, asked, running.variables())
        if not any(one.is_empty for one in found) or time.monotonic() > deadline_s:
            return found
        time.sleep(1.0)


def draw(running: Loaded, folder: Path) -> None:
    """A picture of each dashboard, after some more of the load."""
    started_s = time.time()
    while time.time() < started_s + PICTURE_S:
        running.visit()
        time.sleep(1.0)
    variables = {**running.variables(), "__rate_interval": "15s", "__range": f"{PICTURE_S}s"}
    for name in dashboards():
        picture = folder / f"{name.removesuffix('.json').replace('vigil', 'dashboards')}.png"
        save(DASHBOARDS / name, picture, running.prometheus.url, variables, Span(started_s, started_s + PICTURE_S, step_s=2.0))


def main() -> int:
    """Print the table; 1 when an expression is empty."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.expressions", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="Write the table there too.")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="Draw each dashboard there, a minute later.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, loaded(Path(folder)) as running:
        found = ask(running, every_expression(), within_s=45.0)
        if chosen.pictures is not None:
            draw(running, chosen.pictures)
    sys.stdout.write(table(found))
    if chosen.out is not None:
        chosen.out.write_text(table(found))
    return int(any(one.is_empty for one in found))


if __name__ == "__main__":
    sys.exit(main())
