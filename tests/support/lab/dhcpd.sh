# Its check is not given -q, which silences the mistakes, too.
# ISC dhcpd reads its configuration only at its start, so a reload is a restart, of a few milliseconds, with the leases kept.
[ $action = check ] && exec "$program" -4 -t -cf "${1:-$configuration}"

# A configuration with a mistake must not stop the server that still serves the old one.
"$program" -4 -t -cf "$configuration" || exit 1
touch "$folder/leases"
stop
# shellcheck disable=SC2086
start $sudo ip netns exec "$namespace" "$program" -4 -f -d -cf "$configuration" -lf "$folder/leases" --no-pid "$interface"
# It is said last, when the leases are read and the interface is open.
await 'Server starting service' 'exiting' || complain "dhcpd does not run"
