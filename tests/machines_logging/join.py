"""Let a throwaway machine send its logs: ``python -m tests.machines_logging.join NAME``.

It joins the group ``logging`` of its generated inventory, gets an Elasticsearch "that is there already", and
the Filebeat that was built here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
from pathlib import Path

from tests.logging.certificates import Authority
from tests.machines_logging.place_node import PORT, place_node
from tools.controller.cache import BUILD
from tools.elastic.shipper import ensure_filebeat

GROUP_FILE = "logging.yml"
SECRETS = (
    "elastic_password",
    "kibana_password",
    "kibana_encryption_key",
    "logstash_password",
    "filebeat_password",
    "janitor_password",
)


def join(machine: Path) -> None:
    """Write the group and its variables, and start the Elasticsearch.

    Args:
        machine: folder of the machine's generated files.

    Raises:
        StageFailure: Elasticsearch or Filebeat could not be had.
        OSError: the machine was not made.
    """
    place = machine / "elasticsearch"
    place.mkdir(exist_ok=True)
    authority = Authority(place)
    place_node(machine.name, authority)
    package = ensure_filebeat().package
    inventory = machine / "inventory"
    group = inventory / "group_vars" / "logging"
    group.mkdir(parents=True, exist_ok=True)
    variables: dict[str, object] = {
        "elk_elasticsearch_url": f"https://127.0.0.1:{PORT}",
        "elk_elasticsearch_ca_file": str(authority.file),
        # The node knows no users, and none of what the licensed modules add.
        "elk_elasticsearch_user": "",
        "elk_object_kinds": ["ingest_pipelines"],
        "elk_ingest": "elasticsearch",
    }
    everywhere = {
        "filebeat_deb": str(package),
        "filebeat_deb_sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
        **{f"vault_elk_{name}": secrets.token_hex(16) for name in SECRETS},
    }
    # JSON is YAML.
    (group / "search.yml").write_text(json.dumps(variables, indent=2) + "\n")
    every = inventory / "group_vars" / "all"
    every.mkdir(parents=True, exist_ok=True)
    secret_file = every / "filebeat.yml"
    secret_file.touch(mode=0o600)
    secret_file.write_text(json.dumps(everywhere, indent=2) + "\n")
    hosts: dict[str, object] = {"logging": {"hosts": {machine.name: {}}}}
    (inventory / GROUP_FILE).write_text(json.dumps(hosts, indent=2) + "\n")


if __name__ == "__main__":
    join(BUILD / "machines" / sys.argv[1])
