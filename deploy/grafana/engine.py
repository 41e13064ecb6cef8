"""The engine, the device it runs on, and the processes around it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.look import BAD, GOOD, NOTICE, WARN, AnyPanel, Column, Level, Query, Word, figure, framed, lines, rows, states
from deploy.grafana.promql import mean, over_time, quantile, rate, select

PRESSURE = {0: Word("full rate", GOOD), 1: Word("sampled", WARN), 2: Word("key frames only", BAD)}
FELL_BACK = {0: Word("no", GOOD), 1: Word("yes", BAD)}
FULL = (Level(0.8, WARN), Level(0.95, BAD))


def engine() -> Dashboard:
    return framed(
        "vigil-engine",
        "Vigil: engine",
        "Which engine serves and why, how full it is, what the processes around it use.",
        (("Now", _now()), ("Calls", _calls()), ("Room", _room()), ("Processes", _processes())),
    )


def _now() -> list[AnyPanel]:
    return [
        figure(
            "Serves", "The engine and the model that answer now. Not ready: it still loads, or no engine opens.",
            Query(f"{select('vigil_engine_ready')} == 1", "{{backend}}, {{model}}"), width=6, name_only=True, none="not ready",
        ),
        figure(
            "Fell back",
            "yes: a better engine failed to open, or a GPU is there and a CPU engine serves. The table beside it says why.",
            Query(f"max({select('vigil_engine_fell_back')})"), words=FELL_BACK, none="-",
        ),
        figure(
            "Device in use", "Share of the last second in which the engine was at work. Orange from 80 %, red from 95 %: no room for more.",
            Query(f"max({select('vigil_engine_load')})"), unit="percentunit", levels=FULL, trend=True, none="-",
        ),
        figure(
            "Holds", "Frames a second that the engine was measured to analyse, in all shards. Streams beyond it are refused (429).",
            Query(over_time("vigil_engine_capacity_fps")), unit="fps", none="-",
        ),
        figure(
            "Pressure", "What the worst worker does against overload: full rate is right, key frames only is the last resort.",
            Query(f"max({select('vigil_pressure_level')})"), words=PRESSURE, none="-",
        ),
        figure(
            "Version", "Of Vigil; several names mean that shards run different ones.",
            Query(f"max by (version) ({select('vigil_build_info')})", "{{version}}"), width=2, name_only=True,
        ),
        rows(
            "Engines that were passed over",
            "Every faster engine that was not chosen, and why. A reason that names a missing device is normal on a machine without it.",
            (Query(f"max by (shard, backend, why) ({select('vigil_engine_passed_over')})"),),
            (Column("shard", "Shard"), Column("backend", "Engine"), Column("why", "Why not")),
            width=24, height=5, hidden=("Value",),
        ),
    ]  # fmt: skip


def _calls() -> list[AnyPanel]:
    return [
        lines(
            "Frames in one call",
            "Mean batch. Batches grow under load, which makes each frame cheaper; always 1 with a full device is few, fast streams.",
            Query(mean("vigil_batch_size", "shard"), "{{shard}}"), unit="short",
        ),
        lines(
            "Time of one call",
            "What the network takes, whole batch. A step up without a larger batch is a throttled or shared device, or another model.",
            *_quantiles("vigil_infer_seconds"), unit="s",
        ),
        lines(
            "Wait for the engine",
            "How long a frame waits for its turn. Orange from 0.25 s: more is asked than the engine holds. Red from 0.5 s: frames are "
            "dropped as stale.",
            *_quantiles("vigil_queue_seconds"), unit="s", levels=(Level(0.25, WARN), Level(0.5, BAD)),
        ),
    ]  # fmt: skip


def _room() -> list[AnyPanel]:
    return [
        lines(
            "Device in use",
            "Share of time in which the engine was at work; above 80 % waits grow fast.",
            Query(f"max by (shard, backend) ({select('vigil_engine_load')})", "{{shard}} {{backend}}"),
            unit="percentunit", width=6, levels=FULL, most=1.0,
        ),
        lines(
            "Analysed and held",
            "Frames a second that are analysed, and that the engine holds. Close together: full.",
            Query(rate("vigil_frames_analysed_total", "shard"), "{{shard}} analysed"),
            Query(over_time("vigil_engine_capacity_fps", "shard"), "{{shard}} held"), unit="fps", width=6,
        ),
        lines(
            "Memory of the device",
            "Used and total. Near total, the next model swap or a larger batch may not fit.",
            Query(f"sum by (shard, device, kind) ({select('vigil_device_memory_bytes')})", "{{shard}} {{device}} {{kind}}"),
            unit="bytes", width=6,
        ),
        lines(
            "Model swaps",
            "Other models met in the model folder, by what became of them, since the start. "
            "not_opened and the like mean that the old one serves on.",
            Query(f"sum by (outcome) ({select('vigil_engine_swaps_total')})", "{{outcome}}"),
            unit="short", width=6, steps=True,
        ),
        states(
            "Pressure of each worker",
            "What a worker does against overload. Lasting orange or red: fewer streams, a lower fps, or a larger machine.",
            Query(f"max by (shard, worker) ({select('vigil_pressure_level')})", "{{shard}} {{worker}}"), PRESSURE, width=12, height=7,
        ),
        lines(
            "Cap of each stream under pressure",
            "Most frames a second that a worker takes of one stream now; 0 is no cap. It comes with overload and goes by itself.",
            Query(f"min by (shard, worker) ({select('vigil_pressure_fps')})", "{{shard}} {{worker}}"), unit="fps", width=12, height=7,
        ),
    ]  # fmt: skip


def _processes() -> list[AnyPanel]:
    process = "{{shard}} {{process}}"
    return [
        lines(
            "Memory",
            "Resident memory of each process. It is flat after a few minutes; a steady climb is a leak.",
            Query(f"sum by (shard, process) ({select('process_resident_memory_bytes')})", process), unit="bytes", width=6,
        ),
        lines(
            "Processor",
            "Cores that each process keeps busy. Workers decode, so they grow with streams, size and rate.",
            Query(rate("process_cpu_seconds_total", "shard, process"), process), unit="short", width=6,
        ),
        lines(
            "Decoders",
            "Connected streams by what decodes them. software on a machine with a GPU costs cores: see VIGIL_DECODER.",
            Query(f"sum by (kind) ({select('vigil_decoder')})", "{{kind}}"), unit="short", width=6, stacked=True, steps=True,
            colours={"cuda": GOOD, "software": NOTICE},
        ),
        lines(
            "Restarts",
            "Processes that died and were started again, since the start. The streams of a worker are blind until another has taken them.",
            Query(f"sum by (shard, worker) ({select('vigil_worker_restarts_total')})", "{{shard}} {{worker}}"),
            unit="short", width=6, steps=True,
        ),
    ]  # fmt: skip


def _quantiles(histogram: str) -> tuple[Query, ...]:
    return tuple(Query(quantile(q, histogram, "shard"), f"{{{{shard}}}} p{q * 100:.0f}") for q in (0.5, 0.95))
