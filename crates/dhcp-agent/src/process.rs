//! Finds the process of a server, which is not the agent's child, by the program's name and its configuration.

use super::network::read;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A process, identified so that a later one with the same process id is a different one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// The process id.
    pub(crate) pid: u32,
    /// When the process started, in the kernel's clock ticks.
    started: u64,
}

impl Process {
    /// The process with an id, if there is one.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = read(&format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may contain anything. After it, the state is the first field, and the start time the 20th.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { pid, started })
    }

    /// Whether the process still runs.
    pub(crate) fn runs(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// The process's arguments, without the program.
    pub(crate) fn arguments(self) -> Vec<String> {
        let line = read(&format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.split_terminator('\0').skip(1).map(str::to_owned).collect()
    }

    /// The process's sockets; `None` if the agent may not see them, which requires the same user or `CAP_SYS_PTRACE`.
    pub(crate) fn sockets(self) -> Option<BTreeSet<u64>> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?;
        let inode = |entry: fs::DirEntry| {
            let target = fs::read_link(entry.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        };
        Some(entries.filter_map(Result::ok).filter_map(inode).collect())
    }
}

/// The result of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProcessState {
    /// The server's process, or several if it has helpers.
    Server(Vec<Process>),
    /// No process was found.
    Nothing,
    /// This many processes may be the server.
    Unclear(usize),
}

/// Finds the process of this program that was started with this configuration; otherwise with its folder; otherwise the only
/// process of this program in the agent's own network namespace.
pub(crate) fn find(program: &str, configuration: &Path) -> ProcessState {
    let numbers = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let named = numbers.filter(|pid| read(&format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == program));
    let all: Vec<(Process, Vec<String>)> = named
        .filter_map(Process::of)
        .map(|process| (process, process.arguments()))
        .filter(|(_, arguments)| !only_checks(arguments))
        .collect();
    let given = |path: Option<&Path>| -> Vec<Process> {
        let Some(path) = path.and_then(Path::to_str).filter(|path| path.len() > 1) else { return vec![] };
        let mentions = |arguments: &Vec<String>| arguments.iter().any(|argument| has_path(argument, path));
        all.iter().filter(|(_, arguments)| mentions(arguments)).map(|(process, _)| *process).collect()
    };
    let canonical = fs::canonicalize(configuration).ok();
    for servers in [given(Some(configuration)), given(canonical.as_deref()), given(configuration.parent())] {
        if !servers.is_empty() {
            return ProcessState::Server(servers);
        }
    }
    let own = fingerprint("self");
    let beside: Vec<Process> = all
        .iter()
        .map(|(process, _)| *process)
        .filter(|process| own.is_some() && fingerprint(&process.pid.to_string()) == own)
        .collect();
    match beside.len() {
        0 => ProcessState::Nothing,
        1 => ProcessState::Server(beside),
        many => ProcessState::Unclear(many),
    }
}

/// Whether a program was started to check a file and then exits: `dhcpd -t`, `kea-dhcp4 -t` and `-T`, `dnsmasq --test`.
fn only_checks(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| ["-t", "-T", "--test"].contains(&argument.as_str()))
}

/// What identifies the network of a process, as far as that can be read without privileges.
fn fingerprint(process: &str) -> Option<String> {
    ["route", "igmp", "if_inet6"].map(|name| read(&format!("/proc/{process}/net/{name}")).ok()).into_iter().collect()
}

/// Whether an argument is this path, or contains it after an option's name or before further values, as in
/// `-7 /etc/dnsmasq.d,.bak`.
fn has_path(argument: &str, path: &str) -> bool {
    argument.split([',', '=']).any(|part| part.trim_end_matches('/') == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_found_by_its_configuration_and_known_to_have_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let configuration = folder.path().join("served.conf");
        // The name of a process is the file name of its program. Other test runs have different names.
        let name = format!("dhcpd-{}", std::process::id());
        let program = folder.path().join(&name);
        std::fs::copy("/bin/sleep", &program).expect("a copy");
        let start = || Command::new(&program).arg("1000").stdin(Stdio::null()).spawn().expect("a process");
        assert_eq!(find(&name, &configuration), ProcessState::Nothing);
        let mut child = start();
        let process = loop {
            if let ProcessState::Server(found) = find(&name, &configuration) {
                break found[0];
            }
            std::thread::yield_now();
        };
        assert_eq!(process.pid, child.id());
        assert!(process.runs() && process.arguments() == ["1000"] && process.sockets().is_some());
        let mut other = start();
        while find(&name, &configuration) != ProcessState::Unclear(2) {
            std::thread::yield_now();
        }
        for child in [&mut child, &mut other] {
            child.kill().expect("a killed process");
            child.wait().expect("its end");
        }
        assert!(!process.runs());
        assert_eq!(find(&name, &configuration), ProcessState::Nothing);
    }

    #[test]
    fn a_path_is_found_in_arguments_as_servers_are_given_it() {
        for argument in ["/etc/dhcp/dhcpd.conf", "--conf-file=/etc/dhcp/dhcpd.conf", "/etc/dhcp/dhcpd.conf,x"] {
            assert!(has_path(argument, "/etc/dhcp/dhcpd.conf"), "{argument}");
        }
        assert!(has_path("/etc/dnsmasq.d/,.dpkg-dist", "/etc/dnsmasq.d"));
        assert!(!has_path("/etc/dhcp/dhcpd.conf.old", "/etc/dhcp/dhcpd.conf"));
    }
}
