#!/bin/sh
# What the role lockout must know of a host, one fact a line. It changes nothing.
#
#   report.sh "PACKAGE..." GROUP FILE...
#
#   package NAME                      it is installed
#   file SHA256 OWNER:GROUP MODE PATH
#   own PATH                          there, and not written by this role
#   foreign RULE                      a rule in an access.conf that this role did not write
#   pam SERVICE LINE                  a line of PAM about faillock or access.conf, blanks made one
#   unit ACTIVE ENABLED               fail2ban
#   group NAME                        it is there
set -u
packages=$1 group=$2
shift 2
access=/etc/security/access.conf
# shellcheck disable=SC2086 # several names
dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' $packages 2>/dev/null | sed -n 's/^installed /package /p'
for path in "$@"; do
    [ -e "$path" ] || continue
    sum=$(sha256sum <"$path")
    echo "file ${sum%% *} $(stat -c '%U:%G %a' "$path") $path"
    case $path in
    */jail.local) grep -qs '^# Role lockout:' "$path" || echo "own $path" ;;
    esac
done
if [ -e "$access" ] && ! grep -q '^# Role lockout:' "$access"; then
    sed -n 's/^[[:space:]]*\([+-].*\)$/foreign \1/p' "$access"
fi
for path in /etc/pam.d/*; do
    case $path in
    *.dpkg-* | *.pam-old | *.pam-new | *.ucf-* | *.hand-edited-* | *~) continue ;;
    esac
    sed -nE "/^[[:space:]]*-?(auth|account)[[:space:]].*pam_(faillock|access)\.so/{s/[[:space:]]+/ /g;s/^ //;s/ \$//;s/^/pam ${path##*/} /p}" "$path"
done
echo "unit $(systemctl is-active fail2ban.service 2>/dev/null || :) $(systemctl is-enabled fail2ban.service 2>/dev/null || :)" | tr -s ' '
getent group "$group" >/dev/null && echo "group $group"
exit 0
