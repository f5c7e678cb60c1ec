//! Stands in for the service where the lab itself is tested: an HTTP server that answers each path as it is told.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Pages {
    answers: HashMap<String, Arc<Vec<u8>>>,
    asked: Vec<String>,
}

pub(crate) struct StandIn {
    address: SocketAddr,
    pages: Arc<Mutex<Pages>>,
}

impl StandIn {
    pub(crate) async fn start(address: Ipv4Addr) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let pages = Arc::<Mutex<Pages>>::default();
        let shared = pages.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A client that goes away in the middle is its own business.
                tokio::spawn(serve(client, shared.clone()));
            }
        });
        Ok(Self { address, pages })
    }

    /// Address and port, as a URL has them.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn answer(&self, path: &str, content: impl Into<Vec<u8>>) {
        let mut pages = self.pages.lock().expect("no holder panics");
        pages
            .answers
            .insert(path.to_owned(), Arc::new(content.into()));
    }

    /// The paths that clients asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.pages.lock().expect("no holder panics").asked.clone()
    }
}

async fn serve(client: TcpStream, pages: Arc<Mutex<Pages>>) -> Result<()> {
    let mut client = BufReader::new(client);
    loop {
        let mut request = String::new();
        client.read_line(&mut request).await?;
        let Some(path) = request.split(' ').nth(1) else {
            return Ok(());
        };
        let mut header = String::new();
        while client.read_line(&mut header).await? > 2 {
            header.clear();
        }
        let answer = {
            let mut pages = pages.lock().expect("no holder panics");
            pages.asked.push(path.to_owned());
            pages.answers.get(path).cloned()
        };
        let (status, content) = answer.map_or(("404 Not Found", Arc::default()), |content| {
            ("200 OK", content)
        });
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            content.len()
        );
        client.write_all(head.as_bytes()).await?;
        if !request.starts_with("HEAD ") {
            client.write_all(&content).await?;
        }
    }
}
