"""Runs a real Elasticsearch for a test.

``data_node``: the version that role elk deploys, with TLS and users, data streams and snapshots; it has no
ingest processors. ``pipeline_node``: 7.10.2 with the ingest modules, without TLS, users and data streams.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.logging.certificates import Authority
from tools.elastic.nodes import Nodes, ensure_nodes

START_SECONDS = 480.0
STOP_SECONDS = 60.0
# Heap in MiB: enough for thousands of lines, and small beside whatever else runs on the host.
HEAP = 384
# A node that lives for a minute does not earn back what the better compiler costs.
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_LOG4J = """
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n%xEx{10}
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
# Java 17 is what Debian 12 has; the modules are those that the ingest pipelines need.
_MODULES = (
    "org.elasticsearch.transport.Netty4Plugin",
    "org.elasticsearch.ingest.common.IngestCommonPlugin",
    "org.elasticsearch.painless.PainlessPlugin",
    "org.elasticsearch.script.mustache.MustachePlugin",
    "org.elasticsearch.index.mapper.MapperExtrasPlugin",
    "org.elasticsearch.analysis.common.CommonAnalysisPlugin",
)


class NodeError(Exception):
    """The node did not start; the text is the end of its log."""


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Node:
    """One Elasticsearch and its folder: config, data, logs, and ``repository`` for snapshots."""

    home: Path
    command: list[str]
    environment: dict[str, str]
    port: int
    ca: Path | None = None
    """The authority's certificate, where the node speaks TLS."""
    password: str = ""
    """Of the user ``elastic``, where there are users."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the node says."""
        return self.home / "node.log"

    def client(
        self, user: str = "elastic", password: str | None = None, api_key: str | None = None
    ) -> httpx.Client:
        """Return a client for the node: as ``elastic``, as another user, or with an API key (encoded)."""
        headers = {"Authorization": f"ApiKey {api_key}"} if api_key else {}
        auth = None
        if self.password and not api_key:
            auth = httpx.BasicAuth(user, self.password if password is None else password)
        verify = ssl.create_default_context(cafile=str(self.ca)) if self.ca else True
        return httpx.Client(base_url=self.url, auth=auth, headers=headers, verify=verify, timeout=60)

    def start(self) -> None:
        """Start the node and wait until it answers; a second start goes on with the same data.

        Raises:
            NodeError: it ended, or did not answer within eight minutes.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.home,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        with self.client() as client:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    break
                try:
                    if client.get("/_cluster/health", params={"wait_for_status": "yellow"}).is_success:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.5)
        self.stop()
        raise NodeError(self.log.read_text(errors="replace")[-4000:])

    def stop(self, *, kill: bool = False) -> None:
        """Stop the node as an operator does, or, with ``kill``, as a power cut does; its data stay."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        # The launcher and the server are a session of their own.
        _signal(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill = True
        if kill:
            _signal(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)


def _signal(session: int, number: signal.Signals) -> None:
    try:
        os.killpg(session, number)
    except ProcessLookupError:
        return


def java_home() -> str:
    """Return the folder of the Java that the nodes run with.

    Raises:
        NodeError: there is none.
    """
    # Not whatever is first on PATH: the older node needs a Java that still has a security manager.
    for folder in sorted(Path("/usr/lib/jvm").glob("java-17-openjdk*")):
        if (folder / "bin" / "java").exists():
            return str(folder)
    java = shutil.which("java")
    if java is None:
        raise NodeError("Java is missing: apt-get install openjdk-17-jdk-headless")
    return str(Path(java).resolve().parents[1])


def _as_somebody(command: list[str]) -> list[str]:
    # Elasticsearch refuses to run as root; in a user namespace of its own root is somebody else.
    if os.geteuid() != 0:
        return command
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *command]


def _settings(config: Path, lines: dict[str, str]) -> None:
    common = {
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "transport.port": str(free_port()),
        # A test must not depend on how full the host's disk is; those that want that say so.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    text = "".join(f"{name}: {value}\n" for name, value in (common | lines).items())
    (config / "elasticsearch.yml").write_text(text)
    (config / "log4j2.properties").write_text(_LOG4J)


def _data_node(nodes: Nodes, home: Path, port: int) -> Node:
    config = home / "config"
    for name in ("config", "data", "logs", "repository", "tmp"):
        (home / name).mkdir()
    authority = Authority(config)
    certificate, key = authority.issue("node")
    _settings(
        config,
        {
            "http.port": str(port),
            "path.data": str(home / "data"),
            "path.logs": str(home / "logs"),
            "path.repo": f"[{home / 'repository'}]",
            "xpack.security.enabled": "true",
            "xpack.security.http.ssl.enabled": "true",
            "xpack.security.http.ssl.certificate": certificate.name,
            "xpack.security.http.ssl.key": key.name,
            "xpack.security.http.ssl.certificate_authorities": f"[{authority.file.name}]",
        },
    )
    (config / "jvm.options").write_text("\n".join([f"-Xms{HEAP}m", f"-Xmx{HEAP}m", *_QUICK]) + "\n")
    java = java_home()
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "ES_JAVA_HOME": java,
        "ES_PATH_CONF": str(config),
        "ES_TMPDIR": str(home / "tmp"),
        # The command-line programs' own heap.
        "CLI_JAVA_OPTS": f"-Xmx64m {_QUICK[0]}",
    }
    password = secrets.token_urlsafe(24)
    keystore = str(nodes.distribution / "bin" / "elasticsearch-keystore")
    subprocess.run(
        _as_somebody([keystore, "add", "--force", "--stdin", "bootstrap.password"]),
        input=password.encode(),
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    command = _as_somebody([str(nodes.distribution / "bin" / "elasticsearch")])
    return Node(home, command, environment, port, authority.file, password)


def _pipeline_node(nodes: Nodes, home: Path, port: int) -> Node:
    (home / "config").mkdir()
    _settings(home / "config", {"http.port": str(port), "http.type": "netty4", "transport.type": "netty4"})
    # The older Elasticsearch and log4j ask for things that Java 17 keeps to itself; both go on without.
    command = [
        f"{java_home()}/bin/java",
        f"-Xmx{HEAP}m",
        *_QUICK,
        f"-Djava.io.tmpdir={home}",
        f"-Dlog4j2.configurationFile={home / 'config' / 'log4j2.properties'}",
        "-cp",
        f"{nodes.modules}/*",
        str(nodes.launcher),
        str(home),
        *_MODULES,
    ]
    return Node(home, command, {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, port)


@contextmanager
def data_node(*, port: int | None = None) -> Iterator[Node]:
    """Run the version that is deployed, with TLS and users, on a free port; at the end nothing is left.

    Raises:
        NodeError: it did not start.
    """
    with _running(_data_node, port) as node:
        yield node


@contextmanager
def pipeline_node(*, port: int | None = None) -> Iterator[Node]:
    """Run 7.10.2 with the ingest modules on a free port; at the end nothing is left.

    Raises:
        NodeError: it did not start.
    """
    with _running(_pipeline_node, port) as node:
        yield node


@contextmanager
def _running(make: Callable[[Nodes, Path, int], Node], port: int | None) -> Iterator[Node]:
    home = Path(tempfile.mkdtemp(prefix="elasticsearch-"))
    try:
        node = make(ensure_nodes(), home, port or free_port())
        try:
            node.start()
            yield node
        finally:
            node.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
