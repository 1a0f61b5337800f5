"""What the dashboards are built of: queries, panels and the frame around them.

The JSON is made with Grafana's own library for it (grafana-foundation-sdk), in the oldest form that it knows,
Grafana 10.1's: newer versions read older dashboards, and not the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as language

# The data source that role grafana provisions.
SOURCE = model.DataSourceRef(type_val="prometheus", uid="prometheus")
TAG = "ai-assistant"
RUNBOOKS = "ai-assistant-runbooks"
# Role grafana puts the deployment's own address in its place, or leaves the link out (grafana_reports_url).
REPORTS = "https://assistant.example.org/reports/"
# Of an assistant that the variable at the top selects.
ASSISTANT = 'job="assistant",instance=~"$instance"'
# The same for recorded series and alerts.
INSTANCE = 'instance=~"$instance"'
HEIGHT = 8

Panel = Builder[model.Panel]
# From which value on, or None for the lowest, and the colour.
Steps = Sequence[tuple[float | None, str]]
GREEN: Steps = ((None, "green"),)


def above(limit: float) -> Steps:
    """Return the colours of a value that is bad from ``limit`` on."""
    return ((None, "green"), (limit, "red"))


def below(limit: float) -> Steps:
    """Return the colours of a value that is bad below ``limit``."""
    return ((None, "red"), (limit, "green"))


def rate(metric: str, by: str = "", where: str = "", job: str = ASSISTANT) -> str:
    """Return the counter's steps in a second, summed, one series for each value of the labels ``by``."""
    selector = ",".join(part for part in (job, where) if part)
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """Return the histogram's value, in seconds, that the given share of events does not exceed."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', labels, where)})"


def query(expression: str, legend: str = "", *, instant: bool = False) -> prometheus.Dataquery:
    """Return a query; ``legend`` names its series, with labels as ``{{channel}}``."""
    built = prometheus.Dataquery().datasource(SOURCE).expr(expression).legend_format(legend or "__auto")
    built.editor_mode(language.QueryEditorMode.CODE)
    return built.instant().format(language.PromQueryFormat.TABLE) if instant else built.range()


def _text(english: str, chinese: str) -> str:
    return f"{english}\n\n{chinese}"


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    # The first step has no value: null is Grafana's minus infinity.
    made = [model.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(made)


def _queries(targets: Sequence[prometheus.Dataquery]) -> list[prometheus.Dataquery]:
    return [target.ref_id(chr(ord("A") + index)) for index, target in enumerate(targets)]


def graph(
    title: str,
    description: tuple[str, str],
    unit: str,
    *targets: prometheus.Dataquery,
    width: int = 8,
    steps: Steps = GREEN,
    stacked: bool = False,
    most: float | None = None,
) -> timeseries.Panel:
    """Return values over time.

    Args:
        title: What is shown.
        description: The same in a sentence or two, in English and in Chinese.
        unit: Grafana's name of the unit, for example ``s``, ``percentunit``, ``reqps``.
        targets: The queries.
        width: Columns, of 24.
        steps: Where a line is drawn, and its colour.
        stacked: The values add up to something.
        most: The end of the scale, where it is known.
    """
    panel = timeseries.Panel().title(title).description(_text(*description)).unit(unit).min(0)
    panel.datasource(SOURCE).span(width).height(HEIGHT).targets(list(_queries(targets)))
    panel.fill_opacity(30 if stacked else 8).line_width(1).show_points(options.VisibilityMode.NEVER)
    panel.tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
    legend = common.VizLegendOptions().show_legend(True).calcs(["lastNotNull", "max"])
    panel.legend(
        legend.display_mode(options.LegendDisplayMode.TABLE).placement(options.LegendPlacement.BOTTOM)
    )
    panel.thresholds(_thresholds(steps))
    if len(steps) > 1:
        mode = options.GraphTresholdsStyleMode.DASHED
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    return panel if most is None else panel.max(most)


def number(
    title: str,
    description: tuple[str, str],
    unit: str,
    expression: str,
    *,
    width: int = 3,
    steps: Steps = GREEN,
    decimals: int | None = None,
    words: dict[float, tuple[str, str]] | None = None,
) -> stat.Panel:
    """Return one figure, as it is now.

    Args:
        title: What is shown.
        description: The same in a sentence or two, in English and in Chinese.
        unit: Grafana's name of the unit.
        expression: What gives one value.
        width: Columns, of 24.
        steps: The colours.
        decimals: Places after the point; None leaves them to Grafana.
        words: What stands there in place of a value, and its colour.
    """
    panel = stat.Panel().title(title).description(_text(*description)).unit(unit).datasource(SOURCE)
    panel.span(width).height(4).targets(list(_queries([query(expression)]))).thresholds(_thresholds(steps))
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.color_mode(options.BigValueColorMode.BACKGROUND).graph_mode(options.BigValueGraphMode.AREA)
    panel.no_value("-")
    if words:
        texts = {
            f"{value:g}": model.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
        panel.mappings([model.ValueMap(options=texts)])
    return panel if decimals is None else panel.decimals(decimals)


def listing(
    title: str,
    description: tuple[str, str],
    expression: str,
    *,
    hidden: Sequence[str] = (),
    links: Sequence[dashboard.DashboardLink] = (),
    width: int = 12,
    unit: str = "none",
) -> table.Panel:
    """Return a table of the labels and value of each series that the expression gives now.

    Args:
        title: What is shown.
        description: The same in a sentence or two, in English and in Chinese.
        expression: The query; it is asked for the present only.
        hidden: Labels without a column.
        links: Where a cell leads to.
        width: Columns, of 24.
        unit: Grafana's name of the value's unit.
    """
    panel = table.Panel().title(title).description(_text(*description)).datasource(SOURCE).unit(unit)
    panel.span(width).height(HEIGHT).targets(list(_queries([query(expression, instant=True)])))
    without = {name: True for name in ("Time", "__name__", "job", *hidden)}
    panel.with_transformation(
        model.DataTransformerConfig(id_val="organize", options={"excludeByName": without})
    )
    panel.thresholds(_thresholds(GREEN)).no_value("-").show_header(True)
    return panel.data_links(list(links)) if links else panel


def _instances(expression: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable("instance").label("Host 主机").datasource(SOURCE)
    variable.query({"query": f"label_values({expression}, instance)", "refId": "instances"})
    variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    # ".*" and not Grafana's list of all: it takes series without the label too.
    variable.multi(True).include_all(True).all_value(".*")
    return variable.current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))


def frame(uid: str, title: str, description: tuple[str, str], instances: str) -> dashboard.Dashboard:
    """Return a dashboard without panels.

    Args:
        uid: Its name in addresses; it never changes.
        title: What the list of dashboards says.
        description: What it answers, in English and in Chinese.
        instances: The metric whose label ``instance`` has the hosts that can be selected.
    """
    made = dashboard.Dashboard(f"AI assistant / {title}").uid(uid).description(_text(*description))
    made.tags([TAG]).readonly().time("now-3h", "now").refresh("30s").timezone("browser")
    made.tooltip(model.DashboardCursorSync.CROSSHAIR).with_variable(_instances(instances))
    for name, tag, dropdown in (("Dashboards 面板", TAG, True), ("Runbooks 处理手册", RUNBOOKS, False)):
        link = dashboard.DashboardLink(name).type(model.DashboardLinkType.DASHBOARDS).tags([tag])
        made.link(link.as_dropdown(dropdown).keep_time(True).include_vars(False).icon("external link"))
    reports = dashboard.DashboardLink("Evaluations 模型评估").type(model.DashboardLinkType.LINK).url(REPORTS)
    made.link(reports.tags([]).target_blank(True).icon("doc"))
    return made


def restarts() -> dashboard.AnnotationQuery:
    """Return marks at the times at which an assistant began."""
    expression = f"changes(process_start_time_seconds{{{ASSISTANT}}}[1m]) > 0"
    mark = dashboard.AnnotationQuery().name("Restarts 重启").datasource(SOURCE).enable(True)
    return mark.icon_color("orange").expr(expression)


def section(
    made: dashboard.Dashboard, title: str, *panels: timeseries.Panel | stat.Panel | table.Panel
) -> None:
    """Add a row of the dashboard, with its panels."""
    made.with_row(dashboard.Row(title))
    for panel in panels:
        made.with_panel(panel)
