"""What the saved objects are built of: a data view, searches, charts and the dashboard that holds them.

The shapes are those of Kibana's own schemas. Of the repository elastic/kibana single files could be had, at
the commits below, and none at the tag v8.15.5:

- search: src/plugins/saved_search/server/saved_objects/search.ts at 7d0f5ad49639 (converted at 8.0.0, model
  versions 1 to 3) and schema.ts beside it at 58c1564672dc;
- dashboard: src/plugins/dashboard/server/dashboard_saved_object/dashboard_saved_object.ts at 314bb81d729b
  (schema of 8.9.0, model versions 1 and 2), common/content_management/v1/cm_services.ts at 88f418ebb1ab;
- index-pattern: src/plugins/data_views/server/saved_objects/data_views.ts at 0270556838cb (converted at
  8.0.0), index_pattern_migrations.ts beside it at 731e0e8b1e7d (the last is of 7.11.0), and the names in
  server/content_management/schema/v1/cm_services.ts at 0f59da47ea6c;
- lens: x-pack/plugins/lens/common/content_management/v1/cm_services.ts at 2c491b5b680c, and its last
  migration, of 8.9.0, in lens/server/migrations/saved_object_migrations.ts at 3ab0fa13492b;
- all: core-saved-objects-migration-server-internal/src/document_migrator/migrations/index.ts at 06fe4d2f0c45
  (the form of 8.8.0), and pipelines/upgrade_pipeline.ts at ab5a4a6f317b, which refuses what is newer.

They are written in the form of Kibana 8.9, or an older one where that is the last: a newer Kibana brings
older objects up to its own form when it imports them, and refuses newer ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
DATA_VIEW = "ai-assistant-logs"
# The last of these that changed the form of every object.
CORE_VERSION = "8.8.0"
TYPE_VERSIONS = {"index-pattern": "8.0.0", "search": "8.0.0", "lens": "8.9.0", "dashboard": "8.9.0"}
_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
_LAYER = "layer"
_TIME, _SPLIT = "time", "split"
WIDTH = 48


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def text(english: str, chinese: str) -> str:
    """Return a description for readers of both languages."""
    return f"{english}\n\n{chinese}"


def title(english: str, chinese: str) -> str:
    """Return a title for readers of both languages."""
    return f"{english} {chinese}"


def _object(kind: str, name: str, attributes: Object, references: Sequence[tuple[str, str, str]]) -> Object:
    return {
        "id": name,
        "type": kind,
        "attributes": attributes,
        "references": [{"name": at, "type": of, "id": to} for at, of, to in references],
        "coreMigrationVersion": CORE_VERSION,
        "typeMigrationVersion": TYPE_VERSIONS[kind],
    }


def data_view(pattern: str, name: str, formats: dict[str, Object]) -> Object:
    """Return the data view, which everything else reads through.

    Args:
        pattern: Names of the data streams.
        name: What Kibana shows.
        formats: Kibana's field formats, by field.
    """
    attributes = {
        "title": pattern,
        "name": name,
        "timeFieldName": "@timestamp",
        "fieldFormatMap": _json(formats),
        "fields": "[]",
        "fieldAttrs": "{}",
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
        "typeMeta": "{}",
        # On the first day there is no data stream yet.
        "allowNoIndex": True,
    }
    return _object("index-pattern", DATA_VIEW, attributes, [])


def search(
    name: str,
    titles: tuple[str, str],
    description: tuple[str, str],
    query: str,
    columns: Sequence[str],
    *,
    newest_first: bool = True,
    since: str = "now-24h",
) -> Object:
    """Return a saved search.

    Args:
        name: Its id, which stays.
        titles: Its title in English and in Chinese.
        description: What it finds and what one does with it, in both.
        query: In Kibana's query language.
        columns: Fields, the most important one first; the time is always there.
        newest_first: The order of the lines.
        since: Where the shown time begins.
    """
    source = {"query": {"language": "kuery", "query": query}, "filter": [], "indexRefName": _SOURCE}
    attributes = {
        "title": title(*titles),
        "description": text(*description),
        "columns": list(columns),
        "sort": [["@timestamp", "desc" if newest_first else "asc"]],
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "timeRestore": True,
        "timeRange": {"from": since, "to": "now"},
        "kibanaSavedObjectMeta": {"searchSourceJSON": _json(source)},
    }
    return _object("search", name, attributes, [(_SOURCE, "index-pattern", DATA_VIEW)])


@dataclass(frozen=True)
class Measure:
    """What a chart counts: lines, or a percentile of a field."""

    label: str
    field: str = ""
    percentile: float = 0

    def column(self) -> Object:
        """Return Lens's column for it."""
        common = {"label": self.label, "customLabel": True, "dataType": "number", "isBucketed": False}
        if self.percentile:
            params = {"percentile": self.percentile, "emptyAsNull": True}
            operation = {"operationType": "percentile", "sourceField": self.field, "params": params}
        else:
            params = {"emptyAsNull": False}
            operation = {"operationType": "count", "sourceField": "___records___", "params": params}
        return {**common, **operation, "scale": "ratio"}


LINES = (Measure("Lines 条数"),)


def _time_column() -> Object:
    return {
        "label": "@timestamp",
        "dataType": "date",
        "operationType": "date_histogram",
        "sourceField": "@timestamp",
        "isBucketed": True,
        "scale": "interval",
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def _split_column(field: str, kind: str) -> Object:
    return {
        "label": field,
        "dataType": kind,
        "operationType": "terms",
        "sourceField": field,
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": 10,
            "orderBy": {"type": "column", "columnId": "measure0"},
            "orderDirection": "desc",
            "otherBucket": True,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        },
    }


def chart(
    name: str,
    titles: tuple[str, str],
    description: tuple[str, str],
    query: str,
    *,
    split: tuple[str, str] | None = None,
    measures: Sequence[Measure] = LINES,
    series: str = "bar_stacked",
) -> Object:
    """Return a chart over time.

    Args:
        name: Its id, which stays.
        titles: Its title in English and in Chinese.
        description: What it shows, in both.
        query: Which lines, in Kibana's query language.
        split: A field whose ten most frequent values are told apart, and its kind: string, ip or number.
        measures: What is drawn.
        series: Lens's name of the form: ``bar_stacked`` or ``line``.
    """
    # As Lens orders them: the most frequent values of the whole time, not of each interval.
    columns: dict[str, Object] = {_SPLIT: _split_column(*split)} if split else {}
    columns[_TIME] = _time_column()
    accessors = [f"measure{number}" for number in range(len(measures))]
    columns |= {accessor: measure.column() for accessor, measure in zip(accessors, measures, strict=True)}
    layer: Object = {
        "layerId": _LAYER,
        "layerType": "data",
        "seriesType": series,
        "xAccessor": _TIME,
        "accessors": accessors,
    }
    if split:
        layer["splitAccessor"] = _SPLIT
    made = {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}, "sampling": 1}
    state = {
        "visualization": {
            "legend": {"isVisible": True, "position": "right"},
            "valueLabels": "hide",
            "fittingFunction": "None",
            "preferredSeriesType": series,
            "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
            "tickLabelsVisibilitySettings": {"x": True, "yLeft": True, "yRight": True},
            "gridlinesVisibilitySettings": {"x": True, "yLeft": True, "yRight": True},
            "labelsOrientation": {"x": 0, "yLeft": 0, "yRight": 0},
            "layers": [layer],
        },
        "query": {"language": "kuery", "query": query},
        "filters": [],
        "datasourceStates": {"formBased": {"layers": {_LAYER: made}}},
        "internalReferences": [],
        "adHocDataViews": {},
    }
    attributes = {
        "title": title(*titles),
        "description": text(*description),
        "visualizationType": "lnsXY",
        "state": state,
    }
    reference = (f"indexpattern-datasource-layer-{_LAYER}", "index-pattern", DATA_VIEW)
    return _object("lens", name, attributes, [reference])


@dataclass(frozen=True)
class Panel:
    """An object's place on the dashboard; 48 columns make the width."""

    shown: Object
    width: int = 24
    height: int = 12


def dashboard(
    name: str, titles: tuple[str, str], description: tuple[str, str], panels: Sequence[Panel], since: str
) -> Object:
    """Return a dashboard with its panels laid out row by row.

    Raises:
        ValueError: A row of panels is wider than the dashboard.
    """
    placed: list[Object] = []
    references: list[tuple[str, str, str]] = []
    x = y = tallest = 0
    for number, panel in enumerate(panels):
        if panel.width > WIDTH:
            raise ValueError(f"{panel.shown['id']} is wider than {WIDTH} columns")
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        index = f"panel{number}"
        grid = {"x": x, "y": y, "w": panel.width, "h": panel.height, "i": index}
        placed.append(
            {
                "type": panel.shown["type"],
                "panelIndex": index,
                "gridData": grid,
                "embeddableConfig": {"enhancements": {}},
                "panelRefName": f"panel_{index}",
            }
        )
        references.append((f"{index}:panel_{index}", panel.shown["type"], panel.shown["id"]))
        x, tallest = x + panel.width, max(tallest, panel.height)
    options = {"useMargins": True, "syncColors": False, "syncCursor": True, "syncTooltips": False}
    attributes = {
        "title": title(*titles),
        "description": text(*description),
        "panelsJSON": _json(placed),
        "optionsJSON": _json({**options, "hidePanelTitles": False}),
        "timeRestore": True,
        "timeFrom": since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60000},
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": _json({"query": {"language": "kuery", "query": ""}, "filter": []})
        },
    }
    return _object("dashboard", name, attributes, references)
