#!/bin/sh
# The installer runs this among its last steps, with the installed system in /target. When something of it fails, the
# deployment is marked as failing, and the server stays in the installer instead of being installed again.

failed() {
    bootledger-report --failed late-commands "$1"
    touch /tmp/bootledger-failed
    exit 1
}

# --- Users' keys ---------------------------------------------------------------------------------------------------------
keys() {
    home=$1
    owner=$2
    mkdir -p "/target$home/.ssh"
    for key in {{ settings.ssh_keys|shell }}; do printf '%s\n' "$key"; done >"/target$home/.ssh/authorized_keys"
    chmod 700 "/target$home/.ssh"
    chmod 600 "/target$home/.ssh/authorized_keys"
    chroot /target chown -R "$owner:" "$home/.ssh" || failed "the SSH keys of $owner could not be written"
}
{%- if settings.ssh_keys %}
keys /root root
{%- endif %}
{%- if settings.user_name %}
user={{ settings.user_name|shell }}
{%- if settings.ssh_keys %}
keys "/home/$user" "$user"
{%- endif %}
chroot /target adduser --quiet "$user" sudo || failed "$user could not be added to the group sudo"
{%- endif %}

# --- The network of the installed system ---------------------------------------------------------------------------------
by_mac() { # INTERFACE-OR-MAC: prints the interface's name
    for interface in /sys/class/net/*; do
        if [ "$(cat "$interface/address" 2>/dev/null)" = "$(echo "$1" | tr 'A-F' 'a-f')" ]; then basename "$interface"; return; fi
    done
    echo "$1"
}
boot_interface=$(ip -o -4 address show | sed -n 's|^[0-9]*: *\([^ ]*\) .* '{{ ip|replace(".", "[.]")|shell }}'/.*|\1|p' | head -n 1)
[ -n "$boot_interface" ] || boot_interface=$(by_mac {{ mac|shell }})
lower=$boot_interface
mkdir -p /target/etc/network/interfaces.d
{
    printf '# Written by the installation.\nsource /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n'
{%- if settings.bond_interfaces %}
    members=
    for member in {{ settings.bond_interfaces|shell }}; do members="$members $(by_mac "$member")"; done
    lower=bond0
    for member in $members; do printf '\nauto %s\niface %s inet manual\n    bond-master bond0\n' "$member" "$member"; done
{%- endif %}
    interface=$lower
{%- if settings.vlan %}
    interface=$lower.{{ settings.vlan }}
    printf '\nauto %s\niface %s inet manual\n' "$lower" "$lower"
{%- if settings.bond_interfaces %}
    printf '    bond-slaves none\n    bond-mode %s\n    bond-miimon 100\n' {{ settings.bond_mode|shell }}
{%- endif %}
{%- endif %}
{%- if settings.network_config == "dhcp" %}
    printf '\nauto %s\niface %s inet dhcp\n' "$interface" "$interface"
{%- else %}
    printf '\nauto %s\niface %s inet static\n    address %s\n' "$interface" "$interface" {{ ip }}/{{ prefix }}
{%- if gateway %}
    printf '    gateway %s\n' {{ gateway }}
{%- endif %}
{%- endif %}
{%- if settings.vlan %}
    printf '    vlan-raw-device %s\n' "$lower"
{%- elif settings.bond_interfaces %}
    printf '    bond-slaves none\n    bond-mode %s\n    bond-miimon 100\n' {{ settings.bond_mode|shell }}
{%- endif %}
} >/target/etc/network/interfaces
{%- if settings.network_config != "dhcp" and dns_servers %}
{
    printf 'search %s\n' {{ domain|shell }}
    for server in {{ dns_servers }}; do printf 'nameserver %s\n' "$server"; done
} >/target/etc/resolv.conf
{%- elif not dns_servers %}
# The installer would have asked for a name server, and was given itself.
sed -i '/^nameserver 127\.0\.0\.1$/d' /target/etc/resolv.conf
{%- endif %}
{%- if settings.ntp_servers %}
if [ -d /target/etc/systemd ]; then
    mkdir -p /target/etc/systemd/timesyncd.conf.d
    printf '[Time]\nNTP=%s\n' {{ settings.ntp_servers|join(" ")|shell }} >/target/etc/systemd/timesyncd.conf.d/bootledger.conf
fi
{%- endif %}

# --- Commands in the installed system ------------------------------------------------------------------------------------
{%- for command in settings.late_commands %}
in-target sh -c {{ command|shell }} || failed "late command {{ loop.index }} failed; see the log"
{%- endfor %}
exit 0
