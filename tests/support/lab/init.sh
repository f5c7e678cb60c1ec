#!/bin/busybox sh
# Plays an operating system's installer: gets an address, fetches its kickstart, reports that it is done, switches off.
# It reads from the kernel's command line:
#   kickstart_url=  fetched and shown, if given
#   done_url=       requested once the "installation" has ended
#   after_install=  "reboot" to restart as real installers do, instead of switching off
/bin/busybox mkdir -p /dev /proc /sys /bin /etc
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
# The test reads the serial port, whatever console the command line names.
exec </dev/null >/dev/ttyS0 2>&1
echo 1 >/proc/sys/kernel/printk

say() { echo "installer: $*"; }
fail() {
    say "failed: $*"
    poweroff -f
}
argument() { # NAME: the value of NAME= on the kernel's command line
    # shellcheck disable=SC2013
    for word in $(cat /proc/cmdline); do
        case $word in "$1"=*) echo "${word#*=}" ;; esac
    done | tail -n 1
}
fetch() { # URL: its content; retries, because a network may need a moment
    for try in 1 2 3 4 5; do
        # Debian's static busybox crashes with wget's own option -T.
        timeout 10 wget -q -O - "$1" && return 0
        say "attempt $try of $1 failed" >/dev/ttyS0
        sleep 1
    done
    return 1
}

say "started with $(cat /proc/cmdline)"
for module in /modules/*.ko; do insmod "$module" || fail "cannot load $module"; done
ip link set lo up
ip link set eth0 up || fail "there is no network card"
udhcpc -i eth0 -f -q -n -t 10 -T 2 -s /lease || fail "no address by DHCP"

kickstart_url=$(argument kickstart_url)
if [ -n "$kickstart_url" ]; then
    say "kickstart from $kickstart_url"
    fetch "$kickstart_url" >/kickstart || fail "no kickstart"
    echo "--- kickstart begins"
    cat /kickstart
    echo
    echo "--- kickstart ends"
fi

done_url=$(argument done_url)
if [ -n "$done_url" ]; then
    say "done, telling $done_url"
    answer=$(fetch "$done_url") || fail "nobody takes note"
    say "the answer is $answer"
fi

echo installed
[ "$(argument after_install)" = reboot ] && reboot -f
poweroff -f
