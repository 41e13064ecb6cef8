"""One stream: is it watched, how well, what is in it, what goes wrong with it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.look import (
    BAD,
    RISKS,
    STATE_WORDS,
    WARN,
    AnyPanel,
    Level,
    Query,
    figure,
    framed,
    lines,
    states,
)
from deploy.grafana.promql import STREAM, events, overload, quantile, rate, select, state_code, total

AGE_LEVELS = (Level(0.3, WARN), Level(1, BAD))


def stream() -> Dashboard:
    return framed(
        "vigil-stream",
        "Vigil: one stream",
        "One stream, chosen at the top: state, speed, content, trouble, alerts.",
        (("Now", _now()), ("Frames", _frames()), ("Content", _content()), ("Trouble", _trouble()), ("Alerts", _alerts())),
        stream=True,
    )


def _now() -> list[AnyPanel]:
    code = state_code("stream", STREAM)
    return [
        figure("Name", "What people call the stream.", Query(select("vigil_stream_info", STREAM), "{{name}}"), name_only=True, none="gone"),
        figure("State", "The state now; anything but live means that nobody looks.", Query(code), width=3, words=STATE_WORDS, none="gone"),
        figure(
            "Risk", "Severity of the gravest incident that is open now.",
            Query(f"max({select('vigil_stream_risk', STREAM)})"), width=3, words=RISKS, none="-",
        ),
        figure(
            "Analysed", "Frames analysed a second, now and over time.",
            Query(rate("vigil_frames_analysed_total", where=STREAM)), unit="fps", width=4, trend=True,
        ),
        figure(
            "Frame age p95", "From capture to the policies' decision; orange from 0.3 s, red from 1 s.",
            Query(quantile(0.95, "vigil_frame_age_seconds", where=STREAM)), unit="s", levels=AGE_LEVELS, trend=True, none="-",
        ),
        figure(
            "Blind", "Seconds of the time range shown in which the stream was wanted and not analysed. 0 is right, red from 30 s.",
            Query(total("vigil_blind_seconds_total", where=STREAM)), unit="s", width=3, levels=(Level(1, WARN), Level(30, BAD)),
        ),
        figure(
            "Alerts", "Alerts raised in the time range shown.",
            Query(events("vigil_alerts_total", where=STREAM)), width=3,
        ),
        states(
            "State over time",
            "Every colour but green is time in which the stream was not watched; which cause, the panels under Trouble say.",
            Query(code, "state"), STATE_WORDS, height=4,
        ),
        states(
            "Risk over time",
            "Severity of the gravest open incident: when it began and when it ended. While the stream is not live, it stands still.",
            Query(f"max({select('vigil_stream_risk', STREAM)})", "risk"), RISKS, height=4,
        ),
    ]  # fmt: skip


def _frames() -> list[AnyPanel]:
    analysed = rate("vigil_frames_analysed_total", where=STREAM)
    return [
        lines(
            "Frames a second",
            "Analysed should lie on asked. The gap is frames that the engine or this machine had no time for.",
            Query(analysed, "analysed"), Query(f"{analysed} + {overload(where=STREAM)}", "asked"), unit="fps",
        ),
        lines(
            "Frame age",
            "From capture to the policies' decision; orange from 0.3 s, red from 1 s. "
            "A rise here with a flat engine is the decoder or the source.",
            *_quantiles("vigil_frame_age_seconds"), unit="s", levels=AGE_LEVELS,
        ),
        lines(
            "Frames not analysed, by cause",
            "sampled is by wish (a lower fps was asked, or the picture is not needed). overload, superseded, late and stale are a machine "
            "that is too small; engine_error is a defect.",
            Query(rate("vigil_frames_dropped_total", "cause", STREAM), "{{cause}}"), unit="fps", stacked=True,
        ),
    ]  # fmt: skip


def _content() -> list[AnyPanel]:
    return [
        lines(
            "Relations by predicate",
            "Relations in the graph. A stream with people and none of these for long may be too dark, too small or frozen.",
            Query(f"sum by (predicate) ({select('vigil_relations', STREAM)})", "{{predicate}}"),
            unit="short", width=12, stacked=True, steps=True,
        ),
        lines(
            "Work of one frame",
            "Time to decode and to turn the engine's answer into a graph. "
            "docs/benchmark.md has what is usual; much more is a busy machine.",
            *(
                Query(quantile(q, f"vigil_{step}_seconds", where=STREAM), f"{step} p{q * 100:.0f}")
                for step in ("decode", "graph") for q in (0.5, 0.95)
            ), unit="s", width=12,
        ),
    ]  # fmt: skip


def _trouble() -> list[AnyPanel]:
    return [
        lines(
            "Reconnects, by cause",
            "Each step is one, since the stream's worker took it. timeout and connection_failed are the network or the source; "
            "auth_failed and not_found are an address or key that is wrong, and do not heal by themselves.",
            Query(f"sum by (code) ({select('vigil_reconnects_total', STREAM)})", "{{code}}"), unit="short", steps=True,
        ),
        lines(
            "Stalls a minute",
            "Times that the connection stood but no good frame came for VIGIL_STALL_AFTER_S. Often is a source that freezes.",
            Query(f"60 * {rate('vigil_stalls_total', where=STREAM)}", "stalls"), unit="short",
        ),
        lines(
            "Blind share",
            "Share of time in which the stream was wanted and not analysed; 100 % is all of it. Orange from 10 %, red from 50 %.",
            Query(rate("vigil_blind_seconds_total", where=STREAM), "blind"),
            unit="percentunit", levels=(Level(0.1, WARN), Level(0.5, BAD)),
        ),
    ]  # fmt: skip


def _alerts() -> list[AnyPanel]:
    return [
        lines(
            "Alerts a minute, by policy",
            "What fires on this stream. One policy that fires all the time wants a longer `for` or a `cooldown`.",
            Query(f"60 * {rate('vigil_alerts_total', 'policy', STREAM)}", "{{policy}}"), unit="short", stacked=True,
        ),
        lines(
            "Alert latency",
            "From capture of the deciding frame to the alert in Redis; orange from 0.5 s, red from 2 s. Above the frame's age it is Redis.",
            *_quantiles("vigil_alert_latency_seconds"), unit="s", levels=(Level(0.5, WARN), Level(2, BAD)),
        ),
        lines(
            "Alerts lost a minute",
            "Alerts or changes that were dropped because Redis was away for too long. Must be 0.",
            Query(f"60 * {rate('vigil_alerts_lost_total', where=STREAM)}", "lost"), unit="short", levels=(Level(0.01, BAD),),
        ),
    ]  # fmt: skip


def _quantiles(histogram: str) -> tuple[Query, ...]:
    return tuple(Query(quantile(q, histogram, where=STREAM), f"p{q * 100:.0f}") for q in (0.5, 0.95))
