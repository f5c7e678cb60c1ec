# Functions that the scripts of all DHCP servers share. The lab's own values precede it: program, configuration, folder, log,
# namespace, interface, sudo (empty for root) and action.
set -u

complain() {
    echo "$*" >&2
    echo "--- the end of $log" >&2
    tail -n 30 "$log" >&2
    exit 1
}

# Prints the server's process id, if it runs. The id alone proves nothing: it must run the lab's copy of the program.
running() {
    pid=$(cat "$folder/pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && $sudo readlink "/proc/$pid/exe" | grep -qxF "$program"
}

# Starts a command in the namespace, detached from the caller, whose pipes it must not keep open.
start() {
    # shellcheck disable=SC2016
    setsid sh -c 'echo $$ >"$0"; exec "$@"' "$folder/pid" "$@" </dev/null >>"$log" 2>&1 9>&- &
}

# Stops the server, if it runs.
stop() {
    running || return 0
    $sudo kill "$pid"
    left=200
    while running && [ $left -gt 0 ]; do
        left=$((left - 1))
        sleep 0.05
    done
    running && $sudo kill -KILL "$pid"
    return 0
}

# Waits up to 20 s until the log, from byte $from on, contains $1. Fails as soon as it contains $2 or the server has ended.
await() {
    left=400
    while [ $left -gt 0 ]; do
        alive=yes
        running || alive=no
        tail -c "+$from" "$log" >"$folder/news"
        grep -qE "$1" "$folder/news" && return 0
        if grep -qE "$2" "$folder/news"; then return 1; fi
        # A process that was just started may not run the program yet.
        if [ $alive = no ] && [ $left -lt 360 ]; then return 1; fi
        left=$((left - 1))
        sleep 0.05
    done
    return 1
}

touch "$log"
# Concurrent reloads take turns.
exec 9>"$folder/lock"
flock 9
from=$(($(wc -c <"$log") + 1))
