#!/bin/sh
# The installer runs this as soon as it has read preseed.cfg. It writes what is run later, and reports from then on what
# the installer does. It must never keep the installer from going on: a report that fails is left out.
set -e

# --- bootledger-report STAGE [PERCENT] [TEXT], or bootledger-report --failed STAGE TEXT, or bootledger-report --log -----
cat >/bin/bootledger-report <<'END'
#!/bin/sh
post() { wget -q -T 5 -t 1 -O /dev/null "$@" || true; }
word() { printf '%s' "$1" | sed 's/%/%25/g; s/&/%26/g; s/+/%2B/g; s/=/%3D/g; s/#/%23/g; s/;/%3B/g; s/ /+/g'; }
case $1 in
    --log)
        tail -c 60000 /var/log/syslog >/tmp/bootledger-log
        post --post-file=/tmp/bootledger-log {{ log_url|shell }}
        ;;
    --failed) post --post-data="stage=$2&failed=1&text=$(word "$3")" {{ progress_url|shell }} ;;
    *) post --post-data="stage=$1&percent=$2&text=$(word "$3")" {{ progress_url|shell }} ;;
esac
END

# --- bootledger-watch: the installer's own log says which step begins, and which fails ---------------------------------
cat >/bin/bootledger-watch <<'END'
#!/bin/sh
seen=0
while :; do
    lines=$(wc -l </var/log/syslog)
    if [ "$lines" -gt "$seen" ]; then
        sed -n "$((seen + 1)),${lines}p" /var/log/syslog | while IFS= read -r line; do
            case $line in
                *"main-menu["*"Menu item '"*"' selected"*)
                    item=${line#*Menu item \'}
                    item=${item%%\'*}
                    case $item in
                        download-installer) bootledger-report components 10 'loading components of the installer' ;;
                        disk-detect) bootledger-report disks 15 'looking for disks' ;;
                        partman-base) bootledger-report partitioning 20 'partitioning the disks' ;;
                        bootstrap-base) bootledger-report base-system 25 'installing the base system' ;;
                        apt-setup-udeb) bootledger-report apt 70 'configuring apt' ;;
                        pkgsel) bootledger-report packages 75 'installing packages' ;;
                        grub-installer) bootledger-report boot-loader 90 'installing the boot loader' ;;
                        finish-install) bootledger-report finishing 95 'finishing the installation' ;;
                    esac
                    ;;
                *"base-installer: info: Using kernel"*) bootledger-report kernel 55 "installing the kernel" ;;
                # The words before it say why; the dialogue that follows waits for someone.
                *"base-installer: error: exiting on error "*)
                    words=$(sed -n "1,${lines}p" /var/log/syslog | grep -e 'debootstrap: [EW]:' -e 'error:' | grep -v 'exiting on error' | tail -n 1 | cut -d ' ' -f 4-)
                    bootledger-report --failed base-system "the base system could not be installed: ${words:-${line##*exiting on error }}"
                    bootledger-report --log
                    ;;
                *"main-menu["*"Configuring '"*"' failed with error code"*)
                    # The last words before it, which are the failed step's own.
                    words=$(sed -n "1,${lines}p" /var/log/syslog | sed 's/\^M$//' | grep -v -e 'WARNING \*\*' -e ': *$' -e 'cdebconf' | tail -n 1 | cut -d ' ' -f 4-)
                    item=${line#*Configuring \'}
                    bootledger-report --failed "${item%%\'*}" "${item%%\'*} failed: $words"
                    bootledger-report --log
                    ;;
            esac
        done
        seen=$lines
    fi
    sleep 2
done
END

# --- bootledger-disks: run before the disks are partitioned ------------------------------------------------------------
cat >/bin/bootledger-disks <<'END'
#!/bin/sh
# A disk that is named may have any of its names, such as /dev/disk/by-id/….
wanted={{ settings.disk|shell }}
raid={{ settings.raid_disks|join(" ")|shell }}
layout={{ settings.layout|shell }}

usable() { # the disks that are not removable and have room for a system
    for disk in $(list-devices disk); do
        name=$(basename "$disk")
        [ "$(cat "/sys/block/$name/removable" 2>/dev/null)" = 1 ] && continue
        [ "$(cat "/sys/block/$name/size" 2>/dev/null || echo 0)" -ge 4000000 ] && echo "$disk"
    done
}

case $layout in
    raid1)
        disks=
        [ -n "$raid" ] || raid=$(usable | head -n 2)
        for disk in $raid; do disks="$disks $(readlink -f "$disk")"; done
        disks=${disks# }
        set -- $disks
        [ $# -ge 2 ] || { bootledger-report --failed partitioning "RAID 1 needs two disks, and there is only: $disks"; exit 1; }
        ;;
    *)
        if [ "$wanted" = auto ] || [ -z "$wanted" ]; then disks=$(usable | head -n 1); else disks=$(readlink -f "$wanted"); fi
        [ -b "$disks" ] || { bootledger-report --failed partitioning "there is no disk $wanted; disks here: $(list-devices disk | tr '\n' ' ')"; exit 1; }
        ;;
esac
debconf-set partman-auto/disk "$disks"
debconf-set grub-installer/bootdev "$disks"
bootledger-report partitioning 20 "partitioning $disks"

if [ "$layout" = raid1 ]; then
    # The second partition of each disk is the RAID's; the first is what the firmware boots from.
    if [ -d /sys/firmware/efi ]; then
        first='300 300 500 free $iflabel{ gpt } $reusemethod{ } method{ efi } format{ } .'
    else
        first='1 1 1 free $iflabel{ gpt } $reusemethod{ } method{ biosgrub } .'
    fi
    debconf-set partman-auto/expert_recipe "raid1 :: $first 2000 10000 -1 raid \$lvmignore{ } \$primary{ } method{ raid } ."
    parts=
    for disk in $disks; do
        case $disk in *[0-9]) parts="$parts#${disk}p2" ;; *) parts="$parts#${disk}2" ;; esac
    done
    debconf-set partman-auto-raid/recipe "1 $# 0 ext4 / ${parts#\#} ."
fi
exit 0
END

{%- if settings.mirror_key %}

# --- A mirror that is signed by a key of its own: for the installer, and for the installed system -----------------------
rm -f /usr/share/keyrings/archive.gpg
echo {{ settings.mirror_key|shell }} | base64 -d >/usr/share/keyrings/archive.gpg
mkdir -p /usr/lib/base-installer.d
cat >/usr/lib/base-installer.d/60bootledger-key <<'END'
#!/bin/sh
mkdir -p /target/etc/apt/trusted.gpg.d
cp /usr/share/keyrings/archive.gpg /target/etc/apt/trusted.gpg.d/mirror.gpg
END
chmod 755 /usr/lib/base-installer.d/60bootledger-key
{%- endif %}

# --- What is run at the end ----------------------------------------------------------------------------------------------
mkdir -p /usr/lib/finish-install.d
wget -q -T 10 -t 5 -O /usr/lib/finish-install.d/08bootledger {{ files_url|shell }}/late.sh
cat >/usr/lib/finish-install.d/98bootledger-done <<'END'
#!/bin/sh
# The last thing. A server that restarts before this was answered would be installed again, so it is tried until there is
# an answer; one that says no (the deployment has ended otherwise) counts after a while.
if [ -e /tmp/bootledger-failed ]; then
    bootledger-report --log
    while :; do sleep 3600; done
fi
refused=0
until wget -q -T 10 -t 1 -O /dev/null {{ done_url|shell }}; do
    if [ $? = 8 ]; then refused=$((refused + 1)); fi
    if [ "$refused" -ge 30 ]; then break; fi
    sleep 10
done
exit 0
END
# The lease is given back before the last step, so that it has to be moved behind it.
if [ -e /usr/lib/finish-install.d/97release-dhcp-lease ]; then
    mv /usr/lib/finish-install.d/97release-dhcp-lease /usr/lib/finish-install.d/985release-dhcp-lease
fi
chmod 755 /bin/bootledger-* /usr/lib/finish-install.d/08bootledger /usr/lib/finish-install.d/98bootledger-done

bootledger-report preseed 5 'answers read; the installer goes on without questions'
# With nothing of the installer's own dialogue open, so that nothing waits for it.
/bin/bootledger-watch </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- &
exit 0
