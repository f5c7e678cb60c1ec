#!/bin/bash
# Runs when coreos-installer has ended on {{ hostname }}, before the reboot. systemd sets SERVICE_RESULT.
set -u
if [ "${SERVICE_RESULT:-}" != success ]; then
    words=$(journalctl -b -u coreos-installer.service -o cat -n 3 | tr '\n' ' ' | tail -c 250)
    curl -fsS -m 10 -o /dev/null --data-urlencode stage=failed --data-urlencode failed=1 --data-urlencode text="coreos-installer failed: $words" {{ progress_url|shell }} || true
    sleep 1
    journalctl -b -o short-monotonic -n 600 | tail -c 65536 | curl -fsS -m 20 -o /dev/null -X POST --data-binary @- {{ log_url|shell }} || true
    exit 0
fi
# From here on the network boot must lead to the disk, so this call is repeated until the server has answered.
for try in $(seq 60); do
    curl -fsS -m 10 -o /dev/null {{ progress_url|shell }}'?stage=installed&percent=90&next_boot=disk' && exit 0
    sleep 10
done
echo "the server did not answer; the next network boot installs again" >&2
exit 0
