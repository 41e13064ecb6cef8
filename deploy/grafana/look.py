"""What the dashboards share: colours, thresholds, kinds of panels, the frame around them. Knows no metric.

Widths and heights are Grafana's grid units: 24 columns, about 38 pixels a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

AnyPanel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel | statetimeline.Panel
Built = TypeVar("Built", timeseries.Panel, stat.Panel, bargauge.Panel, table.Panel, statetimeline.Panel)

GOOD, NOTICE, WARN, BAD, PLAIN, OFF = "green", "yellow", "orange", "red", "blue", "#808080"
TAG = "vigil"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and what its series are called, such as {{stream}}."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """From this value on, this colour."""

    above: float
    colour: str


@dataclass(frozen=True, slots=True)
class Word:
    """What a number means, in a word and a colour."""

    text: str
    colour: str


Levels = Sequence[Level]
Words = Mapping[int, Word]
RISKS: Words = {
    code: Word(text, colour)
    for code, (text, colour) in enumerate(
        (("none", GOOD), ("info", PLAIN), ("low", NOTICE), ("medium", WARN), ("high", BAD), ("critical", "dark-red"))
    )
}
STATE_WORDS: Words = {
    code: Word(text, colour)
    for code, (text, colour) in enumerate(
        (("live", GOOD), ("connecting", PLAIN), ("pending", PLAIN), ("reconnecting", NOTICE), ("stalled", WARN), ("failed", BAD),
         ("ended", OFF))
    )
}  # fmt: skip
STATE_COLOURS = {word.text: word.colour for word in STATE_WORDS.values()}
SEVERITY_COLOURS = {word.text: word.colour for word in RISKS.values() if word.text != "none"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the label or `Value`, or `Value #A` of several queries; its heading and how it reads."""

    field: str
    heading: str
    unit: str = ""
    levels: Levels = ()
    words: Words | None = None
    link: str = ""


def lines(
    title: str, says: str, *queries: Query, unit: str, width: int = 8, height: int = 8, levels: Levels = (), stacked: bool = False,
    colours: Mapping[str, str] | None = None, most: float | None = None, steps: bool = False,
) -> timeseries.Panel:  # fmt: skip
    """Values over time. `steps` for values that jump; `levels` are drawn as dashed lines."""
    panel = _dressed(timeseries.Panel(), title, says, queries, unit, width, height, levels)
    panel = panel.legend(
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.TABLE)
        .placement(shapes.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    ).tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
    panel = panel.line_width(1).fill_opacity(30 if stacked else 8).show_points(shapes.VisibilityMode.NEVER).min(0)
    panel = panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
    if steps:
        panel = panel.line_interpolation(shapes.LineInterpolation.STEP_AFTER)
    if levels:
        panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphTresholdsStyleMode.DASHED))
    if most is not None:
        panel = panel.max(most)
    for name, colour in (colours or {}).items():
        panel = panel.override_by_name(name, [_fixed(colour)])
    return panel


def figure(
    title: str, says: str, query: Query, *, unit: str = "short", width: int = 4, height: int = 4, levels: Levels = (),
    words: Words | None = None, none: str = "0", named: bool = False, name_only: bool = False, trend: bool = False,
    colours: Mapping[str, str] | None = None,
) -> stat.Panel:  # fmt: skip
    """One number, or one for each series (`named`). `none` is shown where Prometheus has no such series."""
    panel = _dressed(stat.Panel(), title, says, (query,), unit, width, height, levels)
    mode = shapes.BigValueTextMode.NAME if name_only else shapes.BigValueTextMode.VALUE_AND_NAME
    panel = panel.text_mode(mode if named or name_only else shapes.BigValueTextMode.VALUE)
    panel = panel.graph_mode(shapes.BigValueGraphMode.AREA if trend else shapes.BigValueGraphMode.NONE)
    panel = panel.color_mode(shapes.BigValueColorMode.VALUE).reduce_options(_last()).no_value(none)
    for name, colour in (colours or {}).items():
        panel = panel.override_by_name(name, [_thresholds((Level(1, colour),), OFF)])
    return panel.mappings([_mapping(words)]) if words else panel


def bars(
    title: str, says: str, query: Query, *, unit: str = "short", width: int = 8, height: int = 8, levels: Levels = ()
) -> bargauge.Panel:
    """One bar for each series, as sorted by the expression."""
    panel = _dressed(bargauge.Panel(), title, says, (query,), unit, width, height, levels, instant=True)
    panel = panel.display_mode(shapes.BarGaugeDisplayMode.BASIC).orientation(shapes.VizOrientation.HORIZONTAL)
    return panel.reduce_options(_last()).min(0).no_value("none")


def rows(
    title: str, says: str, queries: Sequence[Query], columns: Sequence[Column], *, width: int = 12, height: int = 8,
    hidden: Sequence[str] = (), sort: str = "", none: str = "none",
) -> table.Panel:  # fmt: skip
    """One row for each series; several queries are joined on their labels and must keep the same ones."""
    panel = _dressed(table.Panel(), title, says, queries, "short", width, height, (), instant=True, as_table=True)
    if len(queries) > 1:
        panel = panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    organize = {
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "indexByName": {column.field: at for at, column in enumerate(columns)},
        "renameByName": {column.field: column.heading for column in columns},
    }
    panel = panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=organize)).no_value(none)
    for column in columns:
        if properties := _cells(column):
            panel = panel.override_by_name(column.heading, properties)
    if sort:
        panel = panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel


def states(title: str, says: str, query: Query, words: Words, *, width: int = 24, height: int = 5) -> statetimeline.Panel:
    """What state each series was in, over time; the numbers in words."""
    panel = _dressed(statetimeline.Panel(), title, says, (query,), "none", width, height, ())
    panel = panel.mappings([_mapping(words)]).merge_values(True).row_height(0.8).show_value(shapes.VisibilityMode.AUTO)
    return panel.legend(
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )


def framed(uid: str, title: str, says: str, content: Sequence[tuple[str, Sequence[AnyPanel]]], *, stream: bool = False) -> model.Dashboard:
    """A dashboard of headed rows: variables, links to the others, ids in reading order."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(says)
        .tags([TAG])
        .time("now-1h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource")
            .type("prometheus")
            .label("Data source")
            .current(model.VariableOption(text="Prometheus", value="prometheus"))
        )
        .with_variable(_variable("shard", "Shard", "label_values(vigil_engine_ready, shard)", every=True))
        .link(dashboard.DashboardLink("Vigil").type(model.DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True).keep_time(True))
    )
    if stream:
        built = built.with_variable(_variable("stream", "Stream", 'label_values(vigil_stream_state{shard=~"$shard"}, stream)', every=False))
    for heading, panels in content:
        built = built.with_row(dashboard.Row(heading))
        for panel in panels:
            built = built.with_panel(panel)
    made = built.build()
    for number, one in enumerate(made.panels or [], start=1):
        one.id_val = number
    return made


def stream_link(stream: str, shard: str) -> str:
    """The address of one stream's dashboard; the two are how this place spells a row's or a series' labels."""
    return f"/d/vigil-stream?var-stream={stream}&var-shard={shard}&var-datasource=${{datasource}}&${{__url_time_range}}"


def _dressed(
    panel: Built, title: str, says: str, queries: Sequence[Query], unit: str, width: int, height: int, levels: Levels,
    instant: bool = False, as_table: bool = False,
) -> Built:  # fmt: skip
    panel = panel.title(title).description(says).datasource(SOURCE).unit(unit).span(width).height(height)
    panel = panel.thresholds(
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(None, GOOD if levels else PLAIN), *(model.Threshold(level.above, level.colour) for level in levels)])
    )
    for query, ref_id in zip(queries, "ABCDEFGH", strict=False):
        target = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).legend_format(query.legend or "__auto")
        target = target.instant() if instant else target.range()
        panel = panel.with_target(target.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES))
    return panel


def _variable(name: str, label: str, query: str, *, every: bool) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).query(query).datasource(SOURCE)
    variable = variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(every).include_all(every).current(model.VariableOption(text=["All"], value=["$__all"])) if every else variable


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _mapping(words: Words) -> model.ValueMap:
    return model.ValueMap(
        {str(value): model.ValueMappingResult(word.text, word.colour, index=at) for at, (value, word) in enumerate(words.items())}
    )


def _fixed(colour: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _thresholds(levels: Levels, below: str) -> model.DynamicConfigValue:
    steps = [{"value": None, "color": below}, *({"value": level.above, "color": level.colour} for level in levels)]
    return model.DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps})


def _cells(column: Column) -> list[model.DynamicConfigValue]:
    properties = []
    if column.unit:
        properties.append(model.DynamicConfigValue("unit", column.unit))
    if column.levels:
        properties.append(_thresholds(column.levels, GOOD))
    if column.words:
        properties.append(model.DynamicConfigValue("mappings", [_mapping(column.words)]))
    if column.levels or column.words:
        properties.append(model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    if column.link:
        properties.append(model.DynamicConfigValue("links", [{"title": "This stream", "url": column.link}]))
    return properties
