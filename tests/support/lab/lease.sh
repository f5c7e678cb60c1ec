#!/bin/busybox sh
# shellcheck disable=SC2154
# udhcpc calls this script with the lease from the DHCP server.
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
for gateway in $router; do ip route add default via "$gateway"; done
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
echo "installer: address $ip/$mask from ${serverid:-nobody}, router ${router:-none}, host name ${hostname:-none}"
