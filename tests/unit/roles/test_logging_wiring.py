"""What group_vars make of the group ``logging``: on the assistant's host, on one of its own, or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.wiring import resolve, shipped

PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        all_ipv4_addresses: ["{{ ansible_host }}"]
        memtotal_mb: 16000
        cacheable: true
    - ansible.builtin.copy:
        content: "{{ wanted | to_json }}"
        dest: "{{ folder }}/{{ inventory_hostname }}.json"
        mode: "0600"
      vars:
        wanted:
          output: "{{ filebeat_output }}"
          hosts: "{{ filebeat_hosts }}"
          login: "{{ [filebeat_username, filebeat_password] }}"
          files: "{{ logging_certificate_files }}"
          kibana: "{{ proxy_kibana_upstream | default('') }}"
          open_ports: "{{ firewall_allowed_tcp_ports }}"
          elk: >-
            {{ {} if inventory_hostname not in groups['logging'] | default([]) else
               {'clients': elk_clients | sort, 'address': elk_listen_address, 'names': elk_certificate_names,
                'reserved': elk_reserved_mb | int} }}
"""
ASSISTANT = {"ansible_host": "10.0.0.7", "proxy_domain": "assistant.example.org"}
LOGS = {"ansible_host": "10.0.0.8"}
PASSWORD = "0123456789abcdef"
PKI = "/etc/ai-assistant-elk/pki"


def resolved(folder: Path, hosts: dict[str, Any], **extra: object) -> dict[str, Any]:
    """Return what the wiring gives for each host of ``hosts``, an inventory beside the shipped one."""
    return resolve(folder, PLAY, hosts, vault_elk_filebeat_password=PASSWORD, **extra)


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The shipped group_vars, without the example's own hosts."""
    return shipped(tmp_path, request.param)


@pytest.mark.parametrize("folder", ["example", "demo"], indirect=True)
def test_no_group_wires_nothing(folder: Path) -> None:
    host = resolved(folder, {"assistant": {"hosts": {"one": ASSISTANT}}})["one"]
    assert (host["hosts"], host["files"], host["kibana"], host["elk"]) == ([], [], "", {})
    assert host["open_ports"] == [22, 80, 443]


@pytest.mark.parametrize("folder", ["example"], indirect=True)
def test_on_the_assistants_own_host_everything_is_on_loopback(folder: Path) -> None:
    hosts = {"assistant": {"hosts": {"one": ASSISTANT}}, "logging": {"hosts": {"one": {}}}}
    host = resolved(folder, hosts, elk_kibana_published=True)["one"]
    assert (host["output"], host["hosts"], host["login"][0]) == ("logstash", ["127.0.0.1:5044"], "")
    assert host["files"] == [f"{PKI}/ca.crt", f"{PKI}/client-one/tls.crt", f"{PKI}/client-one/tls.key"]
    assert host["kibana"] == "127.0.0.1:5601"
    # The assistant's three quarters and 1 GB are not the logging's; nobody comes from elsewhere.
    assert host["elk"] == {"clients": ["one"], "address": "", "names": ["10.0.0.7"], "reserved": 13024}


@pytest.mark.parametrize("folder", ["example"], indirect=True)
def test_a_host_of_its_own_is_reached_by_its_address(folder: Path) -> None:
    hosts = {
        "assistant": {"hosts": {"one": ASSISTANT}},
        "monitoring": {"hosts": {"watch": {"ansible_host": "10.0.0.9"}}},
        "logging": {"hosts": {"logs": LOGS}},
    }
    found = resolved(folder, hosts)
    assert [found[name]["hosts"] for name in ("one", "watch", "logs")] == [
        ["10.0.0.8:5044"],
        ["10.0.0.8:5044"],
        ["127.0.0.1:5044"],
    ]
    elk = found["logs"]["elk"]
    assert elk["clients"] == ["logs", "one", "watch"]
    assert (elk["address"], elk["names"], elk["reserved"]) == ("10.0.0.8", ["10.0.0.8"], 1024)
    assert found["logs"]["open_ports"] == [22]


@pytest.mark.parametrize("folder", ["example"], indirect=True)
def test_without_logstash_filebeat_logs_in_to_elasticsearch(folder: Path) -> None:
    hosts = {"assistant": {"hosts": {"one": ASSISTANT}}, "logging": {"hosts": {"logs": LOGS}}}
    found = resolved(folder, hosts, elk_ingest="elasticsearch")
    assert found["one"]["output"] == "elasticsearch"
    assert found["one"]["hosts"] == ["https://10.0.0.8:5044"]
    assert found["logs"]["hosts"] == ["https://127.0.0.1:9200"]
    assert found["one"]["login"] == ["ai_assistant_filebeat", PASSWORD]


@pytest.mark.parametrize("folder", ["example"], indirect=True)
def test_an_elasticsearch_of_ones_own_is_where_all_send(folder: Path) -> None:
    url = "https://search.example.org:9200"
    hosts = {"assistant": {"hosts": {"one": ASSISTANT}}, "logging": {"hosts": {"logs": LOGS}}}
    found = resolved(folder, hosts, elk_ingest="elasticsearch", elk_elasticsearch_url=url)
    assert found["one"]["hosts"] == found["logs"]["hosts"] == [url]
    assert found["one"]["files"] == []
