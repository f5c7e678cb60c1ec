//! No request takes resources from others before it needs them: a handler gets a database connection only after the body is
//! read, and holds none while it waits for a command or another system.

mod sources;

use crate::support::{Scripted, TestSite};
use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, Payload};
use actix_web::App;
use actix_web::dev::Service;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use bootledger_aggregates::token::TokenScope;
use bootledger_web::server::Part;
use futures::future::join_all;
use futures::stream;
use sources::Route;
use std::net::TcpListener;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// After this time, a request counts as waiting for a connection that it does not get. `make bench` measures how long answers
/// take beside others.
const PROMPT: Duration = Duration::from_secs(10);

/// The content types of bodies; each route accepts at most one of them.
const TYPES: [&str; 6] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/csv",
    "application/x-yaml",
    "application/octet-stream",
];

/// Takes every connection of the web pool, until they are dropped.
async fn all_connections(site: &TestSite) -> Vec<sqlx::pool::PoolConnection<sqlx::Postgres>> {
    let count = site.pool.options().get_max_connections();
    join_all((0..count).map(|_| site.pool.acquire())).await.into_iter().map(|one| one.expect("a connection")).collect()
}

#[actix_web::test]
async fn every_route_that_changes_something_reads_its_body_before_it_wants_a_connection() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let service = init_service(App::new().configure(site.site.configure(Part::Whole))).await;
    let routes = sources::unsafe_routes();
    let mut waiting = vec![];
    assert!(routes.len() > 90, "the sources name only {routes:?}");
    for Route { method, path } in routes {
        // The service caches the authenticated caller for some seconds, so that only the handler can wait here.
        let known = TestRequest::get().uri("/api/v1/events?limit=1").insert_header(("authorization", format!("Bearer {bearer}")));
        assert_eq!(service.call(known.to_request()).await.expect("an answer").status(), 200);
        let held = all_connections(&site).await;
        let requested = TYPES.map(|kind| {
            let broken_off = TestRequest::with_uri(&path)
                .method(method.parse::<Method>().expect("a method"))
                .insert_header(("authorization", format!("Bearer {bearer}")))
                .insert_header(("content-type", kind))
                .insert_header(("content-length", "100"))
                .peer_addr("127.0.0.1:50000".parse().expect("an address"));
            let body: BoxedPayloadStream = Box::pin(stream::once(async { Err(PayloadError::Incomplete(None)) }));
            let (broken_off, _) = broken_off.to_request().replace_payload(Payload::Stream { payload: body });
            tokio::time::timeout(PROMPT, service.call(broken_off))
        });
        let statuses =
            join_all(requested).await.into_iter().map(|answer| answer.map(|answer| answer.expect("an answer").status()));
        let statuses: Vec<_> = statuses.collect();
        drop(held);
        // A request that waits for a connection is refused after some seconds.
        if statuses.iter().all(|status| status.as_ref().is_ok_and(|status| *status == 503) || status.is_err()) {
            waiting.push(format!("{method} {path}"));
            continue;
        }
        for (status, kind) in statuses.into_iter().zip(TYPES) {
            let Ok(status) = status else { continue };
            assert!(!status.is_server_error(), "{method} {path} ({kind}) is answered with {status}");
        }
    }
    // This route has no body. It only waits to read back what it changed.
    assert_eq!(waiting, ["POST /api/v1/sites/x/drift/check"], "a route wants a connection before it has its body");
}

#[actix_web::test]
async fn sixty_forms_at_once_are_all_done_and_an_agent_is_answered_promptly_with_four_connections() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Operator).await;
    // Commands use connections of the same pool, as in a service with one pool for everything.
    site.domain.uses(site.pool.clone());
    let service = site.start().await;
    let id = uuid::Uuid::now_v7();
    let cancel = async || {
        let request = TestRequest::post()
            .uri(&format!("/deployments/{id}/done"))
            .insert_header(("authorization", format!("Bearer {bearer}")))
            .set_form([("key", uuid::Uuid::now_v7().to_string()), ("reason", "seen".to_owned())]);
        service.call(request.to_request()).await.expect("an answer").status().as_u16()
    };
    let agent = async {
        for _ in 0..20 {
            let poll = TestRequest::get().uri("/dhcp/nowhere/kea.json").peer_addr("10.0.0.9:50000".parse().expect("an address"));
            let answer = tokio::time::timeout(PROMPT, service.call(poll.to_request())).await.expect("an agent does not wait");
            assert_eq!(answer.expect("an answer").status(), 404);
        }
    };
    let (statuses, ()) = tokio::join!(join_all((0..60).map(|_| cancel())), agent);
    // The scripted domain knows no such deployment, and answers that only after it had a connection.
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 60, "{statuses:?}");
}

#[actix_web::test]
async fn sixty_questions_to_hanging_controllers_leave_every_connection_to_others() {
    let site = TestSite::create().await;
    let (viewer, other) = (site.bearer(TokenScope::Viewer).await, site.bearer(TokenScope::Viewer).await);
    let service = site.start().await;
    site.domain.hangs();
    let path = format!("/api/v1/devices/{}/power", uuid::Uuid::now_v7());
    let request = async |bearer: &str, path: &str| {
        let request = TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {bearer}")));
        service.call(request.to_request()).await.expect("an answer").status().as_u16()
    };
    let reads = async {
        for bearer in [&other, &viewer] {
            for _ in 0..10 {
                let read = tokio::time::timeout(PROMPT, request(bearer, "/api/v1/devices"));
                assert_eq!(read.await.expect("a read does not wait"), 200);
            }
        }
        site.domain.goes_on();
    };
    let (statuses, ()) = tokio::join!(join_all((0..60).map(|_| request(&viewer, &path))), reads);
    assert!(statuses.iter().all(|status| *status == 404), "{statuses:?}");
}

/// Sends the head of a request and the first byte of its body, and keeps the connection open.
async fn slow(address: std::net::SocketAddr, bearer: &str, path: &str, kind: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {bearer}\r\nContent-Type: {kind}\r\nContent-Length: 50\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream
}

#[actix_web::test]
async fn slow_bodies_delay_no_other_request() {
    let site = TestSite::create().await;
    let (operator, viewer) = (site.bearer(TokenScope::Operator).await, site.bearer(TokenScope::Viewer).await);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = site.site.serve(listener, Part::Whole).expect("a server");
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    let id = uuid::Uuid::now_v7();
    let mut streams = vec![];
    for _ in 0..26 {
        streams.push(slow(address, &operator, &format!("/deployments/{id}/cancel"), "application/x-www-form-urlencoded").await);
        streams.push(slow(address, &operator, "/api/v1/deployments", "application/json").await);
        streams.push(slow(address, &operator, "/api/v1/imports", "text/csv").await);
    }
    for path in ["/deployments", "/api/v1/devices", "/readyz", "/dns/zones/nowhere.example"].repeat(5) {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {viewer}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a request is sent");
        let mut answer = String::new();
        tokio::time::timeout(PROMPT, stream.read_to_string(&mut answer)).await.expect("in time").expect("an answer");
        let expected = if path.starts_with("/dns") { "404" } else { "200" };
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{path}: {answer}");
        for stream in &mut streams {
            // This fails only if the server has timed out, after half a minute.
            stream.write_all(b"x").await.expect("the body goes on");
        }
        for stream in &mut streams {
            let mut none = [0];
            assert!(stream.try_read(&mut none).is_err(), "a body that still arrives was answered");
        }
    }
    assert!(site.domain.requested.lock().expect("no panic").is_empty(), "a command ran on part of a body");
    drop(streams);
    handle.stop(false).await;
    drop(serving.await);
}

#[test]
fn handlers_that_may_read_reach_others_through_their_backend_only() {
    // What a handler could use while it holds a read connection: commands, pools, the file store.
    const AROUND: [&str; 5] =
        [".unguarded()", "application.views", "application.agents", "application.files", "reach(&application"];
    for folder in ["api", "pages", "machines/dns", "machines/puppet"] {
        for (file, text) in sources::of(folder) {
            let found = AROUND.iter().find(|around| text.contains(**around) && !sources::is_excused(&file, around));
            assert!(found.is_none(), "{} uses {}; a handler takes a Backend for that", file.display(), found.unwrap_or(&""));
        }
    }
}

#[actix_web::test]
async fn a_page_that_only_leads_to_a_change_is_refused_like_the_change() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let leading = sources::pages_that_lead_to_a_change();
    assert!(leading.len() > 20, "the sources name only {leading:?}");
    for path in leading {
        let answer = site.request_as(&viewer, TestRequest::get().uri(&path)).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
    }
}

/// Makes the scripted domain as slow as a real one.
impl Scripted {
    fn uses(&self, pool: sqlx::PgPool) {
        *self.pool.lock().expect("no panic") = Some(pool);
    }

    fn hangs(&self) {
        self.hanging.send_replace(true);
    }

    fn goes_on(&self) {
        self.hanging.send_replace(false);
    }
}
