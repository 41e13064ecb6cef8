"""docs/metrics.md says what the code exports and where it is shown; nothing is exported for nobody, nothing shown that is not there."""

from service.metrics import Metrics
from tests.repository.metrics_page import EXPORTED_BY, OF_PROCESSES, PAGE, UNUSED, collectors, metrics_page, scraped, uses


def test_the_page_is_what_code_dashboards_and_rules_say() -> None:
    assert PAGE.read_text() == metrics_page(), "run: make files"


def test_every_metric_is_on_a_panel_or_in_a_rule_or_is_excused() -> None:
    used = uses()
    unseen = {name for name, names in scraped().items() if not any(one in used for one in names)}
    assert unseen == set(UNUSED)


def test_every_name_on_a_panel_or_in_a_rule_exists() -> None:
    exported = {name for names in scraped().values() for name in names}
    assert {name: places for name, places in uses().items() if name not in exported} == {}


def test_the_page_names_the_process_of_every_metric_that_is_not_of_a_stream() -> None:
    assert {metric._name for metric in collectors() if "stream" not in metric._labelnames} == set(EXPORTED_BY)
    page = Metrics().expose().decode()
    assert {line.split()[0] for line in page.splitlines() if line.startswith("process_")} == set(OF_PROCESSES)
