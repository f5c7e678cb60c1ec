#!/bin/bash
# Runs once, when Proxmox VE on {{ hostname }} has started from its disk.
set -u
umask 077
log=/var/log/bootledger-first-boot.log
exec > >(tee -a "$log") 2>&1
# curl may be missing on a small installation; wget is part of Proxmox VE.
fetch() {
    if command -v curl > /dev/null; then curl -fsS -m 10 -o /dev/null "$1"; else wget -q -T 10 -t 1 -O /dev/null "$1"; fi
}
report() { fetch {{ progress_url|shell }}"?$1" || true; }
fail() {
    echo "failed: $1"
    # Perl is always there. It encodes the text for the address.
    words=$(printf '%s' "$1" | perl -pe 's/([^A-Za-z0-9._-])/sprintf("%%%02X", ord($1))/ge')
    report "stage=failed&failed=1&text=$words"
    tail -c 65536 "$log" > /run/bootledger-tail
    if command -v curl > /dev/null; then
        curl -fsS -m 20 -o /dev/null -X POST --data-binary @/run/bootledger-tail {{ log_url|shell }} || true
    else
        wget -q -T 20 -t 1 -O /dev/null --post-file=/run/bootledger-tail {{ log_url|shell }} || true
    fi
    exit 1
}
report 'stage=first-boot&percent=85'
printf '%s\n' {{ ("root:" ~ settings.root_password_hash)|shell }} | chpasswd -e || fail "the root password could not be set"
{% if settings.ntp_servers %}mkdir -p /etc/chrony/sources.d
sed -i -e '/^pool /d' -e '/^server /d' /etc/chrony/chrony.conf
: > /etc/chrony/sources.d/bootledger.sources
{% for server in settings.ntp_servers %}printf 'server %s iburst\n' {{ server|shell }} >> /etc/chrony/sources.d/bootledger.sources
{% endfor %}chmod 644 /etc/chrony/sources.d/bootledger.sources
systemctl restart chrony || true
{% endif %}{% if settings.proxy %}printf 'Acquire::http::Proxy "%s";\n' {{ settings.proxy|replace('"', "")|shell }} > /etc/apt/apt.conf.d/90proxy
chmod 644 /etc/apt/apt.conf.d/90proxy
{% endif %}{% if settings.repository == "no-subscription" %}rm -f /etc/apt/sources.list.d/pve-enterprise.sources /etc/apt/sources.list.d/ceph.sources
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: pve-no-subscription\nSigned-By: /usr/share/keyrings/proxmox-archive-keyring.gpg\n' {{ settings.mirror_url|shell }} > /etc/apt/sources.list.d/proxmox.sources
chmod 644 /etc/apt/sources.list.d/proxmox.sources
{% endif %}{% if settings.packages %}report 'stage=packages&percent=90'
export DEBIAN_FRONTEND=noninteractive
apt-get -q update && apt-get -qy install -- {{ settings.packages|shell }} || fail "apt-get could not install the packages"
{% endif %}{% if settings.bond_interfaces or settings.vlan > 0 %}report 'stage=network&percent=93'
# The name of an interface, from its name or its MAC address.
name_of() {
    local wanted address
    wanted=$(printf '%s' "$1" | tr 'A-Z-' 'a-z:')
    for address in /sys/class/net/*/address; do
        if [ "$(cat "$address")" = "$wanted" ] && [ -e "${address%/address}/device" ]; then basename "${address%/address}"; return; fi
    done
    printf '%s' "$1"
}
old=/etc/network/interfaces.before-bootledger
[ -e "$old" ] || cp /etc/network/interfaces "$old"
{
    printf 'auto lo\niface lo inet loopback\n'
{% if settings.bond_interfaces %}    members=
    for member in {{ settings.bond_interfaces|shell }}; do
        name=$(name_of "$member")
        members="$members $name"
        printf '\niface %s inet manual\n' "$name"
    done
    port=bond0
    printf '\nauto bond0\niface bond0 inet manual\n\tbond-slaves%s\n\tbond-miimon 100\n\tbond-mode %s\n' "$members" {{ settings.bond_mode|shell }}
{% else %}    port=$(name_of {{ mac|shell }})
    printf '\niface %s inet manual\n' "$port"
{% endif %}    carrier=vmbr0
{% if settings.vlan > 0 %}    carrier=vmbr0.{{ settings.vlan }}
    printf '\nauto vmbr0\niface vmbr0 inet manual\n\tbridge-ports %s\n\tbridge-stp off\n\tbridge-fd 0\n\tbridge-vlan-aware yes\n\tbridge-vids 2-4094\n' "$port"
{% endif %}    printf '\nauto %s\niface %s inet static\n\taddress %s\n' "$carrier" "$carrier" {{ (ip ~ "/" ~ prefix)|shell }}
{% if gateway %}    printf '\tgateway %s\n' {{ gateway|shell }}
{% endif %}{% if settings.vlan == 0 %}    printf '\tbridge-ports %s\n\tbridge-stp off\n\tbridge-fd 0\n' "$port"
{% endif %}    printf '\nsource /etc/network/interfaces.d/*\n'
} > /etc/network/interfaces.new
chmod 644 /etc/network/interfaces.new
mv /etc/network/interfaces.new /etc/network/interfaces
ifreload -a || fail "ifreload did not accept the new network configuration"
{% endif %}{% for command in settings.late_commands %}bash -c {{ command|shell }} || fail "late command {{ loop.index }} failed with status $?"
{% endfor %}# DONE is safe to repeat.
for try in $(seq 60); do
    fetch {{ done_url|shell }} && exit 0
    sleep 10
done
fail "the server did not take DONE"
