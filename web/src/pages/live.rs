//! Live pages. A page consists of regions, elements with an ID. When an event concerns a page, its view functions render the
//! regions again, and those that changed are sent as server-sent events, which htmx morphs into their place. A stream sends
//! states and not changes, so that a client that was disconnected is up to date after its first message; `Last-Event-ID` is the
//! last position that it received.
//!
//! Streams of the same path share what they show: a hundred dashboards need as many queries as one.

pub(crate) mod polled;
mod recent;
mod shared;

use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::http::stream::{self, Watched};
use crate::pages::application;
use crate::pages::layout::visible;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use anyhow::anyhow;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
pub(crate) use bootledger_projections::rows::timeline::Touch;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use maud::{Markup, html};
use shared::Shown;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often an idle stream sends a sign of life. The pages' script treats a silence of three times this as a lost connection.
const BEAT: Duration = Duration::from_secs(5);
/// The minimum time between two messages of a stream; changes within this time are sent together.
const GAP: Duration = Duration::from_millis(150);

/// The state that all streams of a process share.
#[derive(Default)]
pub(crate) struct Live {
    recent: recent::Recent,
    shared: shared::Sharing,
}

/// What a page concerns. The page is rendered again when an event concerns any of its topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Any event of the log.
    Everything,
    /// Every aggregate of a type, such as `deployment`.
    Kind(&'static str),
    /// One aggregate, such as `network`, `prod`.
    One(&'static str, String),
    /// A deployment, and its device as far as the deployment changes it.
    Deployment(DeploymentId),
    /// A device, and its deployments.
    Device(DeviceId),
}

impl Topic {
    fn is_of(&self, touch: &Touch) -> bool {
        match self {
            Self::Everything => true,
            Self::Kind(kind) => touch.aggregate_type == *kind,
            Self::One(kind, id) => touch.aggregate_type == *kind && touch.aggregate_id == *id,
            Self::Deployment(id) => touch.deployment == Some(*id),
            Self::Device(id) => touch.device == Some(*id),
        }
    }
}

/// A part of a page: an element with this ID.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    /// The element's ID.
    pub(crate) id: String,
    /// The element's markup.
    pub(crate) html: Markup,
}

impl Region {
    /// Creates a part of a page.
    pub(crate) fn new(id: impl Into<String>, html: Markup) -> Self {
        Self { id: id.into(), html }
    }
}

/// The state of a page at the moment.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The regions of the page.
    pub(crate) regions: Vec<Region>,
    /// For a list: the IDs (`UUIDv7`) of the rows that it would show now. The new ones among them are counted.
    pub(crate) rows: Vec<uuid::Uuid>,
}

/// Renders a page's state, from a snapshot and the recent events' subjects.
pub(crate) type Render = Rc<dyn for<'a> Fn(Snapshot<'a>, Vec<Touch>) -> LocalBoxFuture<'a, Result<State, Error>>>;

/// Wraps a closure that renders a page's state.
pub(crate) fn render<F>(make: F) -> Render
where
    F: for<'a> Fn(Snapshot<'a>, Vec<Touch>) -> LocalBoxFuture<'a, Result<State, Error>> + 'static,
{
    Rc::new(make)
}

/// For a list: which rows count as new, and the path that shows them.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// Rows created after this time are new, in milliseconds since 1970.
    pub(crate) since: u64,
    /// The path of the list that includes them.
    pub(crate) path: String,
}

/// The place in a list's page that announces new rows.
pub(crate) fn news(count: usize, path: &str) -> Markup {
    html! {
        div id="news" role="status" {
            @if count > 0 { p.note.info { span { (count) @if count == 1 { " new row. " } @else { " new rows. " } a href=(path) { "Show" } } } }
        }
    }
}

struct Stream {
    backend: Backend,
    live: Data<Live>,
    watched: Watched,
    key: String,
    topics: Vec<Topic>,
    render: Render,
    news: Option<News>,
    /// The position that the client has received.
    after: i64,
    /// The hash of each region as it was last sent to the client.
    sent: HashMap<String, u64>,
    reported: Option<Instant>,
    greeted: bool,
}

/// Starts a stream after `since`, or after the request's `Last-Event-ID`.
pub(crate) fn answer(
    request: &HttpRequest,
    since: i64,
    topics: Vec<Topic>,
    news: Option<News>,
    render: Render,
) -> Result<HttpResponse, Error> {
    let application = application::of(request)?;
    let live = request.app_data::<Data<Live>>().cloned();
    let live = live.ok_or_else(|| Error::Internal(anyhow!("live updates are not available on this server")))?;
    let seen = request.headers().get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let stream = Stream {
        watched: Watched::new(request, &application),
        backend: Backend::of(request)?.for_everybody(),
        live,
        // The content depends on the visitor's role, because the actions do.
        key: format!("{} {}", Principal::of_request(request)?.role_words(), shared::key(request)),
        topics,
        render,
        news,
        after: seen.unwrap_or(since).max(0),
        sent: HashMap::new(),
        reported: None,
        greeted: false,
    };
    let parts =
        futures::stream::unfold(stream, |mut stream| async { stream.next().await.map(|part| (Ok::<_, Error>(part), stream)) });
    // No proxy may wait for more data before it passes on what it has.
    Ok(stream::answer().insert_header((CONTENT_ENCODING, "identity")).streaming(Box::pin(parts)))
}

impl Stream {
    /// The next bytes; `None` at the end, after which a client reconnects.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(beat());
        }
        loop {
            let shown = self.watched.position().await?;
            if shown > self.after {
                match self.look(shown).await {
                    Ok(Some(message)) => return Some(message),
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::warn!("a live page ends because it cannot be read: {error}");
                        return None;
                    }
                }
            }
            if !self.watched.moved(BEAT).await? {
                return Some(beat());
            }
        }
    }

    /// The message to send now that the views show a position.
    async fn look(&mut self, shown: i64) -> Result<Option<Bytes>, Error> {
        let touched = self.live.recent.between(&mut self.backend, self.after, shown).await?;
        let concerned =
            touched.is_none_or(|touched| touched.iter().any(|touch| self.topics.iter().any(|topic| topic.is_of(touch))));
        if !concerned {
            self.after = shown;
            return Ok(None);
        }
        if let Some(reported) = self.reported {
            tokio::time::sleep(GAP.saturating_sub(reported.elapsed())).await;
        }
        let state = self.live.shared.state(&mut self.backend, &self.live.recent, &self.key, shown, &self.render).await?;
        self.reported = Some(Instant::now());
        self.after = state.position.max(shown);
        let mut text = String::new();
        for (region, hash) in &state.regions {
            if self.sent.insert(region.id.clone(), *hash) != Some(*hash) {
                write_partial(&mut text, region);
            }
        }
        if let Some((count, region)) = self.news(&state) {
            let hash = shared::hash(&region.html.0);
            if is_news(self.sent.insert(region.id.clone(), hash), hash, count) {
                write_partial(&mut text, &region);
            }
        }
        Ok((!text.is_empty()).then(|| message(self.after, &text)))
    }

    fn news(&self, state: &Arc<Shown>) -> Option<(usize, Region)> {
        let News { since, path } = self.news.as_ref()?;
        let made = |id: &uuid::Uuid| {
            id.get_timestamp().map_or(0, |stamp| {
                let (seconds, nanoseconds) = stamp.to_unix();
                seconds * 1000 + u64::from(nanoseconds / 1_000_000)
            })
        };
        let count = state.rows.iter().filter(|id| made(id) > *since).count();
        Some((count, Region::new("news", news(count, path))))
    }
}

/// Whether to send a client the number of new rows: its page initially shows none.
fn is_news(sent: Option<u64>, hash: u64, count: usize) -> bool {
    sent.map_or(count > 0, |sent| sent != hash)
}

fn beat() -> Bytes {
    Bytes::from_static(b"event: beat\ndata: .\n\n")
}

fn write_partial(text: &mut String, region: &Region) {
    let html = visible(&region.html.0);
    for part in ["<hx-partial id=\"", &region.id, "\" hx-swap=\"outerMorph\">", &html, "</hx-partial>"] {
        text.push_str(part);
    }
}

/// One event of the stream. A field cannot contain a line break, so a text with line breaks becomes several fields.
fn message(position: i64, text: &str) -> Bytes {
    let lines: Vec<String> = text.replace('\r', "&#13;").split('\n').map(|line| format!("data: {line}\n")).collect();
    Bytes::from(format!("id: {position}\n{}\n", lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_position_and_keeps_line_breaks() {
        let mut text = String::new();
        write_partial(&mut text, &Region { id: "a".to_owned(), html: maud::PreEscaped("<pre id=\"a\">x\r\ny</pre>".to_owned()) });
        let reported = message(7, &text);
        assert_eq!(
            std::str::from_utf8(&reported).expect("UTF-8"),
            "id: 7\ndata: <hx-partial id=\"a\" hx-swap=\"outerMorph\"><pre id=\"a\">x&#13;\ndata: y</pre></hx-partial>\n\n"
        );
    }

    #[test]
    fn new_rows_are_announced_at_once_and_again_only_when_there_are_more() {
        assert!(is_news(None, 1, 1) && !is_news(None, 1, 0));
        assert!(is_news(Some(1), 2, 2) && !is_news(Some(2), 2, 2));
    }

    #[test]
    fn a_topic_is_touched_by_its_own_events_only() {
        let touch = |kind: &str, id: &str, device, deployment| Touch {
            position: 1,
            aggregate_type: kind.to_owned(),
            aggregate_id: id.to_owned(),
            device,
            deployment,
        };
        let (device, deployment) = (DeviceId::default(), DeploymentId::default());
        let assigned = touch("device", "x", Some(device), Some(deployment));
        assert!(Topic::Deployment(deployment).is_of(&assigned) && Topic::Device(device).is_of(&assigned));
        assert!(Topic::Kind("device").is_of(&assigned) && !Topic::Kind("deployment").is_of(&assigned));
        let network = touch("network", "prod", None, None);
        assert!(
            Topic::One("network", "prod".to_owned()).is_of(&network) && !Topic::One("network", "x".to_owned()).is_of(&network)
        );
        assert!(!Topic::Deployment(deployment).is_of(&network) && Topic::Everything.is_of(&network));
    }
}
