"""What leaves Vigil: state and alerts in Redis, the API, WebSockets, webhooks; and what media servers ask of it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.look import BAD, GOOD, WARN, AnyPanel, Level, Query, figure, framed, lines
from deploy.grafana.promql import events, quantile, rate, select

SERVER_ERROR = 'status=~"5.."'
NO_SERVER_ERROR = 'status!~"5.."'


def delivery() -> Dashboard:
    return framed(
        "vigil-delivery",
        "Vigil: delivery",
        "Whether what Vigil sees arrives: in Redis, at API and WebSocket clients, at webhooks; and whether publishers get in.",
        (("Now", _now()), ("Redis", _redis()), ("API", _api()), ("WebSockets", _sockets()), ("Webhooks and publishers", _webhooks())),
    )


def _now() -> list[AnyPanel]:
    ok = rate("vigil_http_seconds_count", where=NO_SERVER_ERROR)
    return [
        figure(
            "Alert latency p95", "From capture to the alert in Redis. Orange from 0.5 s, red from 2 s.",
            Query(quantile(0.95, "vigil_alert_latency_seconds")), unit="s", levels=(Level(0.5, WARN), Level(2, BAD)), none="no alerts",
        ),
        figure(
            "Alerts lost", "In the time range shown. Must be 0: anything else was seen and is nowhere to be found.",
            Query(events("vigil_alerts_lost_total")), levels=(Level(0.5, BAD),),
        ),
        figure(
            "API errors", "Share of HTTP requests that ended in 5xx. Orange above 0.1 %, red above 1 %.",
            Query(f"1 - {ok} / {rate('vigil_http_seconds_count')}"),
            unit="percentunit", levels=(Level(0.001, WARN), Level(0.01, BAD)), none="no requests",
        ),
        figure(
            "WebSocket clients", "Connected now: graph, alerts and preview together.",
            Query(f"sum({select('vigil_ws_clients')})"), trend=True,
        ),
        figure(
            "Alerts that wait", "For a webhook. Orange from 10, red from 100: a receiver is slow or down.",
            Query(f"sum({select('vigil_webhook_backlog')})"), levels=(Level(10, WARN), Level(100, BAD)),
        ),
        figure(
            "Publishers refused",
            "Pushes with a wrong key or token in the time range shown. Many: somebody tries keys, or a secret was changed.",
            Query(events("vigil_publishes_total", where='outcome=~"wrong_key|wrong_token"')),
            levels=(Level(1, WARN), Level(100, BAD)),
        ),
    ]  # fmt: skip


def _redis() -> list[AnyPanel]:
    return [
        lines(
            "Redis: time of a call, p95",
            "By call, of all workers. Orange from 50 ms, red from 250 ms: graphs and alerts come later.",
            Query(quantile(0.95, "vigil_redis_seconds", "call"), "{{call}}"),
            unit="s", width=6, levels=(Level(0.05, WARN), Level(0.25, BAD)),
        ),
        lines(
            "Redis: calls a second",
            "publish is one for each analysed frame. A call that falls to 0 while frames are analysed means that Redis is away.",
            Query(rate("vigil_redis_seconds_count", "call"), "{{call}}"), unit="reqps", width=6,
        ),
        lines(
            "State written",
            "Writes of stream state, by outcome. failed means that a crash now would lose more than a second of memory.",
            Query(rate("vigil_state_writes_total", "outcome"), "{{outcome}}"),
            unit="wps", width=6, stacked=True, colours={"ok": GOOD, "failed": BAD},
        ),
        lines(
            "Alert latency",
            "From capture of the deciding frame to the alert in Redis; orange from 0.5 s, red from 2 s.",
            Query(quantile(0.5, "vigil_alert_latency_seconds"), "p50"),
            Query(quantile(0.95, "vigil_alert_latency_seconds"), "p95"), unit="s", width=6, levels=(Level(0.5, WARN), Level(2, BAD)),
        ),
    ]  # fmt: skip


def _api() -> list[AnyPanel]:
    return [
        lines(
            "Requests a second, by route",
            "What clients ask. One route that rises alone is one client that polls: WebSockets and webhooks are made for it.",
            Query(rate("vigil_http_seconds_count", "method, route"), "{{method}} {{route}}"), unit="reqps", height=9,
        ),
        lines(
            "Errors a second, by route and status",
            "429 is a full engine or a limit, 401 and 403 are keys, 5xx are ours: 503 for a moment after a start is normal.",
            Query(rate("vigil_http_seconds_count", "route, status", 'status=~"[45].."'), "{{status}} {{route}}"), unit="reqps", height=9,
        ),
        lines(
            "Time of a request, p95, by route",
            "Orange from 0.25 s, red from 1 s. POST of a stream resolves a name, and may wait for it.",
            Query(quantile(0.95, "vigil_http_seconds", "method, route"), "{{method}} {{route}}"),
            unit="s", height=9, levels=(Level(0.25, WARN), Level(1, BAD)),
        ),
    ]  # fmt: skip


def _sockets() -> list[AnyPanel]:
    return [
        lines(
            "Clients", "Connected WebSocket clients by what they watch.",
            Query(f"sum by (kind) ({select('vigil_ws_clients')})", "{{kind}}"), unit="short", stacked=True, steps=True,
        ),
        lines(
            "Messages a second", "Sent to all clients. It falls to 0 with clients connected when no stream of theirs is live.",
            Query(rate("vigil_ws_messages_total", "kind"), "{{kind}}"), unit="short",
        ),
        lines(
            "Cut off a minute",
            "Clients that read too slowly and were closed with 1013. They may come back and lose nothing; many are a narrow network.",
            Query(f"60 * {rate('vigil_ws_clients_dropped_total', 'kind')}", "{{kind}}"), unit="short",
        ),
    ]  # fmt: skip


def _webhooks() -> list[AnyPanel]:
    return [
        lines(
            "Attempts a minute, by outcome",
            "failed is tried again, later and later; gave_up was not told, and stays untold.",
            Query(f"60 * {rate('vigil_webhook_deliveries_total', 'webhook, outcome')}", "{{webhook}} {{outcome}}"),
            unit="short", width=6, stacked=True,
        ),
        lines(
            "Time of an attempt, p95",
            "How long the receiver takes to answer. Orange from 1 s; near the limit, attempts end as timeouts.",
            Query(quantile(0.95, "vigil_webhook_seconds", "webhook"), "{{webhook}}"), unit="s", width=6, levels=(Level(1, WARN),),
        ),
        lines(
            "Alerts that wait",
            "For each webhook. A line that only climbs is a receiver that is gone.",
            Query(f"sum by (webhook) ({select('vigil_webhook_backlog')})", "{{webhook}}"), unit="short", width=6, steps=True,
        ),
        lines(
            "What media servers asked, a minute",
            "By server and answer. Refused ones carry a key that is unknown, or a stream that is published already.",
            Query(f"60 * {rate('vigil_publishes_total', 'server, outcome')} > 0", "{{server}} {{outcome}}"),
            unit="short", width=6, stacked=True,
        ),
    ]  # fmt: skip
