"""Which plugins and options there are in the pinned Logstash, and of what kind each option's value is.

Taken from the plugins' pages of Logstash 8.15 (repository elastic/logstash-docs, branch 8.15,
docs/plugins/{inputs,filters,outputs}/NAME.asciidoc; the versions are those that Logstash 8.15.5 bundles by
its Gemfile.jruby-3.1.lock.release). The options that our pipeline uses were looked up again in the plugins
themselves, at the tags of those versions (logstash-plugins/logstash-{input,filter,output}-NAME, lib), and
those that all have in logstash-core at v8.15.5. Deprecated options are left out: they are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.logging.logstash.language import Branch, PipelineError, Plugin, Section, Value, field

_STRING, _NUMBER, _BOOLEAN, _ARRAY, _HASH = "string", "number", "boolean", "array", "hash"
# ``${NAME}`` and ``${NAME:default}``: replaced by Logstash from its keystore or environment at its start.
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}")


def _kinds(**names: str) -> dict[str, str]:
    return {name: kind for kind, listed in names.items() for name in listed.split()}


@dataclass(frozen=True)
class Documented:
    """What the documentation says of a plugin."""

    version: str
    options: dict[str, str]
    required: Sequence[str] = ()


_COMMON = {
    "input": _kinds(string="id type codec", boolean="enable_metric", array="tags", hash="add_field"),
    "filter": _kinds(
        string="id",
        boolean="enable_metric periodic_flush",
        array="add_tag remove_field remove_tag",
        hash="add_field",
    ),
    "output": _kinds(string="id codec", boolean="enable_metric"),
}
PLUGINS: dict[str, dict[str, Documented]] = {
    "input": {
        "beats": Documented(
            "6.8.4",
            _kinds(
                number="client_inactivity_timeout event_loop_threads"
                " executor_threads port ssl_handshake_timeout",
                string="ecs_compatibility host ssl_certificate"
                " ssl_client_authentication ssl_key ssl_key_passphrase",
                array="enrich ssl_certificate_authorities ssl_cipher_suites ssl_supported_protocols",
                boolean="ssl_enabled",
            ),
            ("port",),
        ),
    },
    "filter": {
        "date": Documented(
            "3.1.15", _kinds(string="locale target timezone", array="match tag_on_failure"), ("match",)
        ),
        "drop": Documented("3.0.5", _kinds(number="percentage")),
        "grok": Documented(
            "4.4.3",
            _kinds(
                boolean="break_on_match keep_empty_captures named_captures_only",
                string="ecs_compatibility patterns_files_glob tag_on_timeout timeout_scope",
                hash="match pattern_definitions",
                array="overwrite patterns_dir tag_on_failure",
                number="timeout_millis",
            ),
        ),
        "json": Documented(
            "3.2.1",
            _kinds(
                string="ecs_compatibility source target",
                boolean="skip_on_invalid_json",
                array="tag_on_failure",
            ),
            ("source",),
        ),
        "mutate": Documented(
            "3.5.8",
            _kinds(
                hash="convert copy join merge coerce rename replace split update",
                array="gsub lowercase strip uppercase capitalize",
                string="tag_on_failure",
            ),
        ),
        "ruby": Documented(
            "3.1.8",
            _kinds(
                string="code init path tag_on_exception",
                hash="script_params",
                boolean="tag_with_exception_message",
            ),
        ),
        "translate": Documented(
            "3.4.2",
            _kinds(
                boolean="exact override regex",
                hash="dictionary",
                number="refresh_interval yaml_dictionary_code_point_limit",
                string="dictionary_path ecs_compatibility fallback iterate_on refresh_behaviour source"
                " target",
            ),
            ("source",),
        ),
        "uuid": Documented("3.0.5", _kinds(string="target", boolean="overwrite"), ("target",)),
    },
    "output": {
        "elasticsearch": Documented(
            "11.22.9",
            _kinds(
                string="action api_key bulk_path ca_trusted_fingerprint data_stream data_stream_dataset"
                " data_stream_namespace data_stream_type document_id"
                " ecs_compatibility healthcheck_path ilm_enabled"
                " index password path pipeline proxy routing sniffing_path ssl_certificate ssl_key"
                " ssl_truststore_password ssl_truststore_path"
                " ssl_truststore_type ssl_verification_mode template"
                " template_api template_name user version version_type",
                number="compression_level pool_max pool_max_per_route resurrect_delay retry_initial_interval"
                " retry_max_interval retry_on_conflict sniffing_delay timeout validate_after_inactivity",
                boolean="data_stream_auto_routing"
                " data_stream_sync_fields dlq_on_failed_indexname_interpolation"
                " doc_as_upsert http_compression manage_template sniffing ssl_enabled template_overwrite",
                array="dlq_custom_codes hosts"
                " silence_errors_in_log ssl_certificate_authorities ssl_cipher_suites"
                " ssl_supported_protocols",
                hash="custom_headers parameters",
            ),
        ),
    },
}
# Values that must be one of a few.
CHOICES = {
    "ssl_client_authentication": ("none", "optional", "required"),
    "ssl_verification_mode": ("full", "none"),
    "data_stream": (True, "true", "false", "auto"),
    "ilm_enabled": ("true", "false", "auto"),
    "enrich": ("codec_metadata", "source_metadata", "ssl_peer_metadata", "all", "none"),
}
_TYPES: dict[str, tuple[type, ...]] = {
    _STRING: (str, bool),
    _NUMBER: (int, float),
    _BOOLEAN: (bool,),
    # A single value is taken for a list of one.
    _ARRAY: (list, str, int),
    _HASH: (dict,),
}


def plugins(statements: Sequence[Plugin | Branch]) -> Iterator[Plugin]:
    """Yield every plugin, those inside branches too."""
    for statement in statements:
        if isinstance(statement, Plugin):
            yield statement
        else:
            for _, inside in statement.cases:
                yield from plugins(inside)


def _faults_of_option(plugin: Plugin, name: str, value: Value, kind: str) -> Iterator[str]:
    where = f"{plugin.place}: {plugin.name}: {name}"
    is_variable = isinstance(value, str) and VARIABLE.fullmatch(value)
    wrong_number = kind == _NUMBER and isinstance(value, bool)
    if not is_variable and (wrong_number or not isinstance(value, _TYPES[kind])):
        yield f"{where} must be of the kind {kind}"
    choices = CHOICES.get(name)
    if choices and not set(value if isinstance(value, list) else [value]) <= set(choices):
        yield f"{where} must be one of {', '.join(map(str, choices))}"
    if name in ("add_field", "remove_field", "rename", "copy", "convert", "replace", "overwrite"):
        for reference in value if isinstance(value, dict | list) else [value]:
            try:
                field(str(reference))
            except PipelineError as error:
                yield f"{where}: {error}"


def faults(sections: Sequence[Section]) -> list[str]:
    """Return what the documentation does not know of, one sentence for each, with its place."""
    found: list[str] = []
    ids: set[str] = set()
    for section in sections:
        for plugin in plugins(section.statements):
            documented = PLUGINS[section.kind].get(plugin.name)
            if documented is None:
                found.append(f"{plugin.place}: {plugin.name} is no {section.kind} plugin that is known here")
                continue
            kinds = _COMMON[section.kind] | documented.options
            names = [name for name, _ in plugin.options]
            missing = [name for name in documented.required if name not in names]
            found += [f"{plugin.place}: {plugin.name} needs {name}" for name in missing]
            twice = sorted({name for name in names if names.count(name) > 1})
            found += [f"{plugin.place}: {plugin.name} has {name} twice" for name in twice]
            for name, value in plugin.options:
                if name not in kinds:
                    found.append(f"{plugin.place}: {plugin.name} has no option {name}")
                    continue
                found += _faults_of_option(plugin, name, value, kinds[name])
                if name == "id":
                    if value in ids:
                        found.append(f"{plugin.place}: the id {value} is another plugin's, too")
                    ids.add(str(value))
    return found
