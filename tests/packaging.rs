//! The systemd unit of the DHCP agent, as far as it can be tested without a running systemd.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const UNIT: &str = "bootledger-dhcp-agent@.service";

fn packaged(file: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd").join(file);
    std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
}

/// A copy of the unit that starts the program that this build made.
fn unit_in(folder: &Path) -> Result<PathBuf> {
    let text = packaged(UNIT)?;
    ensure!(text.contains("/usr/local/bin/bootledger "), "the unit starts another program");
    let unit = folder.join(UNIT.replace('@', "@dhcp-1"));
    std::fs::write(&unit, text.replace("/usr/local/bin/bootledger ", &format!("{} ", env!("CARGO_BIN_EXE_bootledger"))))?;
    Ok(unit)
}

fn analyze(arguments: &[&str], unit: &Path) -> Result<Output> {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).arg(unit).output().context("there is no systemd-analyze; has `scripts/setup test` run?")
}

fn said(output: &Output) -> String {
    [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_agents_unit() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = analyze(&["verify", "--man=no"], &unit_in(folder.path())?)?;
    let said = said(&output);
    ensure!(output.status.success() && !said.contains("bootledger"), "{said}");
    Ok(())
}

#[test]
fn systemd_finds_the_agent_hardly_exposed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // The scale is 0 to 10, here in tenths; without any of the restrictions the unit scores 9.6.
    let output = analyze(&["security", "--offline=yes", "--no-pager", "--threshold=30"], &unit_in(folder.path())?)?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}

#[test]
fn the_units_command_and_the_examples_of_its_settings_are_understood() -> Result<()> {
    let text = packaged(UNIT)?;
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/bootledger ")).context("ExecStart")?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("token"), "a-token")?;
    let line = line.replace("%i", "dhcp-1").replace("%d", &folder.path().display().to_string());
    for example in ["dhcp-agent-isc.env", "dhcp-agent-kea.env", "dhcp-agent-dnsmasq.env"] {
        let settings = packaged(example)?;
        let settings = settings.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let settings: Vec<(&str, &str)> =
            settings.map(|line| line.split_once('=').context("NAME=VALUE")).collect::<Result<_>>()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootledger"));
        command.args(line.split(' ')).arg("--once").current_dir(folder.path()).env_clear().envs(settings);
        // Nothing listens at this address, and the file is in a folder that every machine allows writing to.
        command.env("BOOTLEDGER_URL", "http://127.0.0.1:1").env("BOOTLEDGER_CONFIG", folder.path().join("served.conf"));
        let output = command.output()?;
        let said = said(&output);
        if output.status.code() != Some(1) || !said.contains("cannot be reached") {
            bail!("{example}: the agent was to find everything but the service: {said}");
        }
    }
    Ok(())
}
