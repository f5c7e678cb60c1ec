# Kea re-reads its configuration on SIGHUP and logs the result.
#
# Its default folders are the system's, which may not even exist, so it gets the lab's: through variables if it has some, and
# otherwise (leases, before 2.7) through a mount that only this process sees, since `ip netns exec` gives it mounts of its own.
# The user who runs the tests may open its control socket if Kea runs as root.
# A check runs in the namespace, too: Kea refuses a configuration whose interfaces it cannot find.
#
# Kea 3 accepts a control socket only in a folder that others may not enter, and hook libraries only from its own folder.
mkdir -p "$folder/leases"
chmod 750 "$folder"
# shellcheck disable=SC2016
settle='mount -t tmpfs lab /var/lib && mkdir /var/lib/kea && mount --bind "$0/leases" /var/lib/kea || exit 1
umask 0
export KEA_PIDFILE_DIR="$0" KEA_LOCKFILE_DIR="$0" KEA_CONTROL_SOCKET_DIR="$0" KEA_LOGGER_DESTINATION=stdout
export KEA_DHCP_DATA_DIR="$0" KEA_LOG_FILE_DIR="$0"
[ -z "$1" ] || export KEA_HOOKS_PATH="$1"
shift
exec "$@"'
check() {
    # shellcheck disable=SC2086
    $sudo ip netns exec "$namespace" sh -c "$settle" "$folder" "${hooks:-}" "$program" -t "$1"
}
[ $action = check ] && { check "${1:-$configuration}"; exit; }

# A configuration with an error must not reach the server that still serves the old one.
check "$configuration" || exit 1
if running; then
    $sudo kill -HUP "$pid"
    await DHCP4_DYNAMIC_RECONFIGURATION_SUCCESS 'DHCP4_DYNAMIC_RECONFIGURATION_FAIL|DHCP4_CONFIG_LOAD_FAIL' ||
        complain "kea-dhcp4 does not take its new configuration"
    exit 0
fi
# shellcheck disable=SC2086
start $sudo ip netns exec "$namespace" sh -c "$settle" "$folder" "${hooks:-}" "$program" -c "$configuration"
await DHCP4_STARTED 'DHCP4_INIT_FAIL|DHCP4_CONFIG_LOAD_FAIL|DHCP4_OPEN_SOCKET_FAIL' || complain "kea-dhcp4 does not run"
