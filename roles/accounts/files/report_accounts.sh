#!/bin/sh
# Reads the accounts and PAM and prints one finding a line: "kind|name|detail". Changes nothing.
# Kinds: root0 twin open unshadowed legacy system-shell keyless ageing pam
# $1, for tests: the folder in which the system's files are.
etc="${1:-/etc}"
connecting="${SUDO_USER:-$(id -un)}"
uid_min="$(awk '$1 == "UID_MIN" { print $2 }' "$etc/login.defs" 2>/dev/null)"
for file in passwd group shadow; do
    if grep -q '^+' "$etc/$file"; then echo "legacy|/etc/$file|"; fi
done
awk -F: -v uid_min="${uid_min:-1000}" -v connecting="$connecting" '
    FILENAME ~ "/shadow$" { secret[$1] = $2; life[$1] = $5; known[$1] = 1; next }
    FILENAME ~ "/group$" {
        if ($1 !~ /^\+/ && $3 in group_of) print "twin|" group_of[$3] " and " $1 "|GID " $3
        group_of[$3] = $1
        next
    }
    /^\+/ || $1 == "" { next }
    {
        shell = $7 == "" ? "/bin/sh" : $7
        opens = shell !~ /(nologin|false|sync|halt|shutdown)$/
        if ($3 in user_of) print "twin|" user_of[$3] " and " $1 "|UID " $3
        user_of[$3] = $1
        if ($3 == 0 && $1 != "root") print "root0|" $1 "|"
        if ($2 != "x") print "unshadowed|" $1 "|"
        if (known[$1] && secret[$1] == "") print "open|" $1 "|"
        if (!opens) next
        if ($3 > 0 && ($3 < uid_min || $3 == 65534) && $1 != connecting) print "system-shell|" $1 "|" shell
        locked = secret[$1] ~ /^[!*]/
        if ((locked || $1 == connecting) && life[$1] != "" && life[$1] < 99999) print "ageing|" $1 "|" life[$1]
        if (locked && $3 >= uid_min && $3 != 65534 && system("test -s \"" $6 "/.ssh/authorized_keys\""))
            print "keyless|" $1 "|" $6
    }' "$etc/shadow" "$etc/group" "$etc/passwd"
for file in common-password common-session common-session-noninteractive su; do
    sed -nE "/^[^#].*pam_(pwquality|pwhistory|umask|wheel)\.so/ { s/[[:space:]]+/ /g; s/^/pam|$file|/; p }" "$etc/pam.d/$file"
done
exit 0
