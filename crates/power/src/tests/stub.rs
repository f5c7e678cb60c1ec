//! A small test controller that follows the specification; each quirk is a function that responds instead of it.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) const SYSTEM: &str = "/redfish/v1/Systems/1";
pub(super) const RESET: &str = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";

/// A request; header names are in lower case.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }
}

#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: vec![], body: body.to_string().into_bytes() }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: vec![], body: vec![] }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An error response with one message.
    pub(super) fn error(status: u16, id: &str, message: &str) -> Self {
        let message = json!({"MessageId": id, "Message": message, "Severity": "Warning"});
        Self::json(status, &json!({"error": {"code": id, "message": "See ExtendedInfo", "@Message.ExtendedInfo": [message]}}))
    }

    pub(super) fn compressed(mut self) -> Self {
        let mut encoder = GzEncoder::new(vec![], Compression::fast());
        encoder.write_all(&self.body).expect("memory");
        self.body = encoder.finish().expect("memory");
        self.with("Content-Encoding", "gzip")
    }
}

/// The state of the server.
#[derive(Clone, Debug)]
pub(super) struct Bmc {
    pub(super) power: String,
    pub(super) boot: Value,
    /// Further properties of the system, in addition to power and boot.
    pub(super) more: Value,
    pub(super) resets: Value,
    pub(super) record_state: Vec<Request>,
}

impl Bmc {
    pub(super) fn new() -> Self {
        Self {
            power: "On".to_owned(),
            boot: json!({"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"}),
            more: json!({}),
            resets: json!({"target": RESET, "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "ForceRestart"]}),
            record_state: vec![],
        }
    }

    pub(super) fn system(&self) -> Value {
        let mut system = self.more.clone();
        system["PowerState"] = self.power.clone().into();
        system["Boot"] = self.boot.clone();
        system["Actions"] = json!({"#ComputerSystem.Reset": self.resets});
        system
    }

    pub(super) fn set_boot(&mut self, body: &Value) {
        for (name, value) in body["Boot"].as_object().into_iter().flatten() {
            self.boot[name.as_str()] = value.clone();
        }
    }

    pub(super) fn reset(&mut self, kind: &str) {
        let on = match kind {
            "ForceOff" => false,
            "PushPowerButton" => self.power != "On",
            _ => true,
        };
        self.power = if on { "On" } else { "Off" }.to_owned();
    }

    /// The response according to the specification.
    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        match (request.method.as_str(), request.path.trim_end_matches('/')) {
            ("GET", "/redfish/v1/Systems") => Reply::json(200, &json!({"Members": [{"@odata.id": SYSTEM}]})),
            ("GET", SYSTEM) => Reply::json(200, &self.system()),
            ("PATCH", SYSTEM) => {
                self.set_boot(&request.body);
                Reply::empty(204)
            }
            ("POST", RESET) => {
                self.reset(request.body["ResetType"].as_str().unwrap_or_default());
                Reply::empty(204)
            }
            _ => Reply::error(404, "Base.1.8.ResourceMissingAtURI", "there is nothing here"),
        }
    }

    /// The requests that change something: method and path, and the body.
    pub(super) fn changes(&self) -> Vec<(String, Value)> {
        let changes = self.record_state.iter().filter(|request| request.method != "GET");
        changes.map(|request| (format!("{} {}", request.method, request.path), request.body.clone())).collect()
    }

    /// The kinds of reset that were requested.
    pub(super) fn kinds(&self) -> Vec<String> {
        let resets = self.record_state.iter().filter(|request| request.method == "POST");
        resets.filter_map(|request| request.body["ResetType"].as_str().map(str::to_owned)).collect()
    }
}

/// A running test controller.
pub(super) struct Stub {
    pub(super) port: u16,
    pub(super) bmc: Arc<Mutex<Bmc>>,
}

impl Stub {
    pub(super) fn bmc(&self) -> Bmc {
        self.bmc.lock().expect("no panic").clone()
    }

    /// Starts a controller with a quirk, on a loopback address. Requests that the quirk does not handle get the specified
    /// response.
    pub(super) async fn at(
        address: IpAddr,
        bmc: Bmc,
        mut quirk: impl FnMut(&mut Bmc, &Request) -> Option<Reply> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let bmc = Arc::new(Mutex::new(bmc));
        let state = bmc.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(Some((stream, request))) = read(stream).await else { continue };
                let reply = {
                    let mut bmc = state.lock().expect("no panic");
                    bmc.record_state.push(request.clone());
                    quirk(&mut bmc, &request).unwrap_or_else(|| bmc.answer(&request))
                };
                drop(write(stream, reply).await);
            }
        });
        Self { port, bmc }
    }

    pub(super) async fn start(bmc: Bmc, quirk: impl FnMut(&mut Bmc, &Request) -> Option<Reply> + Send + 'static) -> Self {
        Self::at(std::net::Ipv4Addr::LOCALHOST.into(), bmc, quirk).await
    }
}

async fn read(mut stream: TcpStream) -> std::io::Result<Option<(TcpStream, Request)>> {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers: Vec<(String, String)> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let mut words = head.split(' ');
                let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
                let body = serde_json::from_str(body).unwrap_or_default();
                return Ok(Some((stream, Request { method, path, headers, body })));
            }
        }
        match stream.read(&mut bytes).await? {
            0 => return Ok(None),
            count => text.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
}

async fn write(mut stream: TcpStream, reply: Reply) -> std::io::Result<()> {
    // Without a status, the connection is closed.
    if reply.status == 0 {
        return stream.shutdown().await;
    }
    let mut head = format!("HTTP/1.1 {} Words\r\n", reply.status);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", reply.body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&reply.body).await?;
    stream.shutdown().await
}
