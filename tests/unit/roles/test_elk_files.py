"""What role elk writes for the containers, judged by compose itself and by the programs' references."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

PASSWORD = "0123456789abcdef0123456789abcdef"
SECRETS = {
    f"elk_{name}": f"{name}_{PASSWORD}"
    for name in (
        "elastic_password",
        "kibana_password",
        "logstash_password",
        "filebeat_password",
        "janitor_password",
        "kibana_encryption_key",
    )
}
DIGEST = "sha256:" + "a" * 64
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "changed": {
        "elk_image_registry": "registry.example.org/elastic",
        "elk_image_digests": {"elasticsearch": DIGEST},
        "elk_heap_mb": 2048,
        "elk_logstash_heap_mb": 768,
        "elk_kibana_memory_mb": 1536,
        "elk_logstash_queue_size": "4gb",
        "elk_data_directory": "/data/logs",
        "elk_snapshot_path": "/mnt/backup/logs",
        "elk_kibana_published": True,
        "elk_public_url": "https://assistant.example.org/kibana/",
        "elk_kibana_session_hours": 3,
        "elk_listen_address": "2001:db8::8",
        "elk_clients": ["one", "two"],
        "elk_certificate_names": ["logs.example.org"],
    },
    "small": {"elk_ingest": "elasticsearch", "elk_kibana_enabled": False, "elk_listen_address": "10.0.0.8"},
    "archives": {"elk_image_digests": {"kibana": DIGEST}, "elk_image_archives": ["/srv/images/elk.tar"]},
}
FILES = [
    *(f"{name}.yml" for name in ("compose", "elasticsearch", "kibana", "logstash", "pipelines")),
    "way_in.socket",
    "way_in.service",
]
# A setting's kind: a type, the few values it may have, or the form of a text.
Kind = type | tuple[Any, ...] | re.Pattern[str]
_URL = re.compile(r"https?://[^/?#@ ]+(/[^?#]*)?")
_DURATION = re.compile(r"[0-9]+(ms|s|m|h|d|w|M|Y)")
_KEY = re.compile(r".{32,}")
_BYTES = re.compile(r"[0-9]+(b|kb?|mb?|gb?|tb?|pb?)")
# What Kibana's own schemas say of what we set. Of elastic/kibana no tag could be had, only single files, each
# at a commit of its own and none at v8.15.5: that they say the same there was not seen (roles/elk/README.md).
KIBANA: dict[str, Kind] = {
    # packages/core/http/core-http-server-internal/src/http_config.ts at 0550b0386fd1
    "server.name": str,
    "server.host": str,
    "server.port": int,
    "server.basePath": re.compile(r"/.*[^/]"),
    "server.rewriteBasePath": bool,
    "server.publicBaseUrl": _URL,
    # packages/kbn-server-http-tools/src/ssl/ssl_config.ts at 7a34e3f9c334
    "server.ssl.enabled": bool,
    "server.ssl.certificate": str,
    "server.ssl.key": str,
    # packages/core/elasticsearch/core-elasticsearch-server-internal/src/elasticsearch_config.ts
    # at 0b8a573655a2
    "elasticsearch.hosts": list,
    "elasticsearch.username": re.compile(r"(?!elastic$).+"),
    "elasticsearch.password": str,
    "elasticsearch.ssl.certificateAuthorities": list,
    "elasticsearch.ssl.verificationMode": ("none", "certificate", "full"),
    # x-pack/plugins/security/server/config.ts at 004bcde3b5e5
    "xpack.security.encryptionKey": _KEY,
    "xpack.security.session.idleTimeout": _DURATION,
    "xpack.security.session.lifespan": _DURATION,
    "xpack.security.sameSiteCookies": ("Strict", "Lax", "None"),
    # docs/settings/security-settings.asciidoc at 8389881e7525
    "xpack.encryptedSavedObjects.encryptionKey": _KEY,
    # packages/kbn-reporting/server/config_schema.ts at 1ea2a92db5bf
    "xpack.reporting.encryptionKey": str,
    # src/plugins/telemetry/server/config/config.ts at 0d1b37134066
    "telemetry.enabled": bool,
    # src/plugins/newsfeed/server/config.ts at 0d1b37134066
    "newsfeed.enabled": bool,
    # src/plugins/maps_ems/server/config.ts at 37ea363deb79
    "map.includeElasticMapsService": bool,
    # packages/core/logging/core-logging-server-internal/src/logging_config.ts at 4cf3025b9cfe
    "logging.root.level": ("all", "fatal", "error", "warn", "info", "debug", "trace", "off"),
}
# What Logstash 8.15.5 registers of what we set (elastic/logstash, tag v8.15.5, commit f3a3d50e7724):
# logstash-core/lib/logstash/environment.rb.
LOGSTASH: dict[str, Kind] = {
    "node.name": str,
    "path.data": str,
    "api.http.host": str,
    "pipeline.ecs_compatibility": ("disabled", "v1", "v8"),
    "queue.type": ("persisted", "memory"),
    "queue.max_bytes": _BYTES,
    "dead_letter_queue.enable": bool,
    "dead_letter_queue.max_bytes": _BYTES,
    "log.level": ("fatal", "error", "warn", "debug", "info", "trace"),
    # x-pack/lib/monitoring/monitoring.rb and x-pack/lib/config_management/extension.rb.
    "xpack.monitoring.enabled": bool,
    "xpack.management.enabled": bool,
}
# logstash-core/lib/logstash/settings.rb: what a pipeline may have of its own.
PIPELINES: dict[str, Kind] = {"pipeline.id": str, "path.config": str}
# What stands for a variable that is not set (logstash-core/lib/logstash/util/substitution_variables.rb).
_VARIABLE = re.compile(r"\$\{[A-Za-z_.][A-Za-z0-9_.]*:([^}]*)\}")
# Who reads the variables that compose sets: docker/data/logstash/bin/docker-entrypoint of the same Logstash;
# distribution/src/bin/elasticsearch-env-from-file at 250da3e3e6e1 and
# distribution/docker/src/docker/bin/docker-entrypoint.sh at 05a01332fef3 of elastic/elasticsearch;
# src/dev/build/tasks/bin/scripts/kibana at 0a376dc8c951 of elastic/kibana.
VARIABLES = {
    "elasticsearch": {"ES_JAVA_OPTS", "ELASTIC_PASSWORD_FILE"},
    "logstash": {"LS_JAVA_OPTS"},
    "kibana": {"NODE_OPTIONS"},
}

Rendered = dict[str, Path]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """A folder for each case with the files as the role writes them, all in one run of Ansible."""
    work = tmp_path_factory.mktemp("elk")
    role = ROOT / "roles/elk"
    templates = {name: f"lookup('ansible.builtin.template', '{role}/templates/{name}.j2')" for name in FILES}
    wanted = {
        **templates,
        "worked_out.json": "[_elk_folders, _elk_certificates, _elk_heap_mb | int] | to_json",
    }
    content = ", ".join(f"'{name}': {expression}" for name, expression in wanted.items())
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.set_fact": {"memtotal_mb": 7900, "architecture": "x86_64", "cacheable": True}}
    ]
    for name, values in CASES.items():
        (work / f"{name}.yml").write_text(json.dumps(values))
        files = [role / "defaults/main.yml", work / f"{name}.yml", role / "vars/main.yml"]
        tasks += [{"ansible.builtin.include_vars": str(file)} for file in files]
        tasks.append(
            {
                "ansible.builtin.copy": {
                    "content": "{{ {" + content + "} | to_json }}",
                    "dest": str(work / f"{name}.json"),
                    "mode": "0600",
                }
            }
        )
    run_tasks(work, tasks, {**SECRETS, "role_path": str(role)})
    for name in CASES:
        (work / name).mkdir()
        for file, text in json.loads((work / f"{name}.json").read_text()).items():
            (work / name / file).write_text(text if isinstance(text, str) else json.dumps(text))
    return {name: work / name for name in CASES}


def compose(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((folder / "compose.yml").read_text())
    return document


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed here")
@pytest.mark.parametrize("name", CASES)
def test_compose_takes_it(rendered: Rendered, tmp_path: Path, name: str) -> None:
    """The program of Debian 12 judges by the schema of the compose specification, which it brings."""
    secrets = tmp_path / "logstash.env"
    secrets.write_text("ELK_LOGSTASH_PASSWORD=x\n")
    text = (rendered[name] / "compose.yml").read_text()
    file = tmp_path / "compose.yml"
    file.write_text(text.replace("/etc/ai-assistant-elk/secrets/logstash.env", str(secrets)))
    command = ["docker-compose", "--file", str(file), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services.keys() == compose(rendered[name])["services"].keys()
    # That it judges at all.
    file.write_text(text.replace("mem_limit:", "memory_limit:"))
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert wrong.returncode != 0 and "memory_limit" in wrong.stderr


@pytest.mark.parametrize("name", CASES)
def test_every_container_is_closed(rendered: Rendered, name: str) -> None:
    for service in compose(rendered[name])["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"] == "1000:0"
        assert service["mem_limit"] == service["memswap_limit"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
        assert service["healthcheck"]["test"] and service["pids_limit"] > 0
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert "privileged" not in service and "network_mode" not in service
        # Nothing of the settings can be written from within.
        writable = [one for one in service["volumes"] if one.endswith(":rw")]
        assert all(one.startswith(("/var/lib/ai-assistant-elk/", "/data/logs/", "/mnt/")) for one in writable)


def test_one_version_and_its_registry(rendered: Rendered) -> None:
    plain = {name: one["image"] for name, one in compose(rendered["plain"])["services"].items()}
    version = yaml.safe_load((ROOT / "roles/elk/defaults/main.yml").read_text())["elk_version"]
    assert plain == {name: f"docker.elastic.co/{name}/{name}:{version}" for name in plain}
    assert plain.keys() == {"elasticsearch", "logstash", "kibana"}
    changed = compose(rendered["changed"])["services"]
    assert changed["elasticsearch"]["image"] == (
        f"registry.example.org/elastic/elasticsearch/elasticsearch:{version}@{DIGEST}"
    )
    assert changed["kibana"]["image"] == f"registry.example.org/elastic/kibana/kibana:{version}"
    # What comes from an archive has no digest of a registry.
    assert compose(rendered["archives"])["services"]["kibana"]["image"] == plain["kibana"]


def test_the_heap_is_half_of_what_the_others_leave(rendered: Rendered) -> None:
    # 7900 MB - 1024 for everything else - 1024 of Kibana - 2 x 512 of Logstash, and half of the rest.
    plain = compose(rendered["plain"])["services"]
    assert plain["elasticsearch"]["environment"]["ES_JAVA_OPTS"] == "-Xms2414m -Xmx2414m"
    assert plain["elasticsearch"]["mem_limit"] == "4828m"
    assert plain["logstash"]["environment"]["LS_JAVA_OPTS"] == "-Xms512m -Xmx512m"
    assert plain["logstash"]["mem_limit"] == "1024m"
    # Without Kibana and Logstash theirs is Elasticsearch's.
    assert json.loads((rendered["small"] / "worked_out.json").read_text())[2] == (7900 - 1024) // 2
    changed = compose(rendered["changed"])["services"]
    assert changed["elasticsearch"]["environment"]["ES_JAVA_OPTS"] == "-Xms2048m -Xmx2048m"
    assert changed["kibana"]["environment"]["NODE_OPTIONS"] == "--max-old-space-size=1152"


def test_without_logstash_and_kibana_there_is_elasticsearch_alone(rendered: Rendered) -> None:
    assert compose(rendered["small"])["services"].keys() == {"elasticsearch"}
    folders, certificates, _ = json.loads((rendered["small"] / "worked_out.json").read_text())
    assert not [folder for folder in folders if "kibana" in folder["path"] or "logstash" in folder["path"]]
    assert [line.split("|")[0] for line in certificates] == ["elasticsearch"]


def test_certificates_have_the_names_by_which_each_is_reached(rendered: Rendered) -> None:
    lines = json.loads((rendered["changed"] / "worked_out.json").read_text())[1]
    certificates = {line.split("|")[0]: line.split("|")[1:] for line in lines}
    assert certificates.keys() == {"elasticsearch", "logstash", "kibana", "client-one", "client-two"}
    usages, names = certificates["logstash"]
    assert usages == "serverAuth,clientAuth"
    assert set(names.split(",")) >= {
        "DNS:logstash",
        "DNS:localhost",
        "IP:127.0.0.1",
        "IP:2001:db8::8",
        "DNS:logs.example.org",
    }
    assert certificates["client-one"] == ["clientAuth", "DNS:one"]


def is_of(kind: Kind, value: Any) -> bool:
    """Say whether a setting's value is of its kind."""
    if isinstance(kind, re.Pattern):
        return isinstance(value, str) and kind.fullmatch(value) is not None
    return value in kind if isinstance(kind, tuple) else type(value) is kind


def faults(settings: dict[str, Any], known: dict[str, Kind]) -> list[str]:
    """Return the settings that a program does not know, or whose values it does not take."""
    found = []
    for name, value in settings.items():
        plain = _VARIABLE.sub(r"\1", value) if isinstance(value, str) else value
        if name not in known:
            found.append(f"{name} is unknown")
        elif not is_of(known[name], plain):
            found.append(f"{name} cannot be {plain!r}")
    return found


@pytest.mark.parametrize("name", ["plain", "changed"])
def test_settings_are_those_that_the_programs_know(rendered: Rendered, name: str) -> None:
    kibana, logstash = (
        yaml.safe_load((rendered[name] / f"{one}.yml").read_text()) for one in ("kibana", "logstash")
    )
    (pipeline,) = yaml.safe_load((rendered[name] / "pipelines.yml").read_text())
    assert faults(kibana, KIBANA) == faults(logstash, LOGSTASH) == faults(pipeline, PIPELINES) == []
    # Nothing is in the lists that nobody sets: it would not have been looked up again.
    assert (kibana.keys(), logstash.keys(), pipeline.keys()) == (
        KIBANA.keys(),
        LOGSTASH.keys(),
        PIPELINES.keys(),
    )
    for service, one in compose(rendered[name])["services"].items():
        assert one["environment"].keys() == VARIABLES[service]


def test_what_the_programs_do_not_know_is_noticed() -> None:
    wrong = {
        "queue.typ": "memory",
        "queue.type": "disk",
        "queue.max_bytes": 1024,
        "xpack.monitoring.enabled": "no",
    }
    assert faults(wrong, LOGSTASH) == [
        "queue.typ is unknown",
        "queue.type cannot be 'disk'",
        "queue.max_bytes cannot be 1024",
        "xpack.monitoring.enabled cannot be 'no'",
    ]
    assert faults({"queue.type": "${ANY:disk}"}, LOGSTASH) == ["queue.type cannot be 'disk'"]
    assert faults({"server.basePath": "/kibana/", "elasticsearch.username": "elastic"}, KIBANA) == [
        "server.basePath cannot be '/kibana/'",
        "elasticsearch.username cannot be 'elastic'",
    ]


def test_elasticsearch_wants_tls_and_users_and_calls_nobody(rendered: Rendered) -> None:
    for name in CASES:
        settings = yaml.safe_load((rendered[name] / "elasticsearch.yml").read_text())
        for part in ("security", "security.http.ssl", "security.transport.ssl"):
            assert settings[f"xpack.{part}.enabled"] is True
        assert settings["xpack.security.enrollment.enabled"] is False
        assert settings["ingest.geoip.downloader.enabled"] is False
        assert settings["transport.host"] == "127.0.0.1"
    assert "path.repo" not in settings
    changed = yaml.safe_load((rendered["changed"] / "elasticsearch.yml").read_text())
    assert changed["path.repo"] == ["/snapshots"]


def test_kibana_serves_the_path_of_its_address(rendered: Rendered) -> None:
    settings = yaml.safe_load((rendered["changed"] / "kibana.yml").read_text())
    assert settings["server.basePath"] == "/kibana" and settings["server.rewriteBasePath"] is True
    assert settings["server.publicBaseUrl"] == "https://assistant.example.org/kibana"
    assert settings["elasticsearch.username"] == "kibana_system"
    assert settings["xpack.security.session.idleTimeout"] == "3h"
    plain = yaml.safe_load((rendered["plain"] / "kibana.yml").read_text())
    assert plain["server.publicBaseUrl"] == "https://127.0.0.1:5601/kibana"
    # Kibana refuses to start otherwise (http_config.ts, as above).
    for one in (settings, plain):
        assert urlsplit(one["server.publicBaseUrl"]).path == one["server.basePath"]


def test_secrets_stand_where_only_their_reader_looks(rendered: Rendered) -> None:
    for name in CASES:
        for file in rendered[name].iterdir():
            found = {secret for secret, value in SECRETS.items() if value in file.read_text()}
            kibana = {"elk_kibana_password", "elk_kibana_encryption_key"}
            assert found == (kibana if file.name == "kibana.yml" else set()), file


def test_the_way_in_is_one_address_and_leads_to_loopback(rendered: Rendered) -> None:
    ways = {"changed": ("[2001:db8::8]:5044", "127.0.0.1:5044"), "small": ("10.0.0.8:5044", "127.0.0.1:9200")}
    for name, (address, target) in ways.items():
        assert f"ListenStream={address}\n" in (rendered[name] / "way_in.socket").read_text()
        service = (rendered[name] / "way_in.service").read_text()
        assert f"systemd-socket-proxyd --connections-max=256 {target}\n" in service
