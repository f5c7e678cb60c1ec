//! Virtual servers: QEMU with a BIOS and the iPXE of its network card, or with UEFI firmware that boots from the network by
//! itself; a disk that boots; and a serial console that tests read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::process::{Child, Command};

use super::command::privileged;
use super::disk::{UEFI_BOOT_FILE, bootable_disk, uefi_application};
use super::network::{BRIDGE, Network};
use super::wait::until;

/// The firmware of a virtual server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Firmware {
    /// A BIOS, with an iPXE in the network card's ROM.
    Bios,
    /// UEFI with PXE of its own: DHCP and TFTP.
    UefiPxe,
    /// UEFI that boots over HTTP, with its PXE switched off.
    UefiHttp,
    /// Like `UefiPxe`, with Secure Boot on and Microsoft's keys enrolled.
    UefiSecure,
    /// UEFI on 64-bit ARM processors, with PXE of its own. It has no disk, and its settings last until it is switched off.
    Arm64,
}

/// How a virtual server is built. The default switches off instead of rebooting.
#[derive(Clone, Debug)]
pub(crate) struct VmOptions {
    /// Whether a reboot starts the server again, from the network first, like a real server. Otherwise a reboot ends it.
    pub(crate) reboots: bool,
    pub(crate) memory_megabytes: u32,
    pub(crate) firmware: Firmware,
    /// The disk: an empty one of this size to install to, which later servers with the same MAC keep; otherwise a small one
    /// that boots.
    pub(crate) empty_disk_gigabytes: Option<u64>,
    /// A network card with this MAC before the one that boots, on a network without other machines.
    pub(crate) idle_card: Option<&'static str>,
}

impl Default for VmOptions {
    fn default() -> Self {
        Self { reboots: false, memory_megabytes: 512, firmware: Firmware::Bios, empty_disk_gigabytes: None, idle_card: None }
    }
}

/// A virtual server that is switched on. Dropping it cuts its power.
pub(crate) struct Vm {
    qemu: Child,
    /// Ends with the server.
    _router: Child,
    mac: String,
    console: PathBuf,
    messages: PathBuf,
}

impl Vm {
    pub(super) fn boot(network: &Network, folder: &Path, mac: &str, options: &VmOptions) -> Result<Self> {
        let id: String = mac.chars().filter(char::is_ascii_hexdigit).collect();
        // An interface's name has at most 15 characters.
        let tap = format!("tap{id}");
        network.add_tap(&tap)?;
        let file = |kind: &str| folder.join(format!("vm-{id}.{kind}"));
        let (console, messages) = (file("console"), file("qemu"));
        // An earlier server with this MAC may have left this file, owned by root, with text that must not count.
        fs::remove_file(&console).ok();

        let (program, machine) = match options.firmware {
            Firmware::Arm64 => ("qemu-system-aarch64", "virt"),
            // Secure Boot needs system management mode, which only firmware can enter, so that an operating system cannot
            // change the keys.
            Firmware::UefiSecure => ("qemu-system-x86_64", "q35,smm=on,graphics=off"),
            Firmware::Bios | Firmware::UefiPxe | Firmware::UefiHttp => ("qemu-system-x86_64", "pc,graphics=off"),
        };
        let mut command = privileged(&format!("ip netns exec {} {program}", network.namespace()));
        // On some machines guests hang with KVM, so it is only used when the variable requests it.
        let accelerator = std::env::var("BOOTLEDGER_LAB_ACCELERATOR").unwrap_or_else(|_| "tcg".to_owned());
        let accelerator = if options.firmware == Firmware::Arm64 { "tcg" } else { &accelerator };
        command.args(["-machine", machine, "-accel", accelerator]);
        if options.firmware == Firmware::UefiSecure {
            command.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        }
        command.args(["-m", &options.memory_megabytes.to_string(), "-display", "none", "-vga", "none", "-monitor", "none"]);
        command.args(["-serial", &format!("file:{}", console.display())]);
        if let Some(idle) = options.idle_card {
            // Its place on the bus is before the other card's, and it has no ROM to boot with.
            command.args(["-netdev", "hubport,id=idle,hubid=0"]);
            command.args(["-device", &format!("virtio-net-pci,netdev=idle,mac={idle},romfile=")]);
        }
        command.args(["-netdev", &format!("tap,id=port,ifname={tap},script=no,downscript=no")]);
        let empty = match options.empty_disk_gigabytes {
            Some(gigabytes) => Some(empty_disk(&disk_of(folder, mac), gigabytes)?),
            None => None,
        };
        command.args(match options.firmware {
            Firmware::Bios => bios(mac, &file("disk"), empty)?,
            Firmware::UefiPxe => uefi(mac, &file("uefi"), empty, "")?,
            Firmware::UefiHttp => [uefi(mac, &file("uefi"), empty, "")?, without_pxe()].concat(),
            Firmware::UefiSecure => uefi(mac, &file("uefi"), empty, ".ms")?,
            Firmware::Arm64 => arm64(mac),
        });
        if !options.reboots {
            command.arg("-no-reboot");
        }
        let log = File::create(&messages).with_context(|| format!("creating {}", messages.display()))?;
        let mut router = privileged(&format!("ip netns exec {} python3 -c", network.namespace()));
        router.args([include_str!("router.py"), BRIDGE]).stderr(log.try_clone()?);
        let router = Command::from(router).kill_on_drop(true).spawn().context("cannot start Python")?;
        command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
        let qemu =
            Command::from(command).kill_on_drop(true).spawn().context("cannot start QEMU; has `scripts/setup test` run?")?;
        Ok(Self { qemu, _router: router, mac: mac.to_owned(), console, messages })
    }

    /// All output of firmware, iPXE, kernel and installer so far, as plain lines: without the control sequences that place text
    /// on a screen.
    pub(crate) fn console(&self) -> String {
        plain(&String::from_utf8_lossy(&fs::read(&self.console).unwrap_or_default()))
    }

    /// Waits until the console shows `text` and returns the console up to then. If the server ends before that, this fails
    /// immediately.
    pub(crate) async fn wait_for_console(&mut self, text: &str, limit: Duration) -> Result<String> {
        self.wait_for_any(&[text], limit).await
    }

    /// Waits in the same way for any of several texts.
    pub(crate) async fn wait_for_any(&mut self, texts: &[&str], limit: Duration) -> Result<String> {
        let found = until(limit, || {
            // Check for the end first: what the server wrote just before it ended must count.
            let ended = self.qemu.try_wait()?;
            let console = self.console();
            match ended {
                _ if texts.iter().any(|text| console.contains(text)) => Ok(Some(console)),
                Some(status) => Err(self.failure(&format!("ended ({status}) before its console showed {texts:?}"))),
                None => Ok(None),
            }
        });
        found.await?.ok_or_else(|| self.failure(&format!("has not shown {texts:?} on its console in {limit:?}")))
    }

    /// Waits until the server has switched itself off, and returns its whole console.
    pub(crate) async fn wait_exit(&mut self, limit: Duration) -> Result<String> {
        match tokio::time::timeout(limit, self.qemu.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(self.console()),
            Ok(status) => bail!(self.failure(&format!("did not run to its end: {status:?}"))),
            Err(_) => bail!(self.failure(&format!("has not switched off in {limit:?}"))),
        }
    }

    /// Whether the server has switched itself off.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.qemu.try_wait()?.is_some())
    }

    /// Cuts the server's power.
    pub(crate) async fn power_off(&mut self) -> Result<()> {
        Ok(self.qemu.kill().await?)
    }

    fn failure(&self, what: &str) -> anyhow::Error {
        let messages = fs::read_to_string(&self.messages).unwrap_or_default();
        anyhow!("server {} {what}; QEMU says: {:?}; its console:\n{}", self.mac, messages.trim(), self.console())
    }
}

/// The file with the disk that a server with this MAC installs to.
pub(super) fn disk_of(folder: &Path, mac: &str) -> PathBuf {
    let id: String = mac.chars().filter(char::is_ascii_hexdigit).collect();
    folder.join(format!("vm-{id}.installed"))
}

/// Creates an empty disk, unless an earlier server has left one, and returns it as an argument for QEMU. The disk's content
/// need not survive a crash of this machine, so QEMU never waits for it to be written.
fn empty_disk(file: &Path, gigabytes: u64) -> Result<String> {
    let disk = fs::OpenOptions::new().create(true).truncate(false).write(true).open(file);
    disk.and_then(|disk| disk.set_len(gigabytes << 30)).with_context(|| format!("making {}", file.display()))?;
    Ok(format!(
        "-drive if=none,id=disk,file={},format=raw,cache=unsafe -device virtio-blk-pci,drive=disk,bootindex=2 -device virtio-rng-pci",
        file.display()
    ))
}

/// The card's own ROM is an iPXE. The disk is next, in case the network offers no file.
fn bios(mac: &str, disk: &Path, empty: Option<String>) -> Result<Vec<String>> {
    if let Some(empty) = empty {
        return Ok(words(&format!("{empty} -device virtio-net-pci,netdev=port,mac={mac},bootindex=1")));
    }
    if !disk.exists() {
        fs::write(disk, bootable_disk()).with_context(|| format!("writing {}", disk.display()))?;
    }
    Ok(words(&format!(
        "-drive file={},format=raw,if=ide -device virtio-net-pci,netdev=port,mac={mac} -boot order=nc",
        disk.display()
    )))
}

/// Without a ROM in the card, the firmware uses its own driver and network boot, over IPv4 only. The disk is a folder that QEMU
/// presents as a disk; a file beside it keeps the firmware's settings. `.ms` is the firmware with Microsoft's keys.
fn uefi(mac: &str, folder: &Path, empty: Option<String>, keys: &str) -> Result<Vec<String>> {
    let (disk, settings) = (folder.join("disk"), folder.join("settings"));
    let application = disk.join(UEFI_BOOT_FILE);
    if !application.exists() {
        fs::create_dir_all(application.parent().unwrap_or(&disk))?;
        fs::write(&application, uefi_application()).with_context(|| format!("writing {}", application.display()))?;
        let template = format!("/usr/share/OVMF/OVMF_VARS_4M{keys}.fd");
        fs::copy(&template, &settings).with_context(|| format!("copying {template}; has `scripts/setup test` run?"))?;
    }
    let disk = empty.unwrap_or_else(|| {
        let disk = disk.display();
        format!(
            "-drive if=none,id=disk,format=raw,readonly=on,file=fat:{disk} -device virtio-blk-pci,drive=disk,bootindex=2 \
             -device virtio-rng-pci"
        )
    });
    let settings = settings.display();
    Ok(words(&format!(
        "-drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M{keys}.fd \
         -drive if=pflash,format=raw,unit=1,file={settings} \
         -device virtio-net-pci,netdev=port,mac={mac},romfile=,bootindex=1 {disk} \
         -fw_cfg name=opt/org.tianocore/IPv6PXESupport,string=n"
    )))
}

/// The firmware of Debian's package `qemu-efi-aarch64`, on a processor that QEMU emulates quickly.
fn arm64(mac: &str) -> Vec<String> {
    words(&format!(
        "-cpu cortex-a57 -bios /usr/share/qemu-efi-aarch64/QEMU_EFI.fd \
         -device virtio-net-pci,netdev=port,mac={mac},romfile=,bootindex=1 -device virtio-rng-pci \
         -fw_cfg name=opt/org.tianocore/IPv6PXESupport,string=n"
    ))
}

/// Makes the firmware begin with HTTP boot, which otherwise follows only after PXE has failed.
fn without_pxe() -> Vec<String> {
    words("-fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n")
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Removes carriage returns, other control characters and escape sequences (ECMA-48: `ESC [ … final byte`); keeps line feeds.
fn plain(console: &str) -> String {
    let mut text = String::with_capacity(console.len());
    let mut characters = console.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            if characters.next_if_eq(&'[').is_some() {
                // The final byte ends the sequence; `find` consumes it too.
                characters.by_ref().find(|next| matches!(next, '\u{40}'..='\u{7e}'));
            } else {
                characters.next();
            }
        } else if character == '\n' || !character.is_control() {
            text.push(character);
        }
    }
    text
}
