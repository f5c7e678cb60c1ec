//! The cable of a client's interface: every DHCP message on it, and messages of clients that no program here can play, such as
//! a server's firmware.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout_at};

use super::command::privileged;
use super::message::{Kind, Message, Options, Relay};

/// How long a server may take to answer on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_secs(20);

/// An interface in a namespace. Dropping this value does not remove the interface.
pub(crate) struct Wire {
    _program: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    transactions: u32,
    relay: Option<Relay>,
}

impl Wire {
    pub(super) async fn open(namespace: &str, interface: &str) -> Result<Self> {
        let mut command = privileged(&format!("ip netns exec {namespace} python3 -c"));
        command.args([include_str!("wire.py"), interface]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = Command::from(command).kill_on_drop(true).spawn().context("cannot start Python")?;
        let input = program.stdin.take().context("its input")?;
        let output = BufReader::new(program.stdout.take().context("its output")?).lines();
        let mut wire = Self { _program: program, input, output, transactions: 0x5000_0000, relay: None };
        let first = wire.output.next_line().await?;
        anyhow::ensure!(first.as_deref() == Some("ready"), "the interface cannot be opened: {first:?}");
        Ok(wire)
    }

    /// The next message on the interface, in either direction.
    pub(crate) async fn next(&mut self) -> Result<Message> {
        self.before(Instant::now() + PATIENCE).await
    }

    async fn before(&mut self, deadline: Instant) -> Result<Message> {
        let Ok(line) = timeout_at(deadline, self.output.next_line()).await else {
            bail!("no message came within {PATIENCE:?}");
        };
        let line = line?.context("the interface is gone")?;
        let pairs = line.as_bytes().chunks(2).map(std::str::from_utf8).collect::<Result<Vec<_>, _>>()?;
        let frame = pairs.into_iter().map(|pair| u8::from_str_radix(pair, 16)).collect::<Result<Vec<_>, _>>()?;
        Message::read(&frame)
    }

    /// Sends all further messages as a relay forwards them from its clients.
    pub(crate) fn relay(&mut self, relay: Option<Relay>) {
        self.relay = relay;
    }

    /// Sends a message of a client without an address and returns its transaction id.
    pub(crate) async fn send(&mut self, kind: Kind, mac: [u8; 6], options: &Options) -> Result<u32> {
        self.transactions += 1;
        let frame = Message::frame(kind, mac, self.transactions, options, self.relay.as_ref());
        let mut line = frame.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        line.push('\n');
        self.input.write_all(line.as_bytes()).await?;
        self.input.flush().await?;
        Ok(self.transactions)
    }

    /// Sends a message and returns the server's answer to it.
    pub(crate) async fn exchange(&mut self, kind: Kind, mac: [u8; 6], options: &Options) -> Result<Message> {
        let transaction = self.send(kind, mac, options).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.before(deadline).await.with_context(|| format!("after {kind:?} with {options:?}"))?;
            if message.transaction == transaction && matches!(message.kind, Kind::Offer | Kind::Ack | Kind::Nak) {
                return Ok(message);
            }
        }
    }

    /// The offer and the acknowledgement that a client with these options gets.
    pub(crate) async fn lease(&mut self, mac: [u8; 6], options: &Options) -> Result<[Message; 2]> {
        let offer = self.exchange(Kind::Discover, mac, options).await?;
        let mut request = options.clone();
        request.insert(50, offer.address.octets().to_vec());
        request.insert(54, offer.options.get(&54).cloned().unwrap_or_default());
        let ack = self.exchange(Kind::Request, mac, &request).await?;
        Ok([offer, ack])
    }

    /// The server's answer to a client that has restarted and still knows its address (INIT-REBOOT, RFC 2131, 4.3.2).
    pub(crate) async fn confirm(&mut self, mac: [u8; 6], address: Ipv4Addr, options: &Options) -> Result<Message> {
        let mut request = options.clone();
        request.insert(50, address.octets().to_vec());
        self.exchange(Kind::Request, mac, &request).await
    }
}
