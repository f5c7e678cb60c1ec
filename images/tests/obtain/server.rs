//! An HTTP/1.1 server of the tests' own, which behaves as a test requests: it disconnects, sends wrong data, sends slowly, or hangs.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// The first byte that is wanted.
    pub(crate) from: Option<usize>,
    pub(crate) if_range: Option<String>,
    /// How many requests of this path came before.
    pub(crate) before: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The length that is announced, where it is not the body's.
    pub(crate) length: Option<usize>,
    /// After how many bytes of the body the connection ends.
    pub(crate) cut: Option<usize>,
    /// Whether nothing more comes, and the connection stays open.
    pub(crate) hang: bool,
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: Url,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("a URL");
        let requests = Arc::new(Mutex::new(vec![]));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answer)));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        self.url.join(path).expect("a URL")
    }

    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        self.requests.lock().expect("requests").iter().filter(|request| request.path == path).cloned().collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<Request>>>,
    answer: Arc<impl Fn(&Request) -> Reply + Send + Sync + 'static>,
) -> Option<()> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| line.to_ascii_lowercase().starts_with(name).then(|| line[name.len()..].trim().to_owned()))
    };
    let from = header("range:").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let request = {
        let mut seen = seen.lock().expect("requests");
        let before = seen.iter().filter(|other| other.path == path).count();
        let request = Request { path, from, if_range: header("if-range:"), before };
        seen.push(request.clone());
        request
    };
    let reply = answer(&request);
    let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    let _ = write!(text, "content-length: {}\r\n", reply.length.unwrap_or(reply.body.len()));
    for (name, value) in &reply.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())]).await.ok()?;
    stream.flush().await.ok()?;
    if reply.hang {
        std::future::pending::<()>().await;
    }
    Some(())
}

/// A file as an honest server gives it, with ranges.
pub(crate) fn file(request: &Request, body: &[u8], tag: &str) -> Reply {
    let headers = vec![("etag".to_owned(), format!("\"{tag}\""))];
    let same = request.if_range.as_ref().is_none_or(|wanted| *wanted == format!("\"{tag}\""));
    match request.from.filter(|from| same && *from < body.len()) {
        None => Reply { status: 200, headers, body: body.to_vec(), ..Reply::default() },
        Some(from) => Reply {
            status: 206,
            headers: [headers, vec![("content-range".to_owned(), format!("bytes {from}-{}/{}", body.len() - 1, body.len()))]]
                .concat(),
            body: body[from..].to_vec(),
            ..Reply::default()
        },
    }
}

pub(crate) fn status(status: u16) -> Reply {
    Reply { status, ..Reply::default() }
}
