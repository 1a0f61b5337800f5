"""The filter plugins, as far as the pipelines use them, by their documentation (see ``reference``)."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from tests.logging.logstash import dates, grok
from tests.logging.logstash.event import Event, EventError, timestamp
from tests.logging.logstash.language import PipelineError, Plugin

Options = Mapping[str, Any]
# Returns whether the filter did its work: only then its add_field, remove_field and the like happen.
Filter = Callable[[Options, Event, Mapping[str, str]], bool]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _tag(options: Options, event: Event, default: str) -> bool:
    for tag in _listed(options.get("tag_on_failure", [default])):
        event.tag(tag)
    return False


def _json(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    source = event.get(options["source"])
    if source is None:
        return False
    if "target" not in options:
        raise PipelineError("json without a target lets a line overwrite any field of the event")
    try:
        parsed = json.loads(source)
    except (TypeError, ValueError):
        return _tag(options, event, "_jsonparsefailure")
    event.set(options["target"], parsed)
    return True


def _grok(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    known = {**patterns, **options.get("pattern_definitions", {})}
    overwrite = _listed(options.get("overwrite"))
    matched = False
    for name, expressions in options["match"].items():
        text = event.get(name)
        for expression in _listed(expressions) if text is not None else []:
            found = grok.Pattern(expression, known).find(str(text))
            if found is None:
                continue
            for target, value in found.items():
                if event.has(target) and target not in overwrite:
                    raise EventError(f"grok would make a list of {target}, which is there already")
                event.set(target, value)
            matched = True
            if options.get("break_on_match", True):
                return True
    return matched or _tag(options, event, "_grokparsefailure")


def _date(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    source, *formats = options["match"]
    value = event.get(source)
    if value is None:
        return False
    for one in formats:
        if moment := dates.parsed(value, one, event.text(options.get("timezone", "UTC"))):
            event.set(options.get("target", "@timestamp"), timestamp(moment))
            return True
    return _tag(options, event, "_dateparsefailure")


def _converted(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_converted(one, kind) for one in value]
    if kind == "string":
        return (
            {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        )
    if kind == "boolean":
        text = str(value).lower()
        yes, no = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0", "")
        return True if text in yes else False if text in no else value
    if kind not in ("integer", "float"):
        raise PipelineError(f"mutate: {kind} is no kind that convert knows here")
    # Ruby takes the number that a text begins with, and zero where it begins with none.
    number = re.match(r"\s*-?\d+(\.\d+)?", str(value).replace(",", ""))
    exact = float(number.group()) if number else 0.0
    return int(exact) if kind == "integer" else exact


def _changed(event: Event, names: Any, change: Callable[[str], str]) -> None:
    for name in _listed(names):
        value = event.get(name)
        if isinstance(value, list):
            event.set(name, [change(one) if isinstance(one, str) else one for one in value])
        elif isinstance(value, str):
            event.set(name, change(value))


def _mutate(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    """Mutate in the order of the documentation, whatever the order in the file is."""
    for name in ("coerce", "capitalize"):
        if name in options:
            raise PipelineError(f"mutate: {name} is not understood here")
    for old, new in options.get("rename", {}).items():
        if event.has(old):
            event.set(event.text(new), event.remove(old))
    for name, value in options.get("update", {}).items():
        if event.has(name):
            event.set(name, event.text(value))
    for name, value in options.get("replace", {}).items():
        event.set(name, event.text(value))
    for name, kind in options.get("convert", {}).items():
        if event.get(name) is not None and not isinstance(event.get(name), dict):
            event.set(name, _converted(event.get(name), kind))
    triples = options.get("gsub", [])
    for name, needle, replacement in zip(triples[0::3], triples[1::3], triples[2::3], strict=True):
        regex = re.compile(needle, re.ASCII | re.MULTILINE)
        new = event.text(replacement)
        _changed(event, name, lambda text, regex=regex, new=new: regex.sub(new, text))  # type: ignore[misc]
    _changed(event, options.get("uppercase"), str.upper)
    _changed(event, options.get("lowercase"), str.lower)
    _changed(event, options.get("strip"), str.strip)
    for name, separator in options.get("split", {}).items():
        if isinstance(event.get(name), str):
            pieces = event.get(name).split(separator)
            # Ruby leaves out the empty ones at the end.
            while pieces and not pieces[-1]:
                pieces.pop()
            event.set(name, pieces)
    for name, separator in options.get("join", {}).items():
        if isinstance(event.get(name), list):
            event.set(name, separator.join(map(str, event.get(name))))
    for name, added in options.get("merge", {}).items():
        for one in _listed(added):
            event.set(name, _listed(event.get(name)) + _listed(event.get(one)))
    for source, target in options.get("copy", {}).items():
        if event.get(source) is not None:
            event.set(target, json.loads(json.dumps(event.get(source))))
    return True


def _drop(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    if "percentage" in options:
        raise PipelineError("drop: percentage is not understood here")
    event.dropped = True
    return True


def _translate(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    if unknown := set(options) & {"exact", "regex", "iterate_on", "dictionary_path"}:
        raise PipelineError(f"translate: {', '.join(sorted(unknown))} is not understood here")
    source, target = options["source"], options.get("target", options["source"])
    # Unless it is told to, or replaces the source itself, it leaves a target alone that is there.
    if not event.has(source) or (event.has(target) and not options.get("override", target == source)):
        return False
    value = options["dictionary"].get(str(event.get(source)), options.get("fallback"))
    if value is None:
        return False
    event.set(target, event.text(value))
    return True


def _uuid(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    if not event.has(options["target"]) or options.get("overwrite", False):
        event.set(options["target"], str(uuid.uuid4()))
    return True


# The only lines of Ruby that the pipelines have.
_NOW = re.compile(r"event\.set\('([^']+)', LogStash::Timestamp\.now\)")


def _ruby(options: Options, event: Event, patterns: Mapping[str, str]) -> bool:
    found = _NOW.fullmatch(options.get("code", ""))
    if not found:
        raise PipelineError("ruby: this code is not understood here")
    event.set(found.group(1), timestamp(datetime.datetime.now(datetime.UTC)))
    return True


FILTERS: Mapping[str, Filter] = {
    "date": _date,
    "drop": _drop,
    "grok": _grok,
    "json": _json,
    "mutate": _mutate,
    "ruby": _ruby,
    "translate": _translate,
    "uuid": _uuid,
}


def apply(plugin: Plugin, event: Event, patterns: Mapping[str, str]) -> None:
    """Let one filter work on an event, and do what its common options ask for where it succeeded.

    Args:
        plugin: The filter as the file has it.
        event: It is changed.
        patterns: Grok's, by name.

    Raises:
        PipelineError: The filter uses what this interpreter does not know.
        EventError: It makes something of the event that nobody means.
    """
    options: dict[str, Any] = dict(plugin.options)
    try:
        if not FILTERS[plugin.name](options, event, patterns):
            return
        added: dict[str, Any] = options.get("add_field", {})
        for name, value in added.items():
            if event.has(event.text(name)):
                raise EventError(f"add_field would make a list of {name}, which is there already")
            event.set(event.text(name), event.text(value))
        for name in _listed(options.get("remove_field")):
            event.remove(event.text(name))
        for tag in _listed(options.get("add_tag")):
            event.tag(event.text(tag))
        for tag in _listed(options.get("remove_tag")):
            if event.has("tags"):
                event.set("tags", [one for one in event.get("tags") if one != event.text(tag)])
    except (PipelineError, EventError) as error:
        raise type(error)(f"{plugin.place}: {error}") from error
