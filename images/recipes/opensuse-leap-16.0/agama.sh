#!/bin/bash
# Runs before Agama reads its profile (inst.script), for {{ hostname }} ({{ venture }}/{{ role }}), rendered by Bootledger.
# It fetches the profile, puts the names of disks and interfaces into it, and reports what the installer does.
mkdir -p /run/bootledger
cat >/run/bootledger/report.sh <<'BOOTLEDGER_SCRIPT'
# A report that fails never fails the installation.
progress_url={{ progress_url|shell }}
log_url={{ log_url|shell }}
report() { # STAGE PERCENT TEXT [next argument]...
    local stage=$1 percent=$2 text
    text=$(printf %s "$3" | tr -cd ' -~' | cut -c 1-300)
    shift 3
    curl -fsS -m 5 -o /dev/null --data-urlencode "stage=$stage" ${percent:+-d "percent=$percent"} \
        --data-urlencode "text=$text" "$@" "$progress_url" || true
}
send_logs() { # the tail of the installer's log, 60,000 bytes at most
    journalctl -b -o short --no-pager -u 'agama*' -n 500 | tail -c 60000 |
        curl -fsS -m 10 -o /dev/null -H 'Content-Type: text/plain' --data-binary @- "$log_url" || true
}
BOOTLEDGER_SCRIPT
. /run/bootledger/report.sh
give_up() { # STAGE TEXT: without its profile Agama does not install, and waits
    rm -f /run/bootledger/agama.json
    report "$1" '' "$2" -d failed=1
    send_logs
    echo "bootledger: $2" >/dev/console
    exit 1
}
report installer 5 'Agama has started'
# A question that no person answers would hold the installation up.
agama questions mode non-interactive || true

# Disks that are not removable, in the order of their names.
find_disks() {
    local path name
    for path in /sys/block/dasd* /sys/block/hd* /sys/block/mmcblk* /sys/block/nvme* /sys/block/sd* /sys/block/vd* /sys/block/xvd*; do
        [ -e "$path" ] || continue
        name=${path##*/}
        case $name in mmcblk*boot* | mmcblk*rpmb | nvme*c*n*) continue ;; esac
        [ "$(cat "$path/removable")" = 0 ] && [ "$(cat "$path/size")" != 0 ] || continue
        case $(readlink -f "$path") in */usb[0-9]*) continue ;; esac
        printf '%s\n' "$name"
    done
}
disk_name() { # A disk as a person names it: a name or a path, also a link such as /dev/disk/by-id/…
    local path=$1
    case $path in /*) ;; *) path=/dev/$path ;; esac
    if [ -e "$path" ]; then path=$(readlink -f "$path"); fi
    printf '%s\n' "${path#/dev/}"
}
interface_name() { # The interface with this MAC address; a name stays as it is.
    local path
    case $1 in *:*) ;; *) printf '%s\n' "$1"; return ;; esac
    for path in /sys/class/net/*; do
        [ -e "$path/device" ] || continue
        if [ "$(tr A-F a-f <"$path/address")" = "$(printf %s "$1" | tr A-F a-f)" ]; then printf '%s\n' "${path##*/}"; return; fi
    done
}

udevadm settle --timeout=30 || true
{% if settings.layout == 'raid1' and settings.raid_disks -%}
disks=$(for disk in {{ settings.raid_disks|shell }}; do disk_name "$disk"; done)
{% elif settings.disk == 'auto' or settings.layout == 'raid1' -%}
disks=$(find_disks)
{% else -%}
disks=$(disk_name {{ settings.disk|shell }})
{% endif -%}
disk1=$(printf '%s\n' "$disks" | sed -n 1p)
disk2=$(printf '%s\n' "$disks" | sed -n 2p)
[ -n "$disk1" ] || give_up disks 'No disk found: every disk is removable, or no driver has one'
{% if settings.layout == 'raid1' -%}
[ -n "$disk2" ] || give_up disks 'The layout raid1 needs two disks; only one was found'
{% endif -%}
for disk in $disk1{% if settings.layout == 'raid1' %} $disk2{% endif %}; do
    [ -b "/dev/$disk" ] || give_up disks "There is no disk /dev/$disk on this server"
done
{% if settings.layout == 'encrypted' and not settings.luks_passphrase -%}
give_up disks 'The layout encrypted needs the setting luks_passphrase'
{% endif -%}
set -- -e "s|@DISK1@|$disk1|g" -e "s|@DISK2@|$disk2|g"
{% if settings.bond_interfaces -%}
number=0
for interface in {{ settings.bond_interfaces|shell }}; do
    number=$((number + 1))
    port=$(interface_name "$interface")
    [ -n "$port" ] && [ -e "/sys/class/net/$port" ] || give_up interfaces "There is no network interface $interface, which bond_interfaces names"
    set -- "$@" -e "s|@PORT$number@|$port|g"
done
{% endif -%}
curl -fsS -m 30 --retry 10 --retry-delay 3 -o /run/bootledger/profile.json {{ (files_url ~ '/agama.json')|shell }} ||
    give_up profile 'The profile agama.json cannot be fetched'
sed "$@" /run/bootledger/profile.json >/run/bootledger/agama.json || give_up profile 'The profile cannot be written'
chmod 600 /run/bootledger/*.json
report disks 10 "Installing on $disk1{% if settings.layout == 'raid1' %} and $disk2{% endif %} (layout {{ settings.layout }})"

# Follows the unattended installation's own words. Agama waits for this script's output, so nothing may hold it open.
(
    journalctl -f -n 0 -o cat -u agama-autoinstall | while read -r line; do
        case $line in
            *'Skipping the auto-installation'* | Error:* | *'Could not load'*)
                report failed '' "Agama stopped: $line" -d failed=1
                send_logs
                ;;
        esac
    done
) </dev/null >/dev/null 2>&1 &
exit 0
