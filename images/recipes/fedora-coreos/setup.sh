#!/bin/bash
# Runs once, before NetworkManager, in the first boot of {{ hostname }} from its disk.
set -u
umask 077
printf '%s\n' {{ hostname|shell }} > /etc/hostname
chmod 644 /etc/hostname
printf '%s' {{ hostname|shell }} > /proc/sys/kernel/hostname
zone={{ settings.time_zone|shell }}
if [ -f "/usr/share/zoneinfo/$zone" ]; then ln -sf "../usr/share/zoneinfo/$zone" /etc/localtime; fi
printf 'KEYMAP=%s\n' {{ settings.keyboard|shell }} > /etc/vconsole.conf
chmod 644 /etc/vconsole.conf
{% if settings.ntp_servers %}sed -i -e '/^pool /d' -e '/^server /d' /etc/chrony.conf
{% for server in settings.ntp_servers %}printf 'server %s iburst\n' {{ server|shell }} >> /etc/chrony.conf
{% endfor %}{% endif %}{% if settings.proxy %}mkdir -p -m 755 /etc/systemd/system.conf.d
proxy={{ settings.proxy|replace("\\", "")|replace('"', "")|replace("%", "%%")|shell }}
printf '[Manager]\nDefaultEnvironment="http_proxy=%s" "https_proxy=%s" "HTTP_PROXY=%s" "HTTPS_PROXY=%s"\n' "$proxy" "$proxy" "$proxy" "$proxy" > /etc/systemd/system.conf.d/10-proxy.conf
chmod 644 /etc/systemd/system.conf.d/10-proxy.conf
{% endif %}folder=/etc/NetworkManager/system-connections
mkdir -p "$folder"
rm -f "$folder"/*.nmconnection
address() {
    # The address of this server, for the connection that carries it.
{% if settings.network_config == "static" %}    printf '\n[ipv4]\nmethod=manual\naddress1=%s\n' {{ (ip ~ "/" ~ prefix ~ ("," ~ gateway if gateway else ""))|shell }}
{% if dns_servers %}    printf 'dns=%s;\n' {{ dns_servers|join(";")|shell }}
{% endif %}{% if domain %}    printf 'dns-search=%s;\n' {{ domain|shell }}
{% endif %}{% else %}    printf '\n[ipv4]\nmethod=auto\n'
{% endif %}    printf '\n[ipv6]\nmethod=auto\n'
}
none() { printf '\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=disabled\n'; }
# A connection is bound to an interface by its MAC address or its name.
is_mac() { [[ "$1" =~ ^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$ ]]; }
ethernet() {
    printf '[connection]\nid=%s\ntype=ethernet\n' "$1"
    if ! is_mac "$2"; then printf 'interface-name=%s\n' "$2"; fi
    if [ -n "$3" ]; then printf 'master=%s\nslave-type=bond\n' "$3"; fi
    printf '\n[ethernet]\n'
    if is_mac "$2"; then printf 'mac-address=%s\n' "$2"; fi
}
{% if settings.bond_interfaces %}parent=bond0
number=0
for member in {{ settings.bond_interfaces|shell }}; do
    number=$((number + 1))
    ethernet "bond0-member$number" "$member" bond0 > "$folder/bond0-member$number.nmconnection"
done
{ printf '[connection]\nid=bond0\ntype=bond\ninterface-name=bond0\n\n[ethernet]\ncloned-mac-address=%s\n\n[bond]\nmode=%s\nmiimon=100\n' {{ mac|shell }} {{ settings.bond_mode|shell }}; {% if settings.vlan > 0 %}none{% else %}address{% endif %}; } > "$folder/bond0.nmconnection"
{% else %}parent={{ mac|shell }}
{ ethernet lan0 {{ mac|shell }} ''; {% if settings.vlan > 0 %}none{% else %}address{% endif %}; } > "$folder/lan0.nmconnection"
{% endif %}{% if settings.vlan > 0 %}{
    printf '[connection]\nid=vlan%s\ntype=vlan\ninterface-name=vlan%s\n' {{ settings.vlan }} {{ settings.vlan }}
    if is_mac "$parent"; then printf '\n[ethernet]\nmac-address=%s\n' "$parent"; fi
    printf '\n[vlan]\nid=%s\n' {{ settings.vlan }}
    if ! is_mac "$parent"; then printf 'parent=%s\n' "$parent"; fi
    address
} > "$folder/vlan.nmconnection"
{% endif %}chmod 600 "$folder"/*.nmconnection
# The files get the labels that SELinux expects of them.
restorecon -RF /etc/hostname /etc/localtime /etc/vconsole.conf /etc/chrony.conf /etc/systemd/system.conf.d "$folder" 2> /dev/null || true
mkdir -p -m 755 /etc/bootledger
: > /etc/bootledger/set-up
