#!/bin/sh
# Report what the role ssh must know of this host, one fact a line, and change nothing:
#   user FILE:LINE BITS FINGERPRINT COMMENT (TYPE)   every key that opens this host
#   host FILE BITS FINGERPRINT COMMENT (TYPE)        every key that it shows
#   kex|cipher|mac NAME                              every algorithm that its OpenSSH knows
#   config FILE: line N: MESSAGE                     what sshd says of its own configuration
#   sum FILE SHA256                                  the files named as arguments
set -u
getent passwd | cut -d: -f6 | sort -u | while read -r home; do
    for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do
        [ -f "$file" ] || continue
        number=0
        while IFS= read -r line || [ -n "$line" ]; do
            number=$((number + 1))
            case $line in '' | '#'*) continue ;; esac
            found=$(printf '%s\n' "$line" | ssh-keygen -l -f - 2>/dev/null) || continue
            echo "user $file:$number $found"
        done <"$file"
    done
done
for file in /etc/ssh/ssh_host_*_key.pub; do
    [ -f "$file" ] || continue
    ssh-keygen -l -f "$file" 2>/dev/null | sed "s|^|host $file |"
done
for kind in kex cipher mac; do
    ssh -Q "$kind" 2>/dev/null | sed "s/^/$kind /"
done
[ ! -x /usr/sbin/sshd ] || /usr/sbin/sshd -t 2>&1 | sed -n 's/^\(\/[^ ]*: line [0-9]*: .*\)/config \1/p'
for file in "$@"; do
    [ ! -f "$file" ] || sha256sum "$file" | sed "s|^\([0-9a-f]*\) .*|sum $file \1|"
done
exit 0
