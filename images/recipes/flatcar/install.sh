#!/bin/bash
# Installs Flatcar for {{ hostname }} from the network-booted system.
set -u -o pipefail
log=/var/log/bootledger-install.log
exec > >(tee -a "$log") 2>&1

report() { curl -fsS -m 10 -o /dev/null {{ progress_url|shell }}"?$1" || true; }
fail() {
    echo "failed: $1"
    curl -fsS -m 10 -o /dev/null --data-urlencode stage=failed --data-urlencode failed=1 --data-urlencode text="$1" {{ progress_url|shell }} || true
    sleep 1
    tail -c 65536 "$log" | curl -fsS -m 20 -o /dev/null -X POST --data-binary @- {{ log_url|shell }} || true
    echo "The server waits for an operator. A reset installs again."
    exit 1
}

report 'stage=installer-started&percent=5'
disk={{ settings.disk|shell }}
if [ "$disk" = auto ]; then
    # The first disk that is not removable, not read-only, and large enough for Flatcar.
    disk=$(lsblk -dnbpo NAME,TYPE,RM,RO,SIZE | awk '$2 == "disk" && $3 == 0 && $4 == 0 && $5 >= 8000000000 && $1 !~ /zram|ram[0-9]/ { print $1; exit }')
    [ -n "$disk" ] || fail "no disk of 8 GB or more was found: $(lsblk -dno NAME,SIZE,RM | tr '\n' ' ')"
fi
[ -b "$disk" ] || fail "$disk is not a disk of this server; set disk to one of: $(lsblk -dnpo NAME | tr '\n' ' ')"
echo "installing to $disk"

curl -fsS --retry 5 --retry-all-errors -m 60 -o /run/disk.ign {{ (files_url ~ "/disk.ign")|shell }} || fail "disk.ign could not be fetched"
report 'stage=writing-disk&percent=20'
{% if settings.mirror_url %}# flatcar-install fetches the image from the mirror and checks its signature.
flatcar-install -d "$disk" -i /run/disk.ign -o '' -b {{ settings.mirror_url|shell }} -V {{ settings.release|shell }} || fail "flatcar-install failed on $disk"
{% else %}# The image flows from this server through a pipe, so that it needs no memory. A stream that ends early is an error of bzip2.
mkfifo -m 600 /run/flatcar.bin.bz2 || fail "no pipe could be made in /run"
wget -q --tries=10 --timeout=30 --retry-connrefused -O - {{ (files_url ~ "/flatcar_production_image.bin.bz2")|shell }} > /run/flatcar.bin.bz2 &
fetching=$!
flatcar-install -d "$disk" -i /run/disk.ign -f /run/flatcar.bin.bz2 || fail "flatcar-install failed on $disk"
wait "$fetching" || fail "the image could not be fetched whole"
{% endif %}{% if settings.serial_console or settings.kernel_arguments %}report 'stage=boot-loader&percent=80'
arguments={{ ((("console=tty0 console=" ~ settings.serial_console ~ " ") if settings.serial_console else "") ~ settings.kernel_arguments)|replace("$", "")|replace("|", "")|replace("&", "")|replace('"', "")|replace("'", "")|replace("\\", "")|replace("`", "")|shell }}
udevadm settle
oem=$(lsblk -nrpo NAME,LABEL "$disk" | awk '$2 == "OEM" { print $1; exit }')
mkdir -p /run/oem
mount "$oem" /run/oem || fail "the OEM partition of $disk could not be mounted"
printf 'set linux_append="$linux_append %s"\n' "$arguments" >> /run/oem/grub.cfg
umount /run/oem || fail "the OEM partition of $disk could not be unmounted"
{% endif %}sync
# From here on the network boot must lead to the disk, so this call is repeated until the server has answered.
for try in $(seq 60); do
    curl -fsS -m 10 -o /dev/null {{ progress_url|shell }}'?stage=installed&percent=90&next_boot=disk' && break
    [ "$try" -lt 60 ] || fail "the server did not answer"
    sleep 10
done
systemctl --no-block reboot
