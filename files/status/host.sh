#!/bin/sh
# One line for each part of a host's state; reads, and changes nothing. Run by playbooks/status.yml as root.
# Environment: DOMAIN and HTTPS_PORT of the proxy, or DOMAIN empty; CONTAINER, or empty where there is none.
# Exit status: 0 all is well, 1 look at the lines ATTENTION.
status=0
attention() {
  printf 'ATTENTION     %s\n' "$1"
  status=1
}

# The alerts begin at the same figures (files/prometheus/rules).
DISK_PERCENT=85
MEMORY_PERCENT=10
CERTIFICATE_DAYS=14

df -Pm -x tmpfs -x devtmpfs -x overlay 2>/dev/null | awk 'NR > 1 && !seen[$1]++ {print $6, $5, $4}' |
  while read -r place used free; do
    printf 'disk          %s: %s used, %s MiB free\n' "$place" "$used" "$free"
  done
fullest=$(df -Pm -x tmpfs -x devtmpfs -x overlay 2>/dev/null | awk 'NR > 1 {sub("%", "", $5); if ($5 + 0 > most) most = $5 + 0} END {print most + 0}')
[ "$fullest" -le "$DISK_PERCENT" ] || attention "a disk is $fullest % full: docs/runbooks/HostDiskFull.md"

total=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
available=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
printf 'host memory   %s of %s MiB available, load %s\n' "$available" "$total" "$(cut -d' ' -f1-3 /proc/loadavg)"
[ $((available * 100)) -ge $((total * MEMORY_PERCENT)) ] || attention "the host has only $available MiB of memory left"

failed=$(systemctl list-units --failed --plain --no-legend 2>/dev/null | awk '{print $1}' | paste -sd' ' -)
printf 'failed units  %s\n' "${failed:-none}"
[ -z "$failed" ] || attention "systemctl status $failed"

if [ -n "${DOMAIN:-}" ]; then
  end=$(echo | openssl s_client -connect "127.0.0.1:${HTTPS_PORT:-443}" -servername "$DOMAIN" 2>/dev/null |
    openssl x509 -noout -enddate 2>/dev/null | sed -n 's/^notAfter=//p')
  if [ -n "$end" ]; then
    days=$((($(date -d "$end" +%s) - $(date +%s)) / 86400))
    printf 'certificate   %s days left\n' "$days"
    [ "$days" -ge "$CERTIFICATE_DAYS" ] || attention "the certificate of $DOMAIN ends in $days days"
  else
    printf 'certificate   none is shown\n'
    attention "nothing answers with a certificate at port ${HTTPS_PORT:-443}: systemctl status nginx"
  fi
fi

if [ -n "${CONTAINER:-}" ]; then
  format='{{.State.Status}}{{with .State.Health}}, {{.Status}}{{end}}, {{.RestartCount}} restarts since {{.Created}}'
  state=$(docker inspect -f "$format" "$CONTAINER" 2>/dev/null)
  printf 'container     %s: %s\n' "$CONTAINER" "${state:-is not there}"
  case $state in
    running*)
      docker exec "$CONTAINER" python3 -m assistant status 2>&1 || status=1
      ;;
    *) attention "the container does not run: docker logs $CONTAINER" ;;
  esac
fi
exit "$status"
