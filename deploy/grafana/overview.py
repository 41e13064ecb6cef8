"""The first dashboard to open: how all streams are, what they alert on, whether the engine keeps up."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.look import (
    BAD,
    RISKS,
    SEVERITY_COLOURS,
    STATE_COLOURS,
    STATE_WORDS,
    WARN,
    AnyPanel,
    Column,
    Level,
    Query,
    bars,
    figure,
    framed,
    lines,
    rows,
    stream_link,
)
from deploy.grafana.promql import events, over_time, overload, quantile, rate, select, state_code

STREAM_ID = "shard, stream"
BLIND = "stream:vigil_blind_seconds:ratio_rate5m"
AGE = "stream:vigil_frame_age_seconds:p95_5m"
FIRING = 'ALERTS{alertstate="firing"}'


def overview() -> Dashboard:
    return framed(
        "vigil-overview",
        "Vigil: overview",
        "All streams at a glance, worst first. Green everywhere means: every wanted stream is watched, and fast enough.",
        (("Now", _now()), ("Streams", _streams()), ("Alerts", _alerts()), ("Load", _load())),
    )


def _now() -> list[AnyPanel]:
    return [
        figure(
            "Streams by state",
            "How many streams are in each state now. Good: all are live. Connecting and reconnecting pass within seconds; stalled, and "
            "failed above all, mean that nobody watches that stream: the table below says which.",
            Query(f"sum by (state) ({select('vigil_stream_state')})", "{{state}}"),
            width=12, named=True, colours=STATE_COLOURS,
        ),
        figure(
            "Blind share",
            "Share of the last 5 minutes in which wanted streams were not analysed, all streams together. 0 is right; orange from 1 %, "
            "red from 10 %.",
            Query(f"avg({select(BLIND)})"), unit="percentunit", levels=(Level(0.01, WARN), Level(0.1, BAD)), trend=True, none="-",
        ),
        figure(
            "Frame age p95",
            "From capture to the policies' decision, 95 of 100 frames are faster. Orange from 0.3 s, red from 1 s: alerts come later.",
            Query(quantile(0.95, "vigil_frame_age_seconds")),
            unit="s", levels=(Level(0.3, WARN), Level(1, BAD)), trend=True, none="-",
        ),
        figure(
            "Firing alerts",
            "Alert rules of Prometheus that fire now, in all shards. Anything above 0 wants a look: the table below names them.",
            Query(f"count({FIRING})"), levels=(Level(1, BAD),),
        ),
    ]  # fmt: skip


def _streams() -> list[AnyPanel]:
    return [
        rows(
            "Streams, worst first",
            "Each stream's gravest open incident, state, frames analysed a second, and of the last 5 minutes the age of "
            "its frames and its blind share. A click on a stream opens its dashboard. "
            "Bad: a high risk, a state other than live, an age over a second.",
            (
                Query(f"max by ({STREAM_ID}) ({select('vigil_stream_risk')})"),
                Query(state_code(STREAM_ID)),
                Query(rate("vigil_frames_analysed_total", STREAM_ID)),
                Query(f"max by ({STREAM_ID}) ({select(AGE)})"),
                Query(f"max by ({STREAM_ID}) ({select(BLIND)})"),
                Query(f"max by ({STREAM_ID}, name) ({select('vigil_stream_info')})"),
            ),
            (
                Column("shard", "Shard"),
                Column("name", "Name"),
                Column("stream", "Stream", link=stream_link("${__value.raw}", '${__data.fields["Shard"]}')),
                Column("Value #A", "Risk", words=RISKS),
                Column("Value #B", "State", words=STATE_WORDS),
                Column("Value #C", "FPS", unit="fps"),
                Column("Value #D", "Age p95", unit="s", levels=(Level(0.3, WARN), Level(1, BAD))),
                Column("Value #E", "Blind", unit="percentunit", levels=(Level(0.1, WARN), Level(0.5, BAD))),
            ),
            width=14, height=9, sort="Risk",
        ),
        lines(
            "Streams by state, over time",
            "The height is the number of streams. A growing band that is not green is streams that nobody watches.",
            Query(f"sum by (state) ({select('vigil_stream_state')})", "{{state}}"),
            unit="short", width=10, height=9, stacked=True, colours=STATE_COLOURS, steps=True,
        ),
    ]  # fmt: skip


def _alerts() -> list[AnyPanel]:
    return [
        lines(
            "Alerts a minute, by severity",
            "How often policies raise alerts. A sudden rise over many streams is more often a policy that is too wide than an event.",
            Query(f"60 * {rate('vigil_alerts_total', 'severity')}", "{{severity}}"),
            unit="short", width=8, stacked=True, colours=SEVERITY_COLOURS,
        ),
        bars(
            "Alerts by policy",
            "Alerts of each policy in the time range shown, most first. A policy far above the others is the one to tune.",
            Query(f"sort_desc({events('vigil_alerts_total', 'policy')} > 0)", "{{policy}}"), width=6,
        ),
        bars(
            "Alerts by severity",
            "Alerts of each severity in the time range shown.",
            Query(f"sort_desc({events('vigil_alerts_total', 'severity')} > 0)", "{{severity}}"), width=4,
        ),
        rows(
            "Firing alerts",
            "What Prometheus alerts on now; an empty table is good. docs/alerts.md says what to do about each.",
            (Query(f"max by (alertname, severity, shard, stream) ({FIRING})"),),
            (Column("alertname", "Alert"), Column("severity", "Severity"), Column("shard", "Shard"), Column("stream", "Stream")),
            width=6, hidden=("Value",),
        ),
    ]  # fmt: skip


def _load() -> list[AnyPanel]:
    analysed = rate("vigil_frames_analysed_total")
    return [
        lines(
            "Frames a second: analysed, asked, held",
            "Asked is what the streams want analysed, held is what the engine was measured to analyse. Bad: analysed stays below asked.",
            Query(analysed, "analysed"),
            Query(f"{analysed} + {overload()}", "asked"),
            Query(over_time("vigil_engine_capacity_fps"), "held"),
            unit="fps",
        ),
        lines(
            "Frame age",
            "From capture to the policies' decision. p95 rises first when the machine is too small; orange from 0.3 s, red from 1 s.",
            Query(quantile(0.5, "vigil_frame_age_seconds"), "p50"),
            Query(quantile(0.95, "vigil_frame_age_seconds"), "p95"),
            unit="s", levels=(Level(0.3, WARN), Level(1, BAD)),
        ),
        lines(
            "Blind streams",
            "Streams that were wanted and not analysed, on average over the last moments: 1 is one stream all the time. 0 is right.",
            Query(rate("vigil_blind_seconds_total", "shard"), "{{shard}}"),
            unit="short",
        ),
    ]  # fmt: skip
