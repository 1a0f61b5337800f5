"""JRuby for tests: the Ruby that Logstash runs on, whose regular expressions its filters are written in.

The version is that of Logstash 8.15.5 (versions.yml of its repository).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from tools.controller.cache import BUILD, cache_directory
from tools.controller.command import run
from tools.controller.failure import StageFailure
from tools.controller.packages import ensure_packages
from tools.elastic.nodes import PROGRAMS

VERSION = "9.4.9.0"
SHA256 = "c069cd9240c2a341e9df4aae55c54ac81577eb161d0afd6d026d6b3fafc7fefd"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
_LOG = BUILD / "logs" / "elastic-jruby.log"


def ensure_jruby() -> Path:
    """Fetch JRuby unless it is cached, and return the jar that ``java -jar`` runs.

    Which registry it comes from is Maven's own configuration.

    Raises:
        StageFailure: No Java or Maven, Maven could not fetch it, or something else arrived.
    """
    ensure_packages(PROGRAMS)
    place = cache_directory("elastic") / f"jruby-complete-{VERSION}-{SHA256[:16]}.jar"
    if place.exists():
        return place
    partial = Path(tempfile.mkdtemp(prefix="part-", dir=place.parent))
    try:
        artifact = f"org.jruby:jruby-complete:{VERSION}"
        run(
            [
                "mvn",
                "-B",
                "-ntp",
                f"{_PLUGIN}:copy",
                f"-Dartifact={artifact}",
                f"-DoutputDirectory={partial}",
            ],
            log=_LOG,
            what=f"mvn dependency:copy {artifact}",
            remedy=f"see {_LOG}; Maven must reach Maven Central or a mirror of it (~/.m2/settings.xml)",
        )
        jar = partial / f"jruby-complete-{VERSION}.jar"
        digest = hashlib.sha256(jar.read_bytes()).hexdigest()
        if digest != SHA256:
            raise StageFailure(
                f"Maven brought another JRuby {VERSION}: its SHA-256 is {digest}, not {SHA256}",
                "look where it comes from; a wanted change belongs in tools/elastic/jruby.py",
            )
        os.replace(jar, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return place
