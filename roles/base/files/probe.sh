#!/bin/sh
# Reads what base must know of a host, and prints "kind|...". It works on a full disk, where a module of Ansible does not, and
# changes nothing. What comes before it sets the variables timezone and minimum (MiB).
# Kinds: memory, timezone, room, lock, unfinished, clock
# shellcheck disable=SC2154 # see above

for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [ -r "$file" ] && echo "memory|$(cat "$file")"
done

# A host without time zones gets them with tzdata.
if [ -d /usr/share/zoneinfo ] && [ ! -f "/usr/share/zoneinfo/$timezone" ]; then echo "timezone|unknown"; fi

# In memory (tmpfs) half of the size is enough: nothing large is ever put there.
for folder in / /etc /tmp /var; do
    df -kP "$folder" 2>/dev/null | awk -v folder="$folder" -v minimum="$minimum" -v type="$(stat -f -c %T "$folder")" '
        NR == 2 {
            free = int($4 / 1024); size = int($2 / 1024)
            wanted = type == "tmpfs" && size / 2 < minimum ? int(size / 2) : minimum
            if (free < wanted) print "room|" folder "|" free "|" wanted "|" $6
        }'
done

# F_GETLK names the process that holds a lock, whatever the file system.
python3 - <<'PYTHON' 2>/dev/null
import fcntl, os, struct
seen = set()
for path in ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"):
    try:
        with open(path, "r+b") as file:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        continue
    if kind != fcntl.F_UNLCK and pid not in seen:
        seen.add(pid)
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = " ".join(file.read().replace(b"\0", b" ").decode(errors="replace").replace("|", " ").split())
        except OSError:
            command = "a program of another container"
        print(f"lock|{path}|{pid}|{command[:200]}")
PYTHON

# The second letter of a package's state: half-installed, unpacked, half-configured, triggers awaited or pending.
dpkg-query -W -f='${db:Status-Abbrev}|${Package}\n' 2>/dev/null | awk -F'|' '/^.[HUFWt]/ { print "unfinished|" $2 "|" $1 }'
if [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null)" ]; then echo "unfinished|dpkg's journal|"; fi

dpkg-query -W -f='${db:Status-Abbrev}|${Package}\n' chrony ntp ntpsec openntpd 2>/dev/null | awk -F'|' '/^.i/ { print "clock|" $2 }'
exit 0
