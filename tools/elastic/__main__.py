"""``python -m tools.elastic``: fetch or build each part once, into the cache."""

from __future__ import annotations

import sys

from tools.controller.failure import StageFailure
from tools.elastic.jruby import ensure_jruby
from tools.elastic.nodes import ensure_nodes
from tools.elastic.shipper import ensure_filebeat


def main() -> int:
    """Run the command line and return the exit status: 0, or 1 after an explained failure."""
    try:
        nodes = ensure_nodes()
        filebeat = ensure_filebeat()
        jruby = ensure_jruby()
    except StageFailure as failure:
        print(f"\nERROR: {failure.why}\nWhat to do: {failure.remedy}", file=sys.stderr)
        return 1
    print(f"Elasticsearch {nodes.distribution.name.rpartition('-')[2]}: {nodes.distribution}")
    print(f"Elasticsearch's ingest modules: {nodes.modules}")
    print(f"Filebeat: {filebeat.program}")
    print(f"JRuby, as Logstash has it: {jruby}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
