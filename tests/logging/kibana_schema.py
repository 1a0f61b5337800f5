"""The form of Kibana's saved objects, as JSON schemas: what Kibana's import checks, and what it does not.

Written after Kibana's own schemas (see ``tools/kibana/parts.py`` for their places): the attributes of each
type, and those that are JSON in a string. What Kibana leaves open (Lens's state is anything) is closed here
to what the objects of this project use, by the types of x-pack/plugins/lens/public/datasources/form_based.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1}
TRUTH: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}


def record(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Schema:
    """Return the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def listed(of: Schema, least: int = 0) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": of, "minItems": least}


QUERY = record({"language": {"const": "kuery"}, "query": {"type": "string"}})
_TIMES = record({"from": TEXT, "to": TEXT})
_REFRESH = record({"pause": TRUTH, "value": NUMBER})
_META = record({"searchSourceJSON": TEXT})
_GRID = record(
    {name: {"type": "integer", "minimum": 0} for name in "xy"}
    | {name: {"type": "integer", "minimum": 1, "maximum": 48} for name in "wh"}
    | {"i": TEXT}
)
_COLUMN = record(
    {
        "label": TEXT,
        "dataType": {"enum": ["date", "string", "number", "ip", "boolean"]},
        "operationType": {"enum": ["date_histogram", "terms", "count", "percentile"]},
        "sourceField": TEXT,
        "isBucketed": TRUTH,
        "scale": {"enum": ["interval", "ordinal", "ratio"]},
        "params": {"type": "object"},
    },
    {"customLabel": TRUTH},
)
_LAYER = record(
    {
        "columnOrder": listed(TEXT, 1),
        "incompleteColumns": record({}),
        "sampling": NUMBER,
        "columns": {"type": "object", "additionalProperties": _COLUMN},
    }
)
_XY_LAYER = record(
    {
        "layerId": TEXT,
        "layerType": {"const": "data"},
        "accessors": listed(TEXT, 1),
        "xAccessor": TEXT,
        "seriesType": {"enum": ["bar", "bar_stacked", "line", "area", "area_stacked"]},
    },
    {"splitAccessor": TEXT},
)
_SHOWN = record({name: TRUTH for name in ("x", "yLeft", "yRight")})
_LENS_STATE = record(
    {
        "visualization": record(
            {
                "legend": record(
                    {"isVisible": TRUTH, "position": {"enum": ["right", "left", "top", "bottom"]}}
                ),
                "valueLabels": {"enum": ["hide", "show"]},
                "fittingFunction": {"enum": ["None", "Zero", "Linear", "Carry", "Lookahead"]},
                "preferredSeriesType": TEXT,
                "layers": listed(_XY_LAYER, 1),
                "axisTitlesVisibilitySettings": _SHOWN,
                "tickLabelsVisibilitySettings": _SHOWN,
                "gridlinesVisibilitySettings": _SHOWN,
                "labelsOrientation": record({name: NUMBER for name in ("x", "yLeft", "yRight")}),
            }
        ),
        "query": QUERY,
        "filters": listed({}),
        "datasourceStates": record(
            {"formBased": record({"layers": {"type": "object", "additionalProperties": _LAYER}})}
        ),
        "internalReferences": listed({}),
        "adHocDataViews": {"type": "object"},
    }
)
ATTRIBUTES: dict[str, Schema] = {
    "index-pattern": record(
        {"title": TEXT, "name": TEXT, "timeFieldName": {"const": "@timestamp"}},
        {
            **{
                name: TEXT
                for name in (
                    "fieldFormatMap",
                    "fields",
                    "fieldAttrs",
                    "runtimeFieldMap",
                    "sourceFilters",
                    "typeMeta",
                )
            },
            "allowNoIndex": TRUTH,
        },
    ),
    "search": record(
        {
            "title": TEXT,
            "description": TEXT,
            "columns": listed(TEXT, 1),
            "kibanaSavedObjectMeta": _META,
            "sort": listed({"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2}, 1),
        },
        {
            "grid": {"type": "object"},
            "hideChart": TRUTH,
            "isTextBasedQuery": TRUTH,
            "timeRestore": TRUTH,
            "timeRange": _TIMES,
            "refreshInterval": _REFRESH,
        },
    ),
    "lens": record(
        {"title": TEXT, "description": TEXT, "visualizationType": {"const": "lnsXY"}, "state": _LENS_STATE}
    ),
    "dashboard": record(
        {
            "title": TEXT,
            "description": TEXT,
            "kibanaSavedObjectMeta": _META,
            "panelsJSON": TEXT,
            "optionsJSON": TEXT,
        },
        {"timeRestore": TRUTH, "timeFrom": TEXT, "timeTo": TEXT, "refreshInterval": _REFRESH},
    ),
}
# What is JSON inside a string, by its place in the attributes.
INSIDE: dict[str, Schema] = {
    "search.kibanaSavedObjectMeta.searchSourceJSON": record(
        {"query": QUERY, "filter": listed({}), "indexRefName": TEXT}
    ),
    "dashboard.kibanaSavedObjectMeta.searchSourceJSON": record({"query": QUERY, "filter": listed({})}),
    "dashboard.optionsJSON": record(
        {
            name: TRUTH
            for name in ("useMargins", "syncColors", "syncCursor", "syncTooltips", "hidePanelTitles")
        }
    ),
    "dashboard.panelsJSON": listed(
        record(
            {
                "type": {"enum": ["lens", "search"]},
                "panelIndex": TEXT,
                "gridData": _GRID,
                "embeddableConfig": {"type": "object"},
                "panelRefName": TEXT,
            }
        ),
        1,
    ),
    "index-pattern.fieldFormatMap": {
        "type": "object",
        "additionalProperties": record({"id": TEXT, "params": {"type": "object"}}),
    },
    "index-pattern.fieldAttrs": {"type": "object"},
    "index-pattern.runtimeFieldMap": {"type": "object"},
    "index-pattern.typeMeta": {"type": "object"},
    "index-pattern.fields": listed({}),
    "index-pattern.sourceFilters": listed({}),
}
OBJECT = record(
    {
        "id": {"type": "string", "pattern": "^[a-z0-9-]+$"},
        "type": {"enum": list(ATTRIBUTES)},
        "attributes": {"type": "object"},
        "references": listed(record({"name": TEXT, "type": {"enum": list(ATTRIBUTES)}, "id": TEXT})),
        "coreMigrationVersion": {"const": "8.8.0"},
        "typeMigrationVersion": {"enum": ["8.0.0", "8.9.0"]},
    }
)


def check(made: Mapping[str, Any]) -> None:
    """See that a saved object has the form of its type.

    Raises:
        jsonschema.ValidationError: It has not; the message says where.
    """
    jsonschema.validate(made, OBJECT)
    jsonschema.validate(made["attributes"], ATTRIBUTES[made["type"]])
    for place, schema in INSIDE.items():
        kind, *way = place.split(".")
        value: Any = made["attributes"] if kind == made["type"] else None
        for name in way:
            value = value.get(name) if value is not None else None
        if value is not None:
            jsonschema.validate(json.loads(value), schema)
