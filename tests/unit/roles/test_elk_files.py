"""What role elk writes for the containers, judged by compose itself and by the programs' references."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

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
# What Kibana's reference names of what we set, at 8.15:
# docs/setup/settings.asciidoc and docs/settings/security-settings.asciidoc of elastic/kibana.
KIBANA = {
    "server.name",
    "server.host",
    "server.port",
    "server.basePath",
    "server.rewriteBasePath",
    "server.publicBaseUrl",
    "server.ssl.enabled",
    "server.ssl.certificate",
    "server.ssl.key",
    "elasticsearch.hosts",
    "elasticsearch.username",
    "elasticsearch.password",
    "elasticsearch.ssl.certificateAuthorities",
    "elasticsearch.ssl.verificationMode",
    "xpack.security.encryptionKey",
    "xpack.encryptedSavedObjects.encryptionKey",
    "xpack.reporting.encryptionKey",
    "xpack.security.session.idleTimeout",
    "xpack.security.session.lifespan",
    "xpack.security.sameSiteCookies",
    "telemetry.enabled",
    "newsfeed.enabled",
    "map.includeElasticMapsService",
    "logging.root.level",
}
# Of Logstash's: docs/static/settings-file.asciidoc and docs/static/monitoring of elastic/logstash, at 8.15.
LOGSTASH = {
    "node.name",
    "path.data",
    "api.http.host",
    "pipeline.ecs_compatibility",
    "queue.type",
    "queue.max_bytes",
    "dead_letter_queue.enable",
    "dead_letter_queue.max_bytes",
    "log.level",
    "xpack.monitoring.enabled",
    "xpack.management.enabled",
}
PIPELINES = {"pipeline.id", "path.config"}

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


def test_only_settings_of_the_references_are_set(rendered: Rendered) -> None:
    for name in ("plain", "changed"):
        assert set(yaml.safe_load((rendered[name] / "kibana.yml").read_text())) == KIBANA
        assert set(yaml.safe_load((rendered[name] / "logstash.yml").read_text())) == LOGSTASH
        (pipeline,) = yaml.safe_load((rendered[name] / "pipelines.yml").read_text())
        assert set(pipeline) == PIPELINES


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
