//! The layout around every page: navigation, search, the signed-in user, whether the page shows the past, and whether
//! it is live.

mod document;
mod navigation;

use crate::http::auth::caller::{Caller, Viewer};
use crate::http::error::Error;
use crate::http::request::parameters::{AT, pairs, read_filled};
use crate::http::request::snapshot::{Snapshot, name_position};
use crate::pages::application;
use crate::pages::components::icon::icon;
use crate::pages::components::time::{moment, words};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log;
use bootledger_projections::rows::at::At;
use document::document;
pub(crate) use document::{Theme, lone, visible, wide};
use futures::future::{FutureExt, LocalBoxFuture};
use maud::{Markup, html};
pub(crate) use navigation::Section;
use navigation::navigation;

/// The cursors of lists: a link with other filters, or in another order, begins at the first page.
const CURSORS: [&str; 2] = ["after", "before"];

/// The visitor of a page, who is at least a viewer. A page's handlers take it first.
#[derive(Clone, Debug)]
pub(crate) struct PageContext {
    /// The authenticated visitor.
    pub(crate) caller: Caller,
    /// The time of the request, by the clock of the HTTP layer.
    pub(crate) now: Timestamp,
    path: String,
    query: Vec<(String, String)>,
    theme: Theme,
    /// When the event at the requested past position was recorded.
    past: Option<Timestamp>,
}

impl FromRequest for PageContext {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let viewer = Viewer::extract(&request).await?;
            let application = application::of(&request)?;
            Ok(Self {
                caller: viewer.0,
                now: (application.now)(),
                path: request.path().to_owned(),
                query: pairs(request.query_string())?,
                theme: Theme::of_request(&request),
                past: None,
            })
        }
        .boxed_local()
    }
}

/// One page: the content that the layout surrounds.
pub(crate) struct Page<'a> {
    /// The title, without markup.
    pub(crate) title: &'a str,
    /// The section of the navigation that the page belongs to.
    pub(crate) section: Section,
    /// The path of the page's live stream, if it has one: see [`super::live`].
    pub(crate) live: Option<String>,
    /// The API path that returns the same as JSON.
    pub(crate) json: Option<String>,
    /// The path that returns the same as CSV.
    pub(crate) csv: Option<String>,
    /// The content of `main`, beginning with the heading.
    pub(crate) content: Markup,
}

impl<'a> Page<'a> {
    /// A page that is not live and is not available in another form.
    pub(crate) fn new(title: &'a str, section: Section, content: Markup) -> Self {
        Self { title, section, live: None, json: None, csv: None, content }
    }
}

/// The context of a page whose snapshot has ended.
pub(crate) struct Seen {
    page_context: PageContext,
    position: i64,
    at: At,
}

impl Seen {
    /// The answer with a page as of the snapshot.
    pub(crate) fn answer(self, page: &Page<'_>) -> HttpResponse {
        self.page_context.render(self.position, self.at, StatusCode::OK, page)
    }
}

impl PageContext {
    /// Whether the visitor has a role; `Err` is the message that it is missing.
    pub(crate) fn may(&self, needed: Role) -> Result<(), String> {
        match self.caller.principal.require(needed) {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("This requires the role {needed}. Contact an administrator.")),
        }
    }

    /// Whether changes may be made from this page: the visitor has the role, and the page does not show the past.
    pub(crate) fn may_change(&self, snapshot: &Snapshot<'_>, needed: Role) -> Result<(), String> {
        if snapshot.at != At::Now {
            return Err("This page shows the past, which cannot be changed. Return to the present.".to_owned());
        }
        self.may(needed)
    }

    /// This page's path and query with one parameter set or removed. The cursors are removed, too.
    pub(crate) fn with(&self, name: &str, value: Option<&str>) -> String {
        let kept = self.query.iter().filter(|(known, _)| known != name && !CURSORS.contains(&known.as_str()));
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(kept.filter(|(_, value)| !value.is_empty()));
        if let Some(value) = value {
            text.append_pair(name, value);
        }
        let text = text.finish();
        if text.is_empty() { self.path.clone() } else { format!("{}?{text}", self.path) }
    }

    /// This page's path and query without some parameters and without the cursors.
    pub(crate) fn without(&self, names: &[&str]) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.parameters().filter(|(name, value)| !names.contains(name) && !value.is_empty()));
        let text = text.finish();
        if text.is_empty() { self.path.clone() } else { format!("{}?{text}", self.path) }
    }

    /// Adds parameters that the visitor's URL does not name, such as those that the visitor prefers for the list.
    pub(crate) fn assume(&mut self, preferred: Vec<(String, String)>) {
        for (name, value) in preferred {
            if self.parameter(&name).is_empty() {
                self.query.push((name, value));
            }
        }
    }

    /// The query, parsed as a type that should deny unknown fields; parameters without a value do not count.
    pub(crate) fn query<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        read_filled(&self.query)
    }

    /// The query without some parameters that only this page uses.
    pub(crate) fn query_without<T: serde::de::DeserializeOwned>(&self, own: &[&str]) -> Result<T, Error> {
        let kept: Vec<_> = self.query.iter().filter(|(name, _)| !own.contains(&name.as_str())).cloned().collect();
        read_filled(&kept)
    }

    /// This page's path and query, with one more parameter.
    pub(crate) fn and(&self, name: &str, value: &str) -> String {
        let without = self.with(name, None);
        let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        format!("{without}{}{pair}", if without.contains('?') { '&' } else { '?' })
    }

    /// The value of a parameter of the query; empty if it has none.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.query.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The query's parameters except for the cursors, for hidden fields and links to other forms of the same list.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query
            .iter()
            .filter(|(name, _)| !CURSORS.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The answer with a page as of a snapshot.
    pub(crate) async fn answer(self, snapshot: Snapshot<'_>, page: Page<'_>) -> Result<HttpResponse, Error> {
        Ok(self.see(snapshot).await?.answer(&page))
    }

    /// Ends a snapshot, for a page that waits for something else before it is answered.
    pub(crate) async fn see(mut self, mut snapshot: Snapshot<'_>) -> Result<Seen, Error> {
        if let At::Position(position) = snapshot.at {
            self.past = log::recorded_at(snapshot.connection(), position).await?;
        }
        Ok(Seen { position: snapshot.position, at: snapshot.at, page_context: self })
    }

    /// The answer with a page that shows nothing of the views, such as an empty form.
    #[expect(clippy::needless_pass_by_value, reason = "a page is made for its one answer")]
    pub(crate) fn shown(self, position: i64, page: Page<'_>) -> HttpResponse {
        self.render(position, At::Now, StatusCode::OK, &page)
    }

    /// The answer with a form that was refused: 422.
    #[expect(clippy::needless_pass_by_value, reason = "a page is made for its one answer")]
    pub(crate) fn refused(self, position: i64, page: Page<'_>) -> HttpResponse {
        self.render(position, At::Now, StatusCode::UNPROCESSABLE_ENTITY, &page)
    }

    fn render(self, position: i64, at: At, status: StatusCode, page: &Page<'_>) -> HttpResponse {
        let body = self.whole_page(position, at, page).into_string();
        let mut response = HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body);
        name_position(&mut response, position);
        response
    }

    fn whole_page(&self, position: i64, at: At, page: &Page<'_>) -> Markup {
        let live = page.live.as_deref().filter(|_| at == At::Now);
        document(
            page.title,
            self.theme,
            true,
            &html! {
                a.skip href="#main" { "Skip to the content" }
                div.frame {
                    (navigation(page.section))
                    div.body {
                        (self.top())
                        @if let At::Position(position) = at { (self.past(position)) }
                        main id="main" { (page.content) }
                        (self.foot(position, at, page))
                    }
                }
                @if let Some(live) = live {
                    // The stream's messages name the elements that they replace; this element gets no content.
                    div hx-sse:connect=(live) hx-trigger="seen" hx-swap="none" hx-config="sse.reconnectMaxDelay:3000" {}
                }
            },
        )
    }

    fn top(&self) -> Markup {
        html! {
            header.top {
                form method="get" action="/search" role="search" {
                    label.visually-hidden for="search" { "Search devices and deployments" }
                    input type="search" id="search" name="q" placeholder="Host name, IP, MAC, serial" maxlength="300";
                    button type="submit" { (icon("search")) "Search" }
                }
                div.who {
                    a href="/settings" { (icon("person-circle")) " " (self.caller.principal.called()) }
                    form.inline method="post" action="/sign-out" { button.plain type="submit" { "Sign out" } }
                }
            }
        }
    }

    fn past(&self, position: i64) -> Markup {
        let at = |position: i64| self.with(AT, Some(&position.to_string()));
        html! {
            div.past role="status" {
                span {
                    "You are viewing the past, as of event " (position)
                    @if let Some(at) = self.past { ", " (moment(at)) }
                    ". Changes are not possible here."
                }
                @if position > 0 { a href=(at(position - 1)) rel="prev" { "Previous event" } }
                a href=(at(position + 1)) rel="next" { "Next event" }
                a href=(self.with(AT, None)) { "Return to the present" }
            }
        }
    }

    fn foot(&self, position: i64, at: At, page: &Page<'_>) -> Markup {
        html! {
            footer.foot {
                @if page.live.is_some() && at == At::Now { span.live id="live-state" role="status" data-state="off" { "Live updates require JavaScript" } }
                @if at == At::Now { a href=(self.with(AT, Some(&position.to_string()))) title="Permanent link to this state" { "As of event " (position) } }
                @else { span { "As of event " (position) } }
                @if let Some(json) = &page.json { a href=(json) { "JSON" } }
                @if let Some(csv) = &page.csv { a href=(csv) { "CSV" } }
                a href="/api/docs" { "API" }
                form method="post" action="/theme" {
                    input type="hidden" name="to" value=(self.with("", None));
                    label for="theme" { "Colours" }
                    select id="theme" name="theme" data-submit="" {
                        @for (value, words) in [("system", "System"), ("light", "Light"), ("dark", "Dark")] {
                            option value=(value) selected[Theme::of(value) == self.theme] { (words) }
                        }
                    }
                    noscript { button.small type="submit" { "Apply" } }
                }
                button.small type="button" id="times" hidden { "Times: UTC" }
                span title="Time when this page was created" { (words(self.now)) }
            }
        }
    }
}
