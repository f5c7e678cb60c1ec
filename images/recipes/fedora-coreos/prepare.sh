#!/bin/bash
# Chooses the disk for coreos-installer on {{ hostname }}.
set -u -o pipefail
report() { curl -fsS -m 10 -o /dev/null {{ progress_url|shell }}"?$1" || true; }
fail() {
    echo "failed: $1"
    curl -fsS -m 10 -o /dev/null --data-urlencode stage=failed --data-urlencode failed=1 --data-urlencode text="$1" {{ progress_url|shell }} || true
    exit 1
}
report 'stage=installer-started&percent=10'
{% if settings.layout == "raid1" %}{% if settings.raid_disks|length < 2 %}fail "layout raid1 needs two disks in raid_disks"
{% else %}disk={{ settings.raid_disks|first|shell }}
{% endif %}{% else %}disk={{ settings.disk|shell }}
{% endif %}if [ "$disk" = auto ]; then
    # The first disk that is not removable, not read-only, and large enough for Fedora CoreOS.
    disk=$(lsblk -dnbpo NAME,TYPE,RM,RO,SIZE | awk '$2 == "disk" && $3 == 0 && $4 == 0 && $5 >= 10000000000 && $1 !~ /zram|ram[0-9]/ { print $1; exit }')
    [ -n "$disk" ] || fail "no disk of 10 GB or more was found: $(lsblk -dno NAME,SIZE,RM | tr '\n' ' ')"
fi
[ -b "$disk" ] || fail "$disk is not a disk of this server; set disk to one of: $(lsblk -dnpo NAME | tr '\n' ' ')"
printf 'dest-device: %s\n' "$disk" > /etc/coreos/installer.d/2-disk.yaml
report 'stage=writing-disk&percent=30'
