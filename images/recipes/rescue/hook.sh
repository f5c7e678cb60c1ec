#!/bin/sh
# live-config runs this once, early in the boot of the rescue system of {{ hostname }}.
umask 077
mkdir -p /root/.ssh /run/systemd/system /usr/local/sbin
{% for key in settings.ssh_keys %}printf '%s\n' {{ key|shell }} >> /root/.ssh/authorized_keys
{% endfor %}chmod 700 /root/.ssh
# The live system's user has a well-known password, so SSH takes keys only.
mkdir -p /etc/ssh/sshd_config.d
printf 'PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n' > /etc/ssh/sshd_config.d/rescue.conf
chmod -R a+rX /etc/ssh/sshd_config.d
printf '%s\n' {{ hostname|shell }} > /etc/hostname
chmod 644 /etc/hostname
hostname {{ hostname|shell }}
printf '127.0.1.1 %s %s\n' {{ hostname|shell }} {{ hostname|split(".")|first|shell }} >> /etc/hosts
zone={{ settings.time_zone|shell }}
if [ -f "/usr/share/zoneinfo/$zone" ]; then
    ln -sf "/usr/share/zoneinfo/$zone" /etc/localtime
    printf '%s\n' "$zone" > /etc/timezone
fi
printf 'XKBLAYOUT="%s"\n' {{ settings.keyboard|replace('"', "")|replace("\\", "")|replace("$", "")|replace("`", "")|shell }} > /etc/default/keyboard
chmod 644 /etc/default/keyboard
if command -v setupcon > /dev/null; then setupcon --force; fi
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
# The console signs in as root by itself: the system has no password, and it is there to repair the server.
autologin() {
    mkdir -p "/run/systemd/system/$1.service.d"
    printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear %s $TERM\n' "$2" > "/run/systemd/system/$1.service.d/zz-bootledger.conf"
    chmod 755 "/run/systemd/system/$1.service.d"
    chmod 644 "/run/systemd/system/$1.service.d/zz-bootledger.conf"
}
autologin getty@ '%I'
autologin serial-getty@ '--keep-baud 115200,57600,38400,9600 %I'
{% if settings.ntp_servers %}mkdir -p /run/systemd/timesyncd.conf.d
printf '[Time]\nNTP=%s\n' {{ settings.ntp_servers|join(" ")|shell }} > /run/systemd/timesyncd.conf.d/bootledger.conf
chmod -R a+rX /run/systemd/timesyncd.conf.d
{% endif %}{% if settings.proxy %}printf 'Acquire::http::Proxy "%s";\n' {{ settings.proxy|replace('"', "")|shell }} > /etc/apt/apt.conf.d/90proxy
chmod 644 /etc/apt/apt.conf.d/90proxy
{% endif %}# A quoted here-document: the shell changes nothing in it.
cat > /usr/local/sbin/bootledger-ready <<'END_OF_BOOTLEDGER_READY'
#!/bin/sh
# Runs when the system has started: reports to the server that deploys it.
log=/var/log/bootledger.log
exec >> "$log" 2>&1
fetch() {
    if command -v curl > /dev/null; then curl -fsS -m 10 -o /dev/null "$@"; else wget -q -T 10 -O /dev/null "$@"; fi
}
report() { fetch "$1" || true; }
fail() {
    echo "failed: $1"
    if command -v curl > /dev/null; then
        curl -fsS -m 10 -o /dev/null --data-urlencode stage="$1" --data-urlencode failed=1 --data-urlencode text="$2" {{ progress_url|shell }} || true
        tail -c 65536 "$log" | curl -fsS -m 20 -o /dev/null -X POST --data-binary @- {{ log_url|shell }} || true
    fi
}
report {{ progress_url|shell }}'?stage=started&percent=50'
export DEBIAN_FRONTEND=noninteractive
if ! command -v sshd > /dev/null; then
    apt-get -q update && apt-get -qy install openssh-server || fail ssh "openssh-server is missing and could not be installed"
fi
systemctl start ssh
{% if settings.packages %}if ! { apt-get -q update && apt-get -qy install -- {{ settings.packages|shell }}; }; then
    fail packages "apt-get could not install the packages"
fi
{% endif %}{% for command in settings.late_commands %}sh -c {{ command|shell }} || fail late-command "late command {{ loop.index }} failed"
{% endfor %}# DONE is safe to repeat.
tries=0
until fetch {{ done_url|shell }}; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || exit 1
    sleep 10
done
END_OF_BOOTLEDGER_READY
chmod 700 /usr/local/sbin/bootledger-ready
cat > /run/systemd/system/bootledger.service <<'END'
[Unit]
Description=Report to the server that deploys this machine
Wants=network-online.target
After=network-online.target ssh.service

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/bootledger-ready
END
chmod 644 /run/systemd/system/bootledger.service
systemctl daemon-reload
systemctl --no-block start bootledger.service
exit 0
