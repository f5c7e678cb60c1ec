# The check runs without -q, which would also silence the errors.
# ISC dhcpd reads its configuration only at its start. A reload is a restart, which takes milliseconds and keeps the leases.
[ $action = check ] && exec "$program" -4 -t -cf "${1:-$configuration}"

# A configuration with an error must not stop the server that still serves the old one.
"$program" -4 -t -cf "$configuration" || exit 1
touch "$folder/leases"
stop
# shellcheck disable=SC2086
start $sudo ip netns exec "$namespace" "$program" -4 -f -d -cf "$configuration" -lf "$folder/leases" --no-pid "$interface"
# dhcpd prints this last, when the leases are read and the interface is open.
await 'Server starting service' 'exiting' || complain "dhcpd does not run"
