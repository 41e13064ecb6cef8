"""Expressions that the dashboards say often. Knows no panel.

Every selector is limited to the chosen shards; `where` adds label matchers, such as 'stream="$stream"'.
"""

from collections.abc import Sequence

IN_SHARD = 'shard=~"$shard"'
STREAM = 'stream="$stream"'
STATES = ("live", "connecting", "pending", "reconnecting", "stalled", "failed", "ended")


def select(metric: str, where: str = "") -> str:
    """The metric's series in the chosen shards."""
    return f"{metric}{{{', '.join(filter(None, (IN_SHARD, where)))}}}"


def rate(metric: str, by: str = "", where: str = "") -> str:
    """Events a second, summed by labels."""
    return f"sum{_by(by)}(rate({select(metric, where)}[$__rate_interval]))"


def total(metric: str, by: str = "", where: str = "") -> str:
    """What a counter grew by in the time range that the dashboard shows."""
    return f"sum{_by(by)}(increase({select(metric, where)}[$__range]))"


def events(metric: str, by: str = "", where: str = "") -> str:
    """`total` in whole events: increase() reckons a little more at the ends of its window."""
    return f"round({total(metric, by, where)})"


def over_time(metric: str, by: str = "", where: str = "") -> str:
    """A gauge that trembles, averaged over the same window as the rates beside it."""
    return f"sum{_by(by)}(avg_over_time({select(metric, where)}[$__rate_interval]))"


def quantile(q: float, histogram: str, by: str = "", where: str = "") -> str:
    """A quantile of a histogram's recent observations, by labels."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', ', '.join(filter(None, ('le', by))), where)})"


def mean(histogram: str, by: str = "", where: str = "") -> str:
    """The mean of a histogram's recent observations, by labels."""
    return f"{rate(f'{histogram}_sum', by, where)} / {rate(f'{histogram}_count', by, where)}"


def overload(by: str = "", where: str = "") -> str:
    """Frames a second that were wanted and not analysed; 0 where none ever was. `sampled` ones were not wanted."""
    dropped = rate("vigil_frames_dropped_total", by, ", ".join(filter(None, ('cause!="sampled"', where))))
    return f"({dropped} or vector(0))"


def state_code(by: str, where: str = "", states: Sequence[str] = STATES) -> str:
    """One number for a stream's state: its place in STATES."""
    terms = [f"{code} * {_state(state, by, where)}" for code, state in enumerate(states)]
    return " + ".join(terms)


def _state(state: str, by: str, where: str) -> str:
    matchers = ", ".join(filter(None, (f'state="{state}"', where)))
    return f"max{_by(by)}({select('vigil_stream_state', matchers)})"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
