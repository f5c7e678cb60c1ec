//! IPMI over LAN, with `ipmitool`. The password is only in the environment of the child process, which only its own user can
//! read. Its arguments, which all users can read, contain the user name but no password.

use super::{Credentials, Trouble};
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::management::{BootMode, ManagementProtocol};
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::device::power_failure::{BootSetting, PowerFailure};
use bootledger_aggregates::values::text::Text;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long one call may take, including the retries of `ipmitool` itself.
const LIMIT: Duration = Duration::from_secs(8);

/// How `ipmitool` repeats what is not answered: every second, three times at most. UDP may lose a packet.
const REPEATED: [&str; 4] = ["-N", "1", "-R", "3"];
/// An order is sent once: a slow controller would carry out a repeated one twice, and a server is restarted at most once.
const ONCE: [&str; 4] = ["-N", "6", "-R", "1"];

/// The cipher suites to try, the better one first: HMAC-SHA256 and HMAC-SHA1, both with AES. `ipmitool` could query which
/// suites are supported, but controllers that do not respond to that query cost seconds per call.
const SUITES: [&str; 2] = ["17", "3"];

/// The maximum lengths of user name and password in IPMI 2.0, in bytes.
const LONGEST: (usize, usize) = (16, 20);

/// A controller that supports IPMI.
#[derive(Debug)]
pub(crate) struct Ipmi {
    host: Host,
    /// The address that the host had when it was checked: names are not resolved again.
    address: IpAddr,
    port: u16,
    boot_mode: BootMode,
    credentials: Credentials,
}

impl Ipmi {
    pub(super) fn new(management: &Management, credentials: Credentials) -> Result<Self, Trouble> {
        let host = management.address.clone();
        if credentials.user.len() > LONGEST.0 || credentials.password.expose().len() > LONGEST.1 {
            let (user_bytes, password_bytes) = LONGEST;
            return Err(Trouble::certain(PowerFailure::CredentialsTooLong { controller: host, user_bytes, password_bytes }));
        }
        let Some(address) = credentials.addresses.first().copied() else {
            return Err(Trouble::certain(PowerFailure::AddressUnknown { controller: host }));
        };
        let boot_mode = management.access.boot_mode.unwrap_or(BootMode::Bios);
        Ok(Self { host, address, port: management.port(), boot_mode, credentials })
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) async fn state(&self) -> Result<PowerState, Trouble> {
        let explain = self.call(REPEATED, &["chassis", "power", "status"]).await?;
        let line = explain.lines().find_map(|line| line.strip_prefix("Chassis Power is "));
        match line.map(str::trim) {
            Some("on") => Ok(PowerState::On),
            Some("off") => Ok(PowerState::Off),
            _ => Err(self.strange(&explain)),
        }
    }

    /// The setting is read back, since `ipmitool` reports success regardless of what the controller did.
    pub(super) async fn boot_from_network_once(&self) -> Result<(), Trouble> {
        let mut set = vec!["chassis", "bootdev", "pxe"];
        if self.boot_mode == BootMode::Uefi {
            set.push("options=efiboot");
        }
        self.call(REPEATED, &set).await?;
        let explain = self.call(REPEATED, &["chassis", "bootparam", "get", "5"]).await?;
        let flags = explain.lines().find_map(|line| line.trim().strip_prefix("Boot parameter data:")).map(str::trim);
        match flags.and_then(network_boot_once) {
            Some(true) => Ok(()),
            Some(false) => {
                let setting = BootSetting::Ipmi { flags: Text::fitted(flags.unwrap_or_default()) };
                let (controller, detail) = (self.host.clone(), Text::default());
                Err(Trouble::certain(PowerFailure::NetworkBoot { controller, setting, detail }))
            }
            None => Err(self.strange(&explain)),
        }
    }

    pub(super) async fn set(&self, action: PowerAction) -> Result<(), Trouble> {
        let explain = self.call(ONCE, &["chassis", "power", action.as_str()]).await.map_err(|trouble| {
            // A call that timed out may have been carried out.
            Trouble { uncertain: trouble.slow || trouble.uncertain, ..trouble }
        })?;
        let expected = match action {
            PowerAction::On => "Up/On",
            PowerAction::Off => "Down/Off",
            PowerAction::Cycle => "Cycle",
        };
        if explain.lines().any(|line| line.trim() == format!("Chassis Power Control: {expected}")) {
            Ok(())
        } else {
            Err(Trouble { uncertain: true, ..self.strange(&explain) })
        }
    }

    /// One call with the first cipher suite that the controller supports. Returns the output.
    async fn call(&self, sending: [&str; 4], command: &[&str]) -> Result<String, Trouble> {
        let mut refused = None;
        for suite in SUITES {
            let (success, out, errors) = self.run(suite, sending, command).await?;
            if success {
                return Ok(out);
            }
            // The controller does not support the suite, so nothing was done.
            if errors.contains("Error in open session response message") {
                refused = Some(self.explain(&errors));
                continue;
            }
            return Err(self.explain(&errors));
        }
        Err(refused.unwrap_or_else(|| self.explain("")))
    }

    async fn run(&self, suite: &str, sending: [&str; 4], command: &[&str]) -> Result<(bool, String, String), Trouble> {
        let (address, port) = (self.address.to_string(), self.port.to_string());
        let mut child = Command::new("ipmitool");
        // Only with -v does `ipmitool` print why a session was refused.
        child.args(["-v", "-I", "lanplus", "-H", &address, "-p", &port, "-U", &self.credentials.user, "-E"]);
        child.args(["-L", "OPERATOR", "-C", suite]).args(sending).args(command);
        child.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        child.env("LC_ALL", "C").env("IPMI_PASSWORD", self.credentials.password.expose());
        child.stdin(Stdio::null()).kill_on_drop(true);
        let output = match tokio::time::timeout(LIMIT, child.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Trouble::certain(PowerFailure::NoIpmitool {}));
            }
            Ok(Err(error)) => {
                let detail = Text::fitted(&error.to_string());
                return Err(Trouble::certain(PowerFailure::IpmitoolUnusable { detail }));
            }
            Err(_) => return Err(self.silent()),
        };
        let text = |bytes: &[u8]| self.credentials.redact(&String::from_utf8_lossy(bytes));
        // Errors of the initial queries, with which `ipmitool` identifies the controller, do not matter.
        let errors = text(&output.stderr).replace("Invalid completion code received: Insufficient privilege level", "");
        Ok((output.status.success(), text(&output.stdout), errors))
    }

    fn silent(&self) -> Trouble {
        let reason = format!(
            "the management controller {} did not answer by IPMI (UDP port {}) within {} s",
            self.host,
            self.port,
            LIMIT.as_secs()
        );
        Trouble { slow: true, ..Trouble::unanswered(&self.host, ManagementProtocol::Ipmi, reason) }
    }

    /// An explanation of the errors that `ipmitool` prints.
    fn explain(&self, errors: &str) -> Trouble {
        let (controller, user) = (self.host.clone(), Text::fitted(&self.credentials.user));
        let has = |text: &str| errors.contains(text);
        if has("RAKP 2 HMAC is invalid") || has("unauthorized name") || has("Invalid user name") {
            return Trouble::certain(PowerFailure::Credentials { controller, user });
        }
        if has("privilege level") || has("unauthorized role") {
            return Trouble::certain(PowerFailure::PrivilegeLevel { controller, user });
        }
        if has("Get Auth Capabilities error") || has("Authentication Capabilities request") {
            return self.silent_certain();
        }
        let last = errors.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no output");
        let failure = PowerFailure::Ipmitool { controller, detail: Text::fitted(last) };
        // A completion code is a response, and a session that was not established did nothing. After any other error, the
        // request may have been carried out.
        if has("Unable to establish") {
            return Trouble::unanswered(&self.host, ManagementProtocol::Ipmi, failure.to_string());
        }
        if last.contains("failed") { Trouble::certain(failure) } else { Trouble::uncertain(failure) }
    }

    fn silent_certain(&self) -> Trouble {
        let (address, port) = (&self.host, self.port);
        let reason = format!("the management controller {address} does not answer by IPMI (UDP port {port})");
        Trouble::unanswered(address, ManagementProtocol::Ipmi, reason)
    }

    fn strange(&self, explain: &str) -> Trouble {
        let output: String = explain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect();
        let detail = Text::fitted(&output);
        Trouble::certain(PowerFailure::UnexpectedOutput { controller: self.host.clone(), detail })
    }
}

/// Whether boot flags (IPMI 2.0, table 28-14, parameter 5), in hexadecimal digits, request one boot from the network.
fn network_boot_once(flags: &str) -> Option<bool> {
    let byte = |place: usize| u8::from_str_radix(flags.get(place * 2..place * 2 + 2)?, 16).ok();
    let (first, second) = (byte(0)?, byte(1)?);
    let for_ever = first & 0b0100_0000 != 0;
    Some(second & 0b0011_1100 == 0b0000_0100 && !for_ever)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_flags_are_read() {
        assert_eq!(network_boot_once("8004000000"), Some(true), "PXE, next boot only");
        assert_eq!(network_boot_once("a004000000"), Some(true), "the same with UEFI");
        assert_eq!(network_boot_once("c004000000"), Some(false), "PXE at every boot");
        assert_eq!(network_boot_once("8008000000"), Some(false), "the disk");
        assert_eq!(network_boot_once("0000000000"), Some(false));
        for garbage in ["", "80", "zz04", "8x", "é004"] {
            assert_eq!(network_boot_once(garbage), None, "{garbage}");
        }
    }
}
