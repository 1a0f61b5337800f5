"""A quick look at the fleet, changing nothing: ``pyinfra ops/inventory.py ops/look.py -y``.

Prints a line a host: load, free memory, free disk, the assistant's container, the last deployment.
"""

from __future__ import annotations

from pyinfra import host, logger
from pyinfra.facts.server import Command

# Plain shell and /proc, so that a host without Python answers as well.
LOOK = r"""
load=$(cut -d' ' -f1-3 /proc/loadavg)
free='{printf "%d of %d MiB free", a, t}'
memory=$(awk "/^MemTotal/ {t=\$2/1024} /^MemAvailable/ {a=\$2/1024} END $free" /proc/meminfo)
disk=$(df -Pm / | awk "NR==2 {a=\$4; t=\$2} END $free")
state='{{.State.Status}}{{with .State.Health}} ({{.Status}}){{end}}'
container=$(docker inspect -f "$state" ai-core 2>/dev/null || true)
deployed=$(stat -c %y /etc/ai-assistant/assistant.env 2>/dev/null | cut -d. -f1)
echo "load $load | memory $memory | disk $disk | ai-core ${container:-none} | deployed ${deployed:-never}"
"""

logger.info("%s: %s", host.name, host.get_fact(Command, command=LOOK))
