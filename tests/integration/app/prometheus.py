"""A real Prometheus and a real node exporter, for as long as a test looks at them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import yaml

from tests.integration.app.process import ROOT, free_port, until

RULES = ROOT / "files" / "prometheus" / "rules"
INSTANCE = "assistant-1"


@contextmanager
def _program(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text(errors="replace")
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def node_exporter(folder: Path) -> Iterator[str]:
    """Run the exporter of this host's figures; gives its address, host and port."""
    address, log = f"127.0.0.1:{free_port()}", folder / "node.log"
    with _program(["prometheus-node-exporter", f"--web.listen-address={address}"], log) as process:
        until("the node exporter answers", lambda: _answers(process, f"http://{address}/metrics", log))
        yield address


def _rules(folder: Path) -> Path:
    """Copy the rules without their groups' own intervals: a test need not wait minutes for the slow ones."""
    copies = folder / "rules"
    copies.mkdir()
    for path in RULES.glob("*.yml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            group.pop("interval", None)
        (copies / path.name).write_text(yaml.safe_dump(document))
    return copies


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, str], scrape: int) -> Iterator[str]:
    """Run Prometheus with the project's rules.

    Args:
        folder: For its files.
        targets: Address of each job.
        scrape: Seconds between two scrapes, and between two evaluations of the rules.

    Yields:
        Its address.
    """
    address, log = f"127.0.0.1:{free_port()}", folder / "prometheus.log"
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [target], "labels": {"instance": INSTANCE}}]}
        for job, target in {**targets, "prometheus": address}.items()
    ]
    configuration = {
        "global": {"scrape_interval": f"{scrape}s", "evaluation_interval": f"{scrape}s"},
        "rule_files": [f"{_rules(folder)}/*.yml"],
        "scrape_configs": jobs,
    }
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
    with _program([*command, f"--web.listen-address={address}"], log) as process:
        until("Prometheus answers", lambda: _answers(process, f"http://{address}/-/ready", log))
        yield f"http://{address}"


@contextmanager
def watched(folder: Path, assistant: str, scrape: int = 1) -> Iterator[str]:
    """Run both beside the assistant at that address, host and port; gives Prometheus's address."""
    with ExitStack() as stack:
        node = stack.enter_context(node_exporter(folder))
        url = stack.enter_context(prometheus(folder, {"assistant": assistant, "node": node}, scrape))
        # A counter that rises before its first scrape has no rate.
        until("the assistant is scraped", lambda: _scraped(url), 60)
        yield url


def _scraped(url: str) -> bool:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": "up == 1"}, trust_env=False).json()
    seen = {one["metric"]["job"] for one in answer["data"]["result"]}
    return {"assistant", "node", "prometheus"} <= seen
