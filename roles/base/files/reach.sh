# shellcheck shell=sh
command -v python3 >/dev/null || echo no-python
for folder in /tmp /var/tmp "$HOME"; do
    df -Pk "$folder" 2>/dev/null | awk -v folder="$folder" 'NR == 2 && $4 < 8192 {print "full", folder, $6}'
done
