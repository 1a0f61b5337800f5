#!/bin/sh
# Put faillock into PAM, or leave PAM as it was.
#
#   update_pam.sh check|keep|overwrite USER PROFILE...
#
# check: only say that it would be done. keep: an edited common-* is not touched. overwrite: it is saved beside and
# written anew. USER is who Ansible comes as; where sudo let him in before, it must do so afterwards.
# Status 0: done; 3: somebody edited a file; 4: a login check failed; 1: something else. Unless 0, nothing is changed.
set -eu
mode=$1 user=$2
shift 2
[ "$mode" != check ] || exit 0
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# A connection that is cut in the middle must not end this half-way.
trap '' HUP PIPE

pam=/etc/pam.d
state=/var/lib/pam
# On the same file systems, so that going back is a rename and needs no room on a full disk.
old=$(mktemp -d /etc/.pam.d-before.XXXXXX)
old_state=$(mktemp -d /var/lib/.pam-before.XXXXXX)
settled=no
finish() {
    status=$?
    if [ "$settled" = no ] && [ -e "$old/complete" ]; then
        rm -f "$old/complete"
        for path in "$old"/*; do mv -f "$path" "$pam/"; done
        for path in "$old_state"/*; do [ ! -e "$path" ] || mv -f "$path" "$state/"; done
    fi
    rm -rf "$old" "$old_state"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM
cp -p "$pam"/common-* "$old/"
cp -p "$state"/* "$old_state/" 2>/dev/null || [ -z "$(ls -A "$state" 2>/dev/null)" ]
: >"$old/complete"

# One line of PAM that matches, no more and no fewer.
once() {
    [ "$(grep -cE "^$2[[:space:]]*\$" "$pam/$1")" = 1 ]
}
in_place() {
    once common-auth 'auth[[:space:]]+requisite[[:space:]]+pam_faillock\.so preauth' &&
        once common-auth 'auth[[:space:]]+\[default=die\][[:space:]]+pam_faillock\.so authfail' &&
        once common-auth 'auth[[:space:]]+optional[[:space:]]+pam_faillock\.so authsucc' &&
        once common-account 'account[[:space:]]+required[[:space:]]+pam_faillock\.so' &&
        grep -qE '^auth[[:space:]].*pam_unix\.so' "$pam/common-auth" &&
        grep -qE '^auth[[:space:]]+requisite[[:space:]]+pam_deny\.so' "$pam/common-auth"
}
become_root() {
    timeout 20 su root -c true </dev/null >/dev/null 2>&1
}
use_sudo() {
    [ "$user" = root ] || timeout 20 runuser -u "$user" -- sudo -n true </dev/null >/dev/null 2>&1
}

root_before=no sudo_before=no
become_root && root_before=yes
use_sudo && sudo_before=yes

pam-auth-update --package --enable "$@" || exit 1
if ! in_place; then
    [ "$mode" = overwrite ] || exit 3
    stamp=$(date -u +%Y%m%dT%H%M%SZ)
    pam-auth-update --force --package --enable "$@"
    in_place || exit 1
    for path in "$old"/common-*; do
        name=${path##*/}
        cmp -s "$path" "$pam/$name" || {
            cp -p "$path" "$pam/$name.hand-edited-$stamp"
            echo "saved $pam/$name.hand-edited-$stamp"
        }
    done
fi
if [ "$root_before" = yes ] && ! become_root; then exit 4; fi
if [ "$sudo_before" = yes ] && ! use_sudo; then exit 4; fi
settled=yes
