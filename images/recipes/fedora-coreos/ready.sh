#!/bin/bash
# Runs once, when the installed system of {{ hostname }} has started from its disk.
set -u
log=/var/log/bootledger-ready.log
exec > >(tee -a "$log") 2>&1
report() { curl -fsS -m 10 -o /dev/null {{ progress_url|shell }}"?$1" || true; }
fail() {
    echo "failed: $1"
    curl -fsS -m 10 -o /dev/null --data-urlencode stage=failed --data-urlencode failed=1 --data-urlencode text="$1" {{ progress_url|shell }} || true
    sleep 1
    tail -c 65536 "$log" | curl -fsS -m 20 -o /dev/null -X POST --data-binary @- {{ log_url|shell }} || true
    exit 1
}
report 'stage=first-boot&percent=95'
{% if settings.packages %}report 'stage=packages&percent=96'
rpm-ostree install --apply-live --allow-inactive --idempotent --assumeyes -- {{ settings.packages|shell }} || fail "rpm-ostree could not install the packages"
{% endif %}{% for command in settings.late_commands %}bash -c {{ command|shell }} || fail "late command {{ loop.index }} failed with status $?"
{% endfor %}# DONE is safe to repeat.
for try in $(seq 60); do
    if curl -fsS -m 10 -o /dev/null {{ done_url|shell }}; then
        mkdir -p /etc/bootledger
        : > /etc/bootledger/ready
        exit 0
    fi
    sleep 10
done
fail "the server did not take DONE"
