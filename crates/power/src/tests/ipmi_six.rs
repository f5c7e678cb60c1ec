//! Tests of IPMI over IPv6, with `ipmi_sim` of `OpenIPMI` as the controller.

use super::*;
use std::net::Ipv6Addr;
use std::process::{Child, Command, Stdio};

/// A controller on `::1`, which ends when it is dropped.
struct Sim {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn sim() -> Sim {
    let folder = tempfile::tempdir().expect("a folder");
    let port = std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("state")).expect("a folder");
    std::fs::write(at("power"), "1").expect("a file");
    let script = format!(
        "#!/bin/sh\ncd '{}' || exit 1\necho \"$@\" >> log\ncase \"$1 $2\" in\n\"get power\") echo \"power:$(cat power)\" ;;\n\
         \"set power\") echo \"$3\" > power ;;\n\"get boot\") echo \"boot:$(cat boot 2>/dev/null || echo none)\" ;;\n\
         \"set boot\") echo \"$3\" > boot ;;\nesac\n",
        folder.path().display()
    );
    std::fs::write(at("chassis"), script).expect("a file");
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(at("chassis"), mode).expect("a file");
    let lan = format!(
        "name \"bmc\"\nset_working_mc 0x20\n  startlan 1\n    addr ::1 {port}\n    priv_limit admin\n    \
         allowed_auths_operator none md2 md5 straight\n    allowed_auths_admin none md2 md5 straight\n    \
         guid a123456789abcdefa123456789abcdef\n  endlan\n  chassis_control \"{}\"\n  \
         user 1 false \"\" \"test\" user 10 none md2 md5 straight\n  \
         user 2 true \"admin\" \"{PASSWORD}\" admin 10 none md2 md5 straight\n",
        at("chassis").display()
    );
    std::fs::write(at("lan.conf"), lan).expect("a file");
    let emulation = "mc_setbmc 0x20\nmc_add 0x20 0 has-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n\
                     sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
    std::fs::write(at("sim.emu"), emulation).expect("a file");
    let mut command = Command::new("ipmi_sim");
    command.arg("-c").arg(at("lan.conf")).arg("-f").arg(at("sim.emu")).arg("-s").arg(at("state")).arg("-n");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ipmi_sim of openipmi");
    let bound = format!(":{port:04X} ");
    let begun = Instant::now();
    while !std::fs::read_to_string("/proc/net/udp6").is_ok_and(|sockets| sockets.contains(&bound)) {
        assert!(begun.elapsed() < Duration::from_secs(20), "ipmi_sim does not listen");
        sleep(Duration::from_millis(20)).await;
    }
    Sim { child, folder, port }
}

#[tokio::test]
async fn a_server_is_restarted_from_the_network_by_ipmi_over_ipv6() {
    let sim = sim().await;
    let access = Access { port: Some(sim.port), ..Access::default() };
    // The controller is named by its address, with and without brackets, and by a name that has this address.
    for address in ["::1", "[::1]", "bmc1.example"] {
        let management = Management { protocol: ManagementProtocol::Ipmi, ..management(address, access.clone()) };
        let controller = allowed(&management, &[Ipv6Addr::LOCALHOST.into()]);
        assert_eq!(controller.state().await, Ok(PowerState::On), "{address}");
    }
    let management = Management { protocol: ManagementProtocol::Ipmi, ..management("::1", access) };
    let controller = allowed(&management, &[Ipv6Addr::LOCALHOST.into()]);
    assert_eq!(controller.carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On));
    let log = std::fs::read_to_string(sim.folder.path().join("log")).expect("a log");
    let done: Vec<&str> = log.lines().filter(|line| line.starts_with("set ")).collect();
    assert!(done.starts_with(&["set boot pxe"]) && done.len() > 1, "{done:?}");
}
