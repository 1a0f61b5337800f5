#!/bin/sh
# Report every key that opens this host and every key that it shows, one a line, and change nothing:
#   user FILE BITS FINGERPRINT COMMENT (TYPE)
#   host FILE BITS FINGERPRINT COMMENT (TYPE)
set -u
getent passwd | cut -d: -f6 | sort -u | while read -r home; do
    for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do
        [ -f "$file" ] || continue
        ssh-keygen -l -f "$file" 2>/dev/null | sed "s|^|user $file |"
    done
done
for file in /etc/ssh/ssh_host_*_key.pub; do
    [ -f "$file" ] || continue
    ssh-keygen -l -f "$file" 2>/dev/null | sed "s|^|host $file |"
done
exit 0
