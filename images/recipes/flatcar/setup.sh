#!/bin/bash
# Runs once, before networkd, in the first boot of {{ hostname }} from its disk.
set -u
printf '%s\n' {{ hostname|shell }} > /etc/hostname
printf '%s' {{ hostname|shell }} > /proc/sys/kernel/hostname
zone={{ settings.time_zone|shell }}
if [ -f "/usr/share/zoneinfo/$zone" ]; then ln -sf "../usr/share/zoneinfo/$zone" /etc/localtime; fi
printf 'KEYMAP=%s\n' {{ settings.keyboard|shell }} > /etc/vconsole.conf
{% if settings.ntp_servers %}mkdir -p /etc/systemd/timesyncd.conf.d
printf '[Time]\nNTP=%s\n' {{ settings.ntp_servers|join(" ")|shell }} > /etc/systemd/timesyncd.conf.d/10-bootledger.conf
{% endif %}{% if settings.proxy %}mkdir -p /etc/systemd/system.conf.d
proxy={{ settings.proxy|replace("\\", "")|replace('"', "")|replace("%", "%%")|shell }}
printf '[Manager]\nDefaultEnvironment="http_proxy=%s" "https_proxy=%s" "HTTP_PROXY=%s" "HTTPS_PROXY=%s"\n' "$proxy" "$proxy" "$proxy" "$proxy" > /etc/systemd/system.conf.d/10-proxy.conf
{% endif %}folder=/etc/systemd/network
mkdir -p "$folder"
address() {
    # The address of this server, for the interface that carries it.
{% if settings.network_config == "static" %}    printf '[Network]\nAddress=%s\n' {{ (ip ~ "/" ~ prefix)|shell }}
{% if gateway %}    printf 'Gateway=%s\n' {{ gateway|shell }}
{% endif %}{% for server in dns_servers %}    printf 'DNS=%s\n' {{ server|shell }}
{% endfor %}{% if domain %}    printf 'Domains=%s\n' {{ domain|shell }}
{% endif %}{% else %}    printf '[Network]\nDHCP=ipv4\n'
{% endif %}}
match() {
    # A MAC address or a name.
    if [[ "$1" =~ ^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$ ]]; then printf '[Match]\nPermanentMACAddress=%s\nType=ether\n\n' "$1"; else printf '[Match]\nName=%s\n\n' "$1"; fi
}
{% if settings.bond_interfaces %}parent=bond0
printf '[NetDev]\nName=bond0\nKind=bond\nMACAddress=%s\n\n[Bond]\nMode=%s\nMIIMonitorSec=100ms\nLACPTransmitRate=fast\n' {{ mac|shell }} {{ settings.bond_mode|shell }} > "$folder/10-bond0.netdev"
number=0
for member in {{ settings.bond_interfaces|shell }}; do
    number=$((number + 1))
    { match "$member"; printf '[Network]\nBond=bond0\n'; } > "$folder/10-bond0-member$number.network"
done
printf '[Match]\nName=bond0\n\n' > "$folder/20-bond0.network"
file="$folder/20-bond0.network"
{% else %}parent=lan0
match {{ mac|shell }} > "$folder/20-lan0.network"
file="$folder/20-lan0.network"
{% endif %}{% if settings.vlan > 0 %}printf '[NetDev]\nName=vlan%s\nKind=vlan\n\n[VLAN]\nId=%s\n' {{ settings.vlan }} {{ settings.vlan }} > "$folder/15-vlan.netdev"
printf '[Network]\nVLAN=vlan%s\nLinkLocalAddressing=no\n' {{ settings.vlan }} >> "$file"
{ printf '[Match]\nName=vlan%s\n\n' {{ settings.vlan }}; address; } > "$folder/25-vlan.network"
{% else %}address >> "$file"
{% endif %}chmod 644 "$folder"/*.network
chmod -f 644 "$folder"/*.netdev
mkdir -p /etc/bootledger
: > /etc/bootledger/set-up
