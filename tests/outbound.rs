//! Where the service connects to, and with which secrets: the test's own listeners receive nothing that they must not receive.

mod addresses;
mod controllers_that_hang;
mod redirects;
mod secrets;

use crate::support::service::Service;
use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_mins(2);

/// A listener that keeps everything that it receives and sends this answer to everything.
struct Trap {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    async fn start(address: Ipv4Addr, port: u16, answer: &'static str) -> Result<Self> {
        let listener = TcpListener::bind((address, port)).await?;
        let (port, received) = (listener.local_addr()?.port(), Arc::<Mutex<Vec<String>>>::default());
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut bytes = [0; 4096];
                    let count = stream.read(&mut bytes).await.unwrap_or_default();
                    kept.lock().expect("no panic").push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                    drop(stream.write_all(answer.as_bytes()).await);
                });
            }
        });
        Ok(Self { port, received })
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().expect("no panic").clone()
    }
}

/// The answer to a request: its status, and its body without the parts that differ between requests.
async fn request_at(service: &Service, token: &str, method: Method, path: &str, body: &Value) -> Result<(StatusCode, Value)> {
    let (status, mut body) = service.send_as(token, method, path, body).await?;
    let status = StatusCode::from_u16(status)?;
    if let Some(problem) = body.as_object_mut().filter(|_| !status.is_success()) {
        problem.retain(|key, _| !matches!(key.as_str(), "correlation_id" | "instance"));
    }
    Ok((status, body))
}

async fn token(service: &Service, role: &str) -> Result<String> {
    Ok(service.run(&["token", "create", role, "--role", role]).await?.trim().to_owned())
}

fn rules(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().into_iter().flatten().filter_map(|error| error["rule"].as_str()).collect()
}

fn device(serial: &str, site: &str, management: &Value) -> Value {
    json!({ "site": site, "serial": serial, "management": management })
}

const SYSTEM: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{\"PowerState\": \"On\"}";
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
