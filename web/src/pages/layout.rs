//! The layout around every page: navigation, search, the signed-in user, whether the page shows the past, and whether
//! it is live.

mod carry;
mod clock;
mod document;
mod navigation;
mod quick;
pub(crate) mod toast;

use crate::http::auth::caller::{Caller, Viewer};
use crate::http::error::Error;
use crate::http::request::parameters::{AT, pairs, read_filled};
use crate::http::request::snapshot::{Snapshot, name_position};
use crate::pages::application;
use crate::pages::components::copy;
use crate::pages::components::icon::icon;
use crate::pages::components::time::{moment, words};
use crate::wording::proof::alteration;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::verification::{self, Alteration};
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::timeline;
use carry::frozen;
pub(crate) use carry::{carried, with_at};
use clock::Clock;
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
    /// The past time that the request of an error page names. Nothing was read, so that its position is not known.
    unresolved: Option<Timestamp>,
    /// The position of the change that led to this page, according to the browser's cookie.
    saved: Option<i64>,
    /// The confirmation of that change.
    confirmation: Option<Markup>,
    clock: Clock,
    /// Whether the page's own parameters name the moments that it shows.
    own_moments: bool,
    /// What the last verification of the log found, if it was altered.
    altered: Option<Alteration>,
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
                unresolved: None,
                saved: toast::of_request(&request),
                confirmation: None,
                clock: Clock::default(),
                own_moments: false,
                altered: None,
            })
        }
        .boxed_local()
    }
}

/// The moment that a query names, in the form that links carry; `None` if it names none, or no moment.
pub(crate) fn moment_of(query: &str) -> Option<String> {
    let (_, text) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == AT)?;
    moment_in(&text)
}

/// The moment that links of an error page carry: the one that the request names, if it has come. Only a page that is read can be
/// of the past.
pub(crate) fn moment_of_failure(request: &HttpRequest) -> Option<String> {
    let application = application::of(request).ok()?;
    let text = moment_of(request.query_string()).filter(|_| request.method().is_safe())?;
    let last = *application.position.borrow();
    has_come(&text, last, (application.now)()).then_some(text)
}

/// Whether a moment is a position up to the last one, or a time that has come.
fn has_come(text: &str, last: i64, now: Timestamp) -> bool {
    match text.parse::<i64>() {
        Ok(position) => position <= last,
        Err(_) => text.parse::<Timestamp>().is_ok_and(|time| time <= now),
    }
}

fn moment_in(text: &str) -> Option<String> {
    let position = text.parse::<i64>().ok().filter(|position| *position >= 0).map(|position| position.to_string());
    position.or_else(|| text.parse::<Timestamp>().ok().map(|time| time.to_string()))
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

    /// Names the aggregate that the page shows, so that the clock leads to its changes.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "an ID is copied, and a key is borrowed")]
    pub(crate) fn about(mut self, aggregate_type: &'static str, id: impl ToString) -> Self {
        self.clock.object = Some((aggregate_type, id.to_string()));
        self
    }

    /// Marks a page whose own parameters name the moments that it shows.
    #[must_use]
    pub(crate) fn with_own_moments(mut self) -> Self {
        self.own_moments = true;
        self
    }

    /// Ends a snapshot, for a page that waits for something else before it is answered.
    pub(crate) async fn see(mut self, mut snapshot: Snapshot<'_>) -> Result<Seen, Error> {
        if snapshot.at != At::Now {
            self.past = snapshot.recorded_at;
            self.clock.last = checkpoint::position(snapshot.connection()).await?;
        }
        if let Some((aggregate_type, id)) = &self.clock.object {
            // The present includes the event at its position; a page of the past steps to the changes around it.
            let position = snapshot.position;
            let before = if snapshot.at == At::Now { position + 1 } else { position };
            let around = timeline::around(snapshot.connection(), aggregate_type, id, before, position).await?;
            (self.clock.previous, self.clock.next) = around;
        }
        if let Some(saved) = self.saved {
            self.confirmation = toast::confirmation(snapshot.connection(), saved, &self.caller.principal).await?;
        }
        self.altered = verification::find(snapshot.connection()).await?.problem.map(|(problem, _)| problem);
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

    /// The answer with a board: its content without menu, search and forms, with the state of its live stream.
    pub(crate) fn board(self, position: i64, title: &str, live: &str, content: &Markup) -> HttpResponse {
        let body = html! {
            div.board {
                header {
                    h1 { (title) }
                    a href="/" { "Dashboard" }
                    span.live id="live-state" role="status" data-state="off" { "Loaded again every 30 seconds" }
                }
                main id="main" { (content) }
            }
            div hx-sse:connect=(live) hx-trigger="seen" hx-swap="none" hx-config="sse.reconnectMaxDelay:3000" {}
        };
        let text = document::board(title, self.theme, &body).into_string();
        let mut response = HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text);
        name_position(&mut response, position);
        response
    }

    /// An error as a page with navigation, for a visitor who is signed in; `None` for anyone else. `moment` is the past moment
    /// that its links carry.
    pub(crate) fn failure(request: &HttpRequest, title: &str, content: Markup, moment: Option<&str>) -> Option<Markup> {
        // The guard has stored the visitor, so nothing has to be awaited.
        let viewer = Viewer::extract(request).now_or_never()?.ok()?;
        let application = application::of(request).ok()?;
        // Only the address of a page can be opened again.
        let path = if request.method().is_safe() { request.path() } else { "/" };
        // The links to other moments of the page keep its other parameters.
        let query = moment.and_then(|_| pairs(request.query_string()).ok()).unwrap_or_default();
        let last = *application.position.borrow();
        let position = moment.and_then(|moment| moment.parse::<i64>().ok());
        let page_context = Self {
            caller: viewer.0,
            now: (application.now)(),
            path: path.to_owned(),
            query,
            theme: Theme::of_request(request),
            past: None,
            unresolved: moment.and_then(|moment| moment.parse().ok()),
            saved: None,
            confirmation: None,
            clock: Clock { last, ..Clock::default() },
            own_moments: false,
            altered: None,
        };
        let page = Page::new(title, Section::of_path(request.path()), content);
        Some(page_context.whole_page(position.unwrap_or(last), position.map_or(At::Now, At::Position), &page))
    }

    fn render(self, position: i64, at: At, status: StatusCode, page: &Page<'_>) -> HttpResponse {
        let mut body = self.whole_page(position, at, page).into_string();
        if let Some(moment) = self.carried(position, at) {
            body = carried(&body, &moment);
        }
        if at != At::Now {
            body = frozen(&body);
        }
        let mut response = HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body);
        name_position(&mut response, position);
        if self.confirmation.is_some() {
            toast::forget(&mut response);
        }
        response
    }

    /// The moment that the page's links carry: the position that it shows, or the one that the request names and that the page
    /// cannot show.
    fn carried(&self, shown: i64, at: At) -> Option<String> {
        match at {
            At::Position(position) => Some(position.to_string()),
            At::Now => self.wanted_moment(shown),
        }
    }

    /// The moment that the request names, if it is a position up to the one that is shown, or a time that has come.
    fn wanted_moment(&self, shown: i64) -> Option<String> {
        let text = self.parameter(AT);
        moment_in(text).filter(|_| has_come(text, shown, self.now))
    }

    /// This page as of another moment, or in the present. Every other parameter is kept, so that it shows the same part.
    fn as_of(&self, position: Option<i64>) -> String {
        let kept = self.query.iter().filter(|(name, value)| name != AT && !value.is_empty());
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(kept);
        if let Some(position) = position {
            text.append_pair(AT, &position.to_string());
        }
        let text = text.finish();
        if text.is_empty() { self.path.clone() } else { format!("{}?{text}", self.path) }
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
                        (self.top(position, at, page.section))
                        @match (at, self.unresolved) {
                            (At::Position(position), _) => (self.past(position)),
                            (At::Now, Some(time)) => (self.past_time(time)),
                            (At::Now, None) => { @if self.wanted_moment(position).is_some() { (self.present_only()) } }
                        }
                        @if let Some(confirmation) = &self.confirmation { (confirmation) }
                        @if let Some(altered) = self.altered {
                            div.note.bad.log-altered role="alert" { p { strong { "The event log was altered." } " " (alteration(altered)) " " a href="/timeline#proof" { "Details" } } }
                        }
                        main id="main" { (page.content) }
                        (self.foot(position, at, page))
                    }
                }
                (quick::dialog())
                @if let Some(live) = live {
                    // The stream's messages name the elements that they replace; this element gets no content.
                    div hx-sse:connect=(live) hx-trigger="seen" hx-swap="none" hx-config="sse.reconnectMaxDelay:3000" {}
                }
            },
        )
    }

    fn top(&self, position: i64, at: At, section: Section) -> Markup {
        html! {
            header.top {
                form method="get" action="/search" role="search" {
                    label.visually-hidden for="search" { "Search" }
                    input type="search" id="search" name="q" placeholder="Name, IP, MAC, serial, event" aria-keyshortcuts="Control+K Meta+K" maxlength="300";
                    button type="submit" { (icon("search")) "Search" }
                }
                (clock::clock(self, position, at))
                div.who {
                    a href=(section.help()) { "Help" }
                    a href="/settings" { (icon("person-circle")) " " (self.caller.principal.called()) }
                    form.inline method="post" action="/sign-out" { button.plain type="submit" { "Sign out" } }
                }
            }
        }
    }

    fn past(&self, position: i64) -> Markup {
        html! {
            div.past role="status" {
                span {
                    @if position == 0 { "You are viewing the time before the first event" }
                    @else { "You are viewing the past, as of event " (position) }
                    @if let Some(at) = self.past { ", " (moment(at)) }
                    ". Changes are not possible here."
                }
                @if position > 0 { a href=(self.as_of(Some(position - 1))) rel="prev" { "Previous event" } }
                @if position < self.clock.last { a href=(self.as_of(Some(position + 1))) rel="next" { "Next event" } }
                a href=(self.as_of(None)) data-now="" { "Return to the present" }
            }
        }
    }

    /// The bar of an error page as of a past time.
    fn past_time(&self, time: Timestamp) -> Markup {
        html! {
            div.past role="status" {
                span { "You are viewing the past, as of " (moment(time)) ". Changes are not possible here." }
                a href=(self.as_of(None)) data-now="" { "Return to the present" }
            }
        }
    }

    /// The note on a page that cannot show the requested moment.
    fn present_only(&self) -> Markup {
        html! {
            div.past.present role="status" {
                span {
                    @if self.own_moments { "This page chooses its own moments." } @else { "This page shows the present only." }
                    " Its links lead to the past that you were viewing."
                }
                a href=(self.as_of(None)) data-now="" { "Return to the present" }
            }
        }
    }

    fn foot(&self, position: i64, at: At, page: &Page<'_>) -> Markup {
        html! {
            footer.foot {
                @if page.live.is_some() && at == At::Now { span.live id="live-state" role="status" data-state="off" { "Live updates require JavaScript" } }
                @if let Some(time) = self.unresolved { span { "As of " (words(time)) } }
                @else if at == At::Now { a id="position" href=(self.as_of(Some(position))) data-now="" title="Permanent link to this state" { "As of event " (position) } }
                @else { span { "As of event " (position) } }
                @if let Some(json) = &page.json { a href=(json) { "JSON" } }
                @if let Some(csv) = &page.csv { a href=(csv) { "CSV" } }
                @if let Some(json) = &page.json { (copy::curl(json)) }
                a href="/api/docs" { "API" }
                a href="/about" { "About" }
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
