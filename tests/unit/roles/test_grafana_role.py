from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import render, run_tasks
from tests.unit.roles.refusals import Refusals

PASSWORD = "a-password-of-nobody"
MAIN = "inventory/<yours>/group_vars/monitoring/main.yml"
FINGERPRINT = "A" * 40
GOOD: dict[str, Any] = {
    "grafana_enabled": True,
    "grafana_admin_password": PASSWORD,
    "grafana_dashboards_directory": str(ROOT / "files/grafana/dashboards"),
    "grafana_runbooks_directory": str(ROOT / "docs"),
}
PUBLISHED = {
    **GOOD,
    "grafana_published": True,
    "grafana_public_url": "https://assistant.example.org/grafana/",
    "grafana_port": 3001,
    "grafana_session_hours": 2,
}
# The keys that we set, by section, as Grafana's documentation names them:
# https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/
DOCUMENTED = {
    "paths": {"data", "logs", "plugins", "provisioning"},
    "server": {
        "protocol",
        "http_addr",
        "http_port",
        "domain",
        "root_url",
        "serve_from_sub_path",
        "enable_gzip",
    },
    "database": {"type", "wal"},
    "analytics": {
        "reporting_enabled",
        "check_for_updates",
        "check_for_plugin_updates",
        "feedback_links_enabled",
    },
    "security": {
        "admin_user",
        "admin_password",
        "disable_gravatar",
        "cookie_secure",
        "cookie_samesite",
        "allow_embedding",
        "content_security_policy",
        "x_content_type_options",
    },
    "users": {"allow_sign_up", "allow_org_create", "viewers_can_edit"},
    "auth": {"disable_login_form", "login_maximum_inactive_lifetime_duration"},
    "auth.anonymous": {"enabled"},
    "auth.basic": {"enabled"},
    "snapshots": {"enabled", "external_enabled"},
    "news": {"news_feed_enabled"},
    "plugins": {"plugin_admin_enabled", "public_key_retrieval_disabled"},
    "unified_alerting": {"enabled"},
    "alerting": {"enabled"},
    "metrics": {"enabled"},
    "log": {"mode", "level"},
    "log.console": {"format"},
    "dashboards": {"min_refresh_interval"},
}


def settings(folder: Path, values: dict[str, Any]) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(render(folder, "grafana", "grafana.ini.j2", values))
    return parser


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> configparser.ConfigParser:
    return settings(tmp_path_factory.mktemp("plain"), GOOD)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> configparser.ConfigParser:
    return settings(tmp_path_factory.mktemp("published"), PUBLISHED)


def test_only_documented_keys_are_set(plain: configparser.ConfigParser) -> None:
    assert {name: set(plain[name]) for name in plain.sections()} == DOCUMENTED


def test_it_is_closed(plain: configparser.ConfigParser) -> None:
    assert plain["server"]["http_addr"] == "127.0.0.1"
    assert plain["server"]["root_url"] == "http://127.0.0.1:3000/"
    closed = [
        ("auth.anonymous", "enabled"),
        ("users", "allow_sign_up"),
        ("users", "allow_org_create"),
        ("snapshots", "external_enabled"),
        ("security", "allow_embedding"),
        ("plugins", "plugin_admin_enabled"),
        ("unified_alerting", "enabled"),
    ]
    assert not [place for place in closed if plain.getboolean(*place)]


def test_it_calls_nobody(plain: configparser.ConfigParser) -> None:
    assert not [name for name in plain["analytics"] if plain["analytics"].getboolean(name)]
    assert not plain["news"].getboolean("news_feed_enabled")
    assert plain["security"].getboolean("disable_gravatar")


def test_the_password_stands_in_a_file_of_its_own(plain: configparser.ConfigParser) -> None:
    assert plain["security"]["admin_password"] == "$__file{/etc/grafana/ai-assistant-password}"
    assert not [value for name in plain.sections() for value in plain[name].values() if PASSWORD in value]


def test_behind_the_proxy_it_serves_the_path_below_its_address(published: configparser.ConfigParser) -> None:
    server = published["server"]
    assert server["root_url"] == "https://assistant.example.org/grafana/"
    assert server["domain"] == "assistant.example.org"
    assert server.getboolean("serve_from_sub_path")
    assert server["http_addr"] == "127.0.0.1" and server["http_port"] == "3001"
    assert published["security"].getboolean("cookie_secure")
    assert published["auth"]["login_maximum_inactive_lifetime_duration"] == "2h"


def test_the_data_source_is_the_one_of_the_dashboards(tmp_path: Path) -> None:
    values = {**GOOD, "grafana_prometheus_url": "http://127.0.0.1:9091", "grafana_scrape_interval": "30s"}
    document = yaml.safe_load(render(tmp_path, "grafana", "datasources.yml.j2", values))
    (source,) = document["datasources"]
    assert document["apiVersion"] == 1
    assert (source["uid"], source["type"], source["access"]) == ("prometheus", "prometheus", "proxy")
    assert source["url"] == "http://127.0.0.1:9091"
    assert source["jsonData"]["timeInterval"] == "30s"
    assert source["editable"] is False


def test_the_dashboards_come_from_files_and_cannot_be_changed(tmp_path: Path) -> None:
    document = yaml.safe_load(render(tmp_path, "grafana", "dashboards.yml.j2", GOOD))
    (provider,) = document["providers"]
    assert provider["type"] == "file" and provider["options"]["path"] == "/var/lib/ai-assistant-grafana"
    assert provider["disableDeletion"] is True and provider["allowUiUpdates"] is False


def test_runbooks_become_a_dashboard_with_their_text_as_it_is(tmp_path: Path) -> None:
    runbooks = tmp_path / "runbooks"
    runbooks.mkdir()
    texts = {f"Alert{number}": f'# Alert {number}\n\n`{{{{ $labels.x }}}}` "磁盘"\n' for number in range(3)}
    for name, text in texts.items():
        (runbooks / f"{name}.md").write_text(text)
    values = {**GOOD, "grafana_runbooks_directory": str(runbooks)}
    board = json.loads(render(tmp_path, "grafana", "runbooks.json.j2", values))
    assert board["uid"] == "assistant-runbooks" and "ai-assistant-runbooks" in board["tags"]
    shown = {panel["title"]: panel["options"]["content"].strip() for panel in board["panels"]}
    assert shown == {name: text.strip() for name, text in texts.items()}
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert places == [(0, 0), (12, 0), (0, 12)]
    assert [panel["id"] for panel in board["panels"]] == [1, 2, 3]


def test_the_unit_is_limited(tmp_path: Path) -> None:
    text = render(tmp_path, "grafana", "drop_in.conf.j2", {**GOOD, "grafana_memory_mb": 300})
    for line in ("MemoryMax=300M", "ProtectSystem=strict", "NoNewPrivileges=true", "CapabilityBoundingSet="):
        assert line in text.splitlines()


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed on this controller")
def test_only_the_key_with_the_fingerprint_is_taken(tmp_path: Path) -> None:
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--batch", "--homedir", str(home), "--passphrase", ""]
    files = []
    for name in ("one", "other"):
        subprocess.run(
            [*gpg, "--quick-generate-key", name, "ed25519", "sign"], check=True, capture_output=True
        )
        path = tmp_path / f"{name}.asc"
        exported = subprocess.run([*gpg, "--armor", "--export", name], check=True, capture_output=True)
        path.write_bytes(exported.stdout)
        files.append(path)
    both = tmp_path / "both.asc"
    both.write_bytes(b"".join(path.read_bytes() for path in files))
    shown = subprocess.run(
        [*gpg, "--show-keys", "--with-colons", str(files[0])], capture_output=True, text=True
    )
    fingerprint = re.findall(r"^fpr:{9}(\w+):", shown.stdout, re.MULTILINE)[0]
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    (tmp_path / "check.j2").write_text("")
    task = {
        "ansible.builtin.copy": {
            "content": "{{ _grafana_key_check }}",
            "dest": str(tmp_path / "check"),
            "mode": "0600",
        }
    }
    include = {"ansible.builtin.include_vars": {"file": str(ROOT / "roles/grafana/vars/main.yml")}}
    spaced = " ".join(fingerprint[start : start + 4] for start in range(0, 40, 4)).lower()
    run_tasks(tmp_path, [include, task], {"grafana_apt_key_fingerprint": spaced})
    command = (tmp_path / "check").read_text()

    def taken(path: Path) -> bool:
        return subprocess.run(command % path, shell=True, capture_output=True).returncode == 0

    assert taken(files[0])
    assert not taken(files[1])
    assert not taken(both)


MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no password": ({"grafana_admin_password": ""}, ["vault_grafana_admin_password", "openssl rand -hex 12"]),
    "short password": ({"grafana_admin_password": "short"}, ["too short", "vault_grafana_admin_password"]),
    "open address": ({"grafana_listen_address": "0.0.0.0"}, ["grafana_listen_address", "grafana_published"]),
    "no public address": (
        {"grafana_published": True, "grafana_public_url": "/grafana/"},
        ["grafana_public_url", "https://assistant.example.org/grafana/"],
    ),
    "no fingerprint": ({"grafana_apt_key_fingerprint": "7710458545"}, ["grafana_apt_key_fingerprint", "40"]),
    "no version": ({"grafana_version": "latest"}, ["grafana_version", "12.*"]),
    "no package": (
        {"grafana_deb": "/nowhere.deb", "grafana_deb_sha256": "0" * 64},
        ["/nowhere.deb", "grafana_deb"],
    ),
    "no checksum": ({"grafana_deb": __file__}, ["grafana_deb_sha256", "sha256sum"]),
    "too little memory": ({"grafana_memory_mb": 64}, ["grafana_memory_mb", "512"]),
    "no dashboard": ({"grafana_extra_dashboards": ["/nowhere.json"]}, ["/nowhere.json", "no file"]),
}


GOOD_VALUES: dict[str, dict[str, Any]] = {
    "good": {},
    "published": PUBLISHED,
    "off": {"grafana_enabled": False, "grafana_admin_password": ""},
}


class TestMistakes(Refusals, role="grafana", file=MAIN, good=GOOD_VALUES, mistakes=MISTAKES, given=GOOD):
    """What an operator may get wrong."""


@pytest.mark.parametrize("url", ["https://a.example.org/reports/", ""])
def test_the_dashboards_lead_to_the_reports_where_there_are_any(tmp_path: Path, url: str) -> None:
    file = ROOT / "files/grafana/dashboards/canary.json"
    made = json.loads(
        render(
            tmp_path, "grafana", "dashboard.json.j2", {**GOOD, "grafana_reports_url": url, "item": str(file)}
        )
    )
    original = json.loads(file.read_text(encoding="utf-8"))
    links = [link["url"] for link in made["links"] if link["type"] == "link"]
    assert links == ([url] if url else [])
    assert len(made["links"]) == len(original["links"]) - (not url)
    assert {**made, "links": []} == {**original, "links": []}


def test_an_operators_own_dashboard_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    own = {"uid": "own", "links": [{"title": "no address"}], "panels": [{"legend": "{{x}}"}]}
    file.write_text(json.dumps(own))
    made = json.loads(render(tmp_path, "grafana", "dashboard.json.j2", {**GOOD, "item": str(file)}))
    assert made == own
