# dnsmasq reads its configuration only at its start (SIGHUP is for other files), so a reload is a restart. Its configuration
# keeps no leases on disk. As root it would become another user, who may not read the lab's folder.
[ $action = check ] && exec "$program" --test -C "${1:-$configuration}"

# A configuration with an error must not stop the server that still serves the old one.
"$program" --test -C "$configuration" || exit 1
stop
# shellcheck disable=SC2086
start $sudo ip netns exec "$namespace" "$program" -C "$configuration" --keep-in-foreground --log-facility=- --pid-file= \
    --user=root --interface="$interface"
# dnsmasq prints this when the sockets are open.
await 'started, version' 'FAILED to start up' || complain "dnsmasq does not run"
