//! A web server that receives events from webhooks and answers as a test decides.

use super::process::wait_for;
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An answer to a message: status, a header, and body.
pub(crate) type Answer = (u16, Option<(&'static str, String)>, &'static str);

/// Returns the answer to a message that arrives for the nth time, counted from 1; `None` for no answer at all.
type Answering = dyn Fn(&Value, usize) -> Option<Answer> + Send;

/// A message that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
    pub(crate) body: Bytes,
    pub(crate) event: Value,
    pub(crate) taken: bool,
}

#[derive(Default)]
struct Heard {
    all: Vec<Message>,
    tries: HashMap<String, usize>,
    answering: Option<Box<Answering>>,
}

/// A running receiver; stopped when dropped.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    received: Arc<Mutex<Heard>>,
    server: Option<ServerHandle>,
}

impl Receiver {
    /// Starts a receiver that accepts everything.
    pub(crate) fn start() -> Result<Self> {
        let mut receiver = Self::down()?;
        receiver.up()?;
        Ok(receiver)
    }

    /// A receiver whose port is closed.
    pub(crate) fn down() -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self { port, received: Arc::default(), server: None })
    }

    /// Opens the port.
    pub(crate) fn up(&mut self) -> Result<()> {
        let received = Data::from(self.received.clone());
        let app = move || App::new().app_data(received.clone()).default_service(web::to(receive));
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0);
        let server = server.bind((Ipv4Addr::LOCALHOST, self.port))?.run();
        self.server = Some(server.handle());
        tokio::spawn(server);
        Ok(())
    }

    /// The receiver's URL, with a part that is unique to it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?word=of-the-receiver", self.port)
    }

    /// Sets the function that decides the answers from now on.
    pub(crate) fn answer(&self, answering: impl Fn(&Value, usize) -> Option<Answer> + Send + 'static) {
        self.received.lock().expect("no panic").answering = Some(Box::new(answering));
    }

    /// All messages that arrived, accepted or not.
    pub(crate) fn all(&self) -> Vec<Message> {
        self.received.lock().expect("no panic").all.clone()
    }

    /// The events that the receiver has accepted, in order, repeated ones included.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.all().into_iter().filter(|message| message.taken).map(|message| message.event).collect()
    }

    /// Waits until the receiver has accepted this many distinct events.
    pub(crate) async fn has_taken(&self, count: usize, limit: Duration) -> Result<Vec<Value>> {
        let different = |events: &[Value]| {
            let positions: std::collections::HashSet<_> = events.iter().map(|event| event["position"].as_i64()).collect();
            positions.len()
        };
        let enough = async || {
            // Counted without copying them: there may be thousands.
            if self.received.lock().expect("no panic").all.iter().filter(|message| message.taken).count() < count {
                return None;
            }
            let taken = self.taken();
            (different(&taken) >= count).then_some(taken)
        };
        let waited = wait_for(&format!("{count} events are taken"), limit, enough).await;
        waited.with_context(|| format!("only {} are", different(&self.taken())))
    }

    /// Checks with Python's `hmac`, which shares no code with the service, that all messages are signed with this secret.
    pub(crate) fn verify(&self, secret: &str) -> Result<()> {
        const SCRIPT: &str = "
import base64, hashlib, hmac, json, sys, time
secret, messages = json.load(sys.stdin)
key = base64.b64decode(secret.removeprefix('whsec_'))
for m in messages:
    signed = f\"{m['id']}.{m['timestamp']}.\".encode() + base64.b64decode(m['body'])
    expected = 'v1,' + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(expected, s) for s in m['signature'].split(' ')):
        sys.exit('the signature of ' + m['id'] + ' is wrong')
    if abs(time.time() - int(m['timestamp'])) > 300:
        sys.exit('the time of ' + m['id'] + ' is not now')
print(len(messages))
";
        let messages: Vec<Value> = self
            .all()
            .into_iter()
            .map(|message| {
                let body = STANDARD.encode(&message.body);
                json!({"id": message.id, "timestamp": message.timestamp, "signature": message.signature, "body": body})
            })
            .collect();
        let (count, input) = (messages.len(), json!([secret, messages]).to_string());
        let mut python = Command::new("python3");
        let python = python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut python = python.spawn().context("python3")?;
        python.stdin.take().context("no input")?.write_all(input.as_bytes())?;
        let output = python.wait_with_output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ensure!(String::from_utf8_lossy(&output.stdout).trim() == count.to_string(), "not all were looked at");
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            // The future only waits; the stop itself is immediate.
            drop(server.stop(false));
        }
    }
}

async fn receive(received: Data<Mutex<Heard>>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = header("webhook-id");
    let answer = {
        let mut received = received.lock().expect("no panic");
        let tries = received.tries.entry(id.clone()).or_default();
        *tries += 1;
        let tries = *tries;
        let answer = received.answering.as_ref().map_or(Some((200, None, "")), |answering| answering(&event, tries));
        let taken = answer.as_ref().is_some_and(|(status, ..)| (200..300).contains(status));
        let (timestamp, signature) = (header("webhook-timestamp"), header("webhook-signature"));
        received.all.push(Message { id, timestamp, signature, body, event, taken });
        answer
    };
    match answer {
        Some((status, more, words)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
            let mut response = HttpResponse::build(status);
            if let Some(header) = more {
                response.insert_header(header);
            }
            response.body(words)
        }
        None => std::future::pending().await,
    }
}
