"""Put an Elasticsearch on a throwaway machine, as one that is there already.

No image registry can be reached here, so role elk's containers cannot run. What runs is the real server with
the real ingest modules (tools/elastic), as a service on loopback, behind a TLS of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.logging.certificates import Authority
from tests.logging.node import _MODULES as MODULES
from tools.controller.engine import docker_command
from tools.controller.failure import StageFailure
from tools.elastic.nodes import Nodes, ensure_nodes

HOME = "/opt/elasticsearch"
PORT = 9243
_PACKAGES = "openjdk-17-jre-headless"
_SETTINGS = """
cluster.name: logs
discovery.type: single-node
network.host: 127.0.0.1
http.port: 9200
http.type: netty4
transport.type: netty4
path.data: /var/lib/elasticsearch
cluster.routing.allocation.disk.threshold_enabled: false
"""
_LOG4J = """
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%-5p][%c{1.}] %m%n%xEx{10}
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""
_ASK = """'import urllib.request as u; u.urlopen("http://127.0.0.1:9200/_cluster/health")'"""
# The program ends with its standard input, which systemd would close.
_UNITS = {
    "elasticsearch": f"""
[Unit]
Description=Elasticsearch of the test
[Service]
DynamicUser=true
PrivateTmp=true
StateDirectory=elasticsearch
ExecStart=/bin/sh -c 'tail -f /dev/null | exec java -Xmx384m -XX:+UseSerialGC \
    -Dlog4j2.configurationFile={HOME}/node/config/log4j2.properties \
    -cp "{HOME}/classes:{HOME}/jars/*" PipelineNode {HOME}/node {" ".join(MODULES)}'
[Install]
WantedBy=multi-user.target
""",
    "elasticsearch-tls": f"""
[Unit]
Description=TLS before the Elasticsearch of the test
[Service]
ExecStart=python3 {HOME}/front.py {HOME}/node.pem {PORT} 9200
[Install]
WantedBy=multi-user.target
""",
}


def _run(*words: str) -> None:
    done = subprocess.run(docker_command(*words), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StageFailure(
            f"the Elasticsearch of the test could not be put on the machine: {done.stdout}{done.stderr}",
            "look at the machine: docker exec -it NAME bash",
        )


def _compile(nodes: Nodes, folder: Path) -> None:
    """Compile the launcher here: the machine gets a runtime only."""
    folder.mkdir()
    command = ["javac", "--release", "17", "-nowarn", "-cp", f"{nodes.modules}/*", "-d", str(folder)]
    subprocess.run([*command, str(nodes.launcher)], check=True, capture_output=True)


def place_node(machine: str, authority: Authority) -> None:
    """Install and start it on the machine (its container's name); waits until it answers.

    Raises:
        StageFailure: the server could not be had, or did not start; its output is in there.
    """
    nodes = ensure_nodes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "elasticsearch"
        folder.mkdir()
        _compile(nodes, folder / "classes")
        shutil.copytree(nodes.modules, folder / "jars")
        config = folder / "node" / "config"
        config.mkdir(parents=True)
        (config / "elasticsearch.yml").write_text(_SETTINGS)
        (config / "log4j2.properties").write_text(_LOG4J)
        certificate, key = authority.issue("node")
        (folder / "node.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
        shutil.copy(Path(__file__).with_name("front.py"), folder)
        for unit, text in _UNITS.items():
            (folder / f"{unit}.service").write_text(text)
        _run("exec", machine, "rm", "-rf", HOME)
        _run("cp", str(folder), f"{machine}:{HOME}")
    units = " ".join(_UNITS)
    line = f"""
        set -eu
        export DEBIAN_FRONTEND=noninteractive
        # Java's package puts links there, which the machine's image has left out.
        mkdir -p /usr/share/man/man1
        command -v java >/dev/null ||
            {{ apt-get update -q && apt-get install -qy --no-install-recommends {_PACKAGES}; }}
        chown -R root:root {HOME}
        chmod -R go+rX {HOME}
        chmod 600 {HOME}/node.pem
        mv {HOME}/*.service /etc/systemd/system/
        systemctl daemon-reload
        systemctl enable {units}
        systemctl restart {units}
        for _ in $(seq 90); do
            ! python3 -c {_ASK} 2>/dev/null || exit 0
            [ "$(systemctl is-active elasticsearch)" = active ] || break
            sleep 2
        done
        journalctl -u elasticsearch --no-pager -n 30
        exit 1
    """
    _run("exec", machine, "sh", "-c", line)
