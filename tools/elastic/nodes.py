"""Elasticsearch for tests: the distribution without most modules, and an older one with the ingest modules.

Maven Central has of the version that is deployed the distribution that Elastic makes for testing plugins:
server, TLS, security, no ingest processors. These are there up to 7.10.2. Neither alone shows everything;
docs/elasticsearch.md says which shows what.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint, made_whole
from tools.controller.command import run
from tools.controller.failure import StageFailure
from tools.controller.packages import ensure_packages

FOLDER = ROOT / "tools" / "elastic" / "node"
PROGRAMS = {"openjdk-17-jdk-headless": "javac", "maven": "mvn"}
_CHECKSUMS = FOLDER / "checksums.txt"
_SOURCES = [FOLDER / name for name in ("pom.xml", "StandIns.java", "plugin-descriptor.properties")]
_LOG = BUILD / "logs" / "elastic-nodes.log"


@dataclass(frozen=True)
class Nodes:
    """Where the two are."""

    distribution: Path
    """ES_HOME of the deployed version."""
    modules: Path
    """The jars of the older server and its ingest modules."""
    launcher: Path
    """The Java source that runs the older one."""


def _wrong_files(folder: Path) -> list[str]:
    """Name what did not arrive as checksums.txt (the form of sha256sum(1)) says."""
    expected = {}
    for line in _CHECKSUMS.read_text().splitlines():
        digest, _, name = line.partition("  ")
        expected[name] = digest
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".jar", ".zip"}
    }
    return sorted(name for name, _ in expected.items() ^ found.items())


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack a zip with its permissions, which ``extractall`` forgets."""
    with zipfile.ZipFile(archive) as unpacked:
        for entry in unpacked.infolist():
            path = Path(unpacked.extract(entry, folder))
            if mode := (entry.external_attr >> 16) & 0o777:
                path.chmod(mode | 0o200)
    archive.unlink()
    return folder / archive.stem


def _add_stand_ins(distribution: Path) -> None:
    """Compile StandIns.java and put it where the distribution looks for plugins."""
    plugin = distribution / "plugins" / "stand-ins"
    classes = plugin / "classes"
    classes.mkdir(parents=True)
    compiling = ["javac", "--release", "17", "-nowarn", "-proc:none", "-d", str(classes)]
    run(
        [*compiling, "-cp", f"{distribution / 'lib'}/*", str(FOLDER / "StandIns.java")],
        log=_LOG,
        what="javac StandIns.java",
        remedy=f"see {_LOG}; a new version of Elasticsearch may have changed its interface",
    )
    with zipfile.ZipFile(plugin / "stand-ins.jar", "w") as jar:
        for path in sorted(classes.rglob("*.class")):
            jar.write(path, path.relative_to(classes))
    shutil.rmtree(classes)
    shutil.copy(FOLDER / "plugin-descriptor.properties", plugin)


def ensure_nodes() -> Nodes:
    """Fetch both servers unless they are cached.

    Which registry they come from is Maven's own configuration; their SHA-256 are in checksums.txt.

    Raises:
        StageFailure: No Java or Maven, Maven could not fetch them, or something else arrived.
    """
    ensure_packages(PROGRAMS)
    place = cache_directory("elastic") / f"node-{fingerprint(*_SOURCES, _CHECKSUMS)}"
    if not place.exists():
        with made_whole(place) as partial:
            run(
                ["mvn", "-B", "-ntp", "-f", str(FOLDER / "pom.xml"), f"-Dnodes.folder={partial}", "package"],
                log=_LOG,
                what="mvn package in tools/elastic/node",
                remedy=f"see {_LOG}; Maven must reach Maven Central or a mirror of it (~/.m2/settings.xml)",
            )
            if wrong := _wrong_files(partial):
                raise StageFailure(
                    f"Maven brought other files than {_CHECKSUMS.relative_to(ROOT)} says: {', '.join(wrong)}",
                    "look where they come from; after a wanted change of pom.xml write the file anew: "
                    "mvn -Dnodes.folder=FOLDER package, then in FOLDER sha256sum *.zip modules/*.jar",
                )
            _add_stand_ins(_unpack(next(partial.glob("elasticsearch-*.zip")), partial))
    return Nodes(next(place.glob("elasticsearch-*")), place / "modules", FOLDER / "PipelineNode.java")
