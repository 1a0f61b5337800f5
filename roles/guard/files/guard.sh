#!/bin/sh
# A change that could cut SSH puts itself back unless somebody disarms it in time.
#
#   guard.sh arm NAME SECONDS BEFORE AFTER FILE...   save FILEs, run BEFORE, start the timer
#   guard.sh disarm NAME                             the change stays; status 3: it was put back already
#   guard.sh rollback NAME                           put the files back now and run AFTER
#
# BEFORE and AFTER are shell lines that run in the guard's folder (for example to save and restore kernel tables).
# The timer is a unit on disk, so that a reboot in the middle counts as "not proven", too.
set -eu
verb=$1
name=$2
folder=/var/lib/ai-assistant-guard/$name
unit=ai-assistant-guard-$name
units=/etc/systemd/system

forget() {
    systemctl disable --now --quiet "$unit.timer" 2>/dev/null || true
    rm -f "$units/$unit.timer" "$units/$unit.service"
    systemctl daemon-reload
}

case $verb in
arm)
    seconds=$3 before=$4 after=$5
    shift 5
    # Still armed: the run before this one was cut off. What it saved is the last state that was proven.
    if [ ! -e "$folder/rollback" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        chmod 0700 "$(dirname "$folder")" "$folder"
        cd "$folder"
        for path in "$@"; do
            if [ -e "$path" ]; then echo "$path" >>present; else echo "$path" >>absent; fi
        done
        [ ! -e present ] || tar --create --absolute-names --file=files.tar --files-from=present
        sh -euc "$before"
        # Every step is tried, whatever became of the one before.
        cat >rollback.new <<ROLLBACK
#!/bin/sh
cd '$folder' || exit 1
[ ! -e absent ] || while read -r path; do rm -rf "\$path"; done <absent
[ ! -e files.tar ] || tar --extract --absolute-names --preserve-permissions --file=files.tar
$after
logger -p auth.warning -t ai-assistant-guard '$name: no new SSH login was proven, so the settings of before are back'
rm -rf '$folder.rolled-back'; cd /; mv '$folder' '$folder.rolled-back'
ROLLBACK
        mv rollback.new rollback
    fi
    cat >"$units/$unit.service" <<UNIT
[Unit]
Description=Put back the settings of before a change that could cut SSH ($name)
[Service]
Type=oneshot
ExecStart=/bin/sh $folder/rollback
ExecStartPost=-/bin/systemctl disable --quiet $unit.timer
ExecStartPost=-/bin/rm -f $units/$unit.timer $units/$unit.service
UNIT
    cat >"$units/$unit.timer" <<UNIT
[Unit]
Description=Wait for a new SSH login after a change ($name)
[Timer]
OnActiveSec=$seconds
AccuracySec=1s
[Install]
WantedBy=timers.target
UNIT
    systemctl daemon-reload
    systemctl enable --quiet "$unit.timer"
    systemctl restart "$unit.timer"
    ;;
disarm)
    systemctl stop "$unit.timer" 2>/dev/null || true
    [ -e "$folder/rollback" ] || exit 3
    forget
    rm -rf "$folder" "$folder.rolled-back"
    ;;
rollback)
    systemctl stop "$unit.timer" 2>/dev/null || true
    [ ! -e "$folder/rollback" ] || sh "$folder/rollback"
    forget
    ;;
*)
    echo "guard.sh: unknown verb $verb" >&2
    exit 2
    ;;
esac
