//! Saved views of a list: a menu with the visitor's own views and those that others share, and the form that saves what the page
//! shows. Any list can have it: load [`Views`], call [`Views::assume`] before the query is read, and put [`Views::menu`] into
//! the page. A view may have parameters of another version of the program: those that are not [`Known`] are left out.

use super::Column;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::parameters::AT;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{Allowed, once};
use crate::pages::components::field::Field;
use crate::pages::layout::PageContext;
use bootledger_aggregates::saved_view::SavedViewSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::SavedViewId;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::rows::catalogue::{Entry, SavedViewView, saved_views};
use maud::{Markup, html};

/// The lists that have saved views. The path of each is `/` and its name.
pub(crate) const LISTS: [&str; 10] =
    ["devices", "deployments", "timeline", "sites", "racks", "networks", "zones", "dhcp-servers", "ventures", "boot-images"];
/// The parameters that a usual view sets whenever its list is opened.
const USUAL: [&str; 3] = ["sort", "columns", "limit"];
/// The lists with a fixed order, fixed columns and a fixed page size, which have no usual view.
const FIXED: [&str; 2] = ["timeline", "ventures"];

/// The parameters that a list knows, besides the search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    filters: &'static [&'static str],
    sorts: Vec<&'static str>,
    columns: bool,
    sizes: bool,
}

impl Known {
    /// The filters of a list whose columns users can choose.
    pub(crate) fn of(filters: &'static [&'static str], columns: &[Column]) -> Self {
        let sorts = columns.iter().filter(|column| column.sortable).map(|column| column.name).collect();
        Self { filters, sorts, columns: true, sizes: true }
    }

    /// The filters and the orders of a list with fixed columns.
    pub(crate) fn fixed(filters: &'static [&'static str], sorts: Vec<&'static str>) -> Self {
        Self { filters, sorts, columns: false, sizes: true }
    }

    /// The filters of a page whose order, columns and size are fixed.
    pub(crate) fn filters(filters: &'static [&'static str]) -> Self {
        Self { filters, ..Self::default() }
    }

    fn has(&self, name: &str, value: &str) -> bool {
        match name {
            "q" => true,
            "sort" => self.sorts.contains(&value.strip_prefix('-').unwrap_or(value)),
            "columns" => self.columns,
            "limit" => self.sizes && value.parse::<u32>().is_ok_and(|limit| (1..=1000).contains(&limit)),
            name => self.filters.contains(&name),
        }
    }
}

/// The saved views of a list, for one visitor.
pub(crate) struct Views {
    list: &'static str,
    known: Known,
    me: Text,
    may: Allowed,
    entries: Vec<Entry<SavedViewView, SavedViewId>>,
}

impl Views {
    /// Reads the views of a list, one of [`LISTS`].
    pub(crate) async fn load(
        page_context: &PageContext,
        snapshot: &mut Snapshot<'_>,
        list: &'static str,
        known: Known,
    ) -> Result<Self, Error> {
        let (at, me) = (snapshot.at, Text::fitted(&page_context.caller.principal.actor()));
        let entries = saved_views(snapshot.connection(), list, &me, at).await?;
        Ok(Self { list, known, me, may: page_context.may_change(snapshot, Role::Viewer), entries })
    }

    /// Adds the order, columns and page size that the visitor prefers to the page's query, where the URL does not name them.
    pub(crate) fn assume(&self, page_context: &mut PageContext) {
        let usual = self.entries.iter().find(|entry| entry.spec.owner == self.me && entry.spec.spec.usual);
        let Some(usual) = usual else { return };
        let usual =
            pairs(&usual.spec.spec.query).filter(|(name, value)| USUAL.contains(&name.as_str()) && self.known.has(name, value));
        page_context.assume(usual.collect());
    }

    /// The menu.
    pub(crate) fn menu(&self, page_context: &PageContext) -> Markup {
        let query = query_of(page_context.parameters().map(|(name, value)| (name.to_owned(), value.to_owned())));
        html! {
            details.drop {
                summary.button.small { "Views" @if !self.entries.is_empty() { " (" (self.entries.len()) ")" } }
                div.panel {
                    @if self.entries.is_empty() { p.quiet { "No saved views. A view keeps filters, order and columns under a name." } }
                    @else {
                        ul.plain { @for entry in &self.entries { (self.entry(entry, page_context)) } }
                    }
                    hr;
                    @match &self.may {
                        Ok(()) => (form(self.list, &query, &Draft::default(), &[])),
                        Err(reason) => { p.quiet { (reason) } }
                    }
                }
            }
        }
    }

    fn entry(&self, entry: &Entry<SavedViewView, SavedViewId>, page_context: &PageContext) -> Markup {
        let (SavedViewView { owner, spec }, own) = (&entry.spec, entry.spec.owner == self.me);
        let (path, is_whole) = opened(spec, page_context.parameter(AT), &self.known);
        html! {
            li.line {
                span {
                    a href=(path) { (spec.name) }
                    @if !own { " " small.quiet { "by " (owner) } } @else if spec.shared { " " small.quiet { "shared" } }
                    @if spec.usual && own { " " small.quiet { "usual" } }
                    @if !is_whole { " " small.quiet { "without filters that no longer exist" } }
                }
                @if own && self.may.is_ok() {
                    span.moves {
                        @let to = format!("/views/{}", entry.key);
                        form.inline method="post" action=(format!("{to}/share")) {
                            (once())
                            input type="hidden" name="shared" value=(if spec.shared { "false" } else { "true" });
                            button.small type="submit" { (if spec.shared { "Unshare" } else { "Share" }) span.visually-hidden { " " (spec.name) } }
                        }
                        form.inline method="post" action=(format!("{to}/delete")) {
                            (once())
                            input type="hidden" name="list" value=(self.list);
                            button.small type="submit" { "Delete" span.visually-hidden { " " (spec.name) } }
                        }
                    }
                }
            }
        }
    }
}

/// The values of a form that was refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// The name.
    pub(crate) name: String,
    /// Whether the view is offered to everyone.
    pub(crate) shared: bool,
    /// Whether it is the usual view.
    pub(crate) usual: bool,
}

/// The form that saves a view. A view of the same name is replaced.
pub(crate) fn form(list: &str, query: &str, draft: &Draft, errors: &[ProblemError]) -> Markup {
    let hint = "A view of yours with the same name is replaced.";
    let field = Field { name: "name", label: "Save this view as", value: &draft.name, hint, required: true, errors };
    html! {
        form method="post" action="/views" {
            (once())
            input type="hidden" name="list" value=(list);
            input type="hidden" name="query" value=(query);
            (field.text())
            label.check { input type="checkbox" name="shared" value="true" checked[draft.shared]; " Share with everyone" }
            @if !FIXED.contains(&list) {
                label.check { input type="checkbox" name="usual" value="true" checked[draft.usual]; " Always use its columns, order and page size" }
            }
            div { button.small type="submit" { "Save view" } }
        }
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// The query that a view keeps: without positions of the past, cursors and empty values.
pub(crate) fn query_of(pairs: impl IntoIterator<Item = (String, String)>) -> String {
    let kept = pairs.into_iter().filter(|(name, value)| ![AT, "after", "before"].contains(&name.as_str()) && !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
}

/// The path that opens a view, and whether it has all of the view's parameters.
fn opened(spec: &SavedViewSpec, at: &str, known: &Known) -> (String, bool) {
    let (known, unknown): (Vec<_>, Vec<_>) = pairs(&spec.query).partition(|(name, value)| known.has(name, value));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&known);
    if !at.is_empty() {
        query.append_pair(AT, at);
    }
    let query = query.finish();
    let path = if query.is_empty() { format!("/{}", spec.list) } else { format!("/{}?{query}", spec.list) };
    (path, unknown.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "name", label: "Name", usual: true, sortable: true },
        Column { name: "mac", label: "MAC", usual: true, sortable: false },
    ];

    fn spec(query: &str) -> SavedViewSpec {
        let (list, name) = ("devices".parse().expect("a name"), Text::fitted("Mine"));
        SavedViewSpec { list, name, query: query.to_owned(), shared: false, usual: false }
    }

    #[test]
    fn a_view_opens_without_parameters_that_no_longer_exist() {
        let whole = opened(&spec("site=dc1&sort=-name&columns=name&limit=25"), "", &Known::of(&["site"], COLUMNS));
        assert_eq!(whole, ("/devices?site=dc1&sort=-name&columns=name&limit=25".to_owned(), true));
        let old = opened(&spec("colour=red&sort=mac&limit=x&q=a+b"), "7", &Known::of(&["site"], COLUMNS));
        assert_eq!(old, ("/devices?q=a+b&at=7".to_owned(), false));
        assert_eq!(opened(&spec("columns=name"), "", &Known::fixed(&[], vec!["name"])), ("/devices".to_owned(), false));
        let timeline = opened(&spec("type=DeviceLocked&from=7d&limit=25&sort=name"), "", &Known::filters(&["type", "from"]));
        assert_eq!(timeline, ("/devices?type=DeviceLocked&from=7d".to_owned(), false));
    }

    #[test]
    fn a_view_keeps_neither_the_past_nor_a_place_in_the_list() {
        let query = [("at", "5"), ("q", "a b"), ("after", "x"), ("site", ""), ("sort", "name")];
        assert_eq!(query_of(query.map(|(name, value)| (name.to_owned(), value.to_owned()))), "q=a+b&sort=name");
    }
}
