//! The card of drift on the pages of sites, zones and DHCP servers: the differences between a site's servers and the expected
//! state, each with its repair.

use crate::english::counted;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::time::{moment, since, until};
use crate::wording::actors;
use crate::wording::drift as wording;
use bootledger_aggregates::drift::{DriftKey, Nature, RecordType, Subject, unrepairable};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::drift::{self, Check, Drifted, LastCheck};
use maud::{Markup, html};

/// Maximum number of differences that are shown at once.
const SHOWN: u8 = 50;

/// The differences of a site, or of a part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Differences {
    /// When the servers were last compared; `None` for past positions.
    pub(super) check: Option<Check>,
    /// The differences that are shown.
    pub(super) items: Vec<Drifted>,
    /// The total number of differences.
    pub(super) count: i64,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
    /// Why nothing on this page was compared, although the site was checked.
    pub(super) uncompared: Option<&'static str>,
}

/// The last checks of all sites, for lists.
#[derive(Clone, Debug, Default)]
pub(super) struct LastChecks {
    /// `None` for past positions: the views have the checks only of now. A list of the past must not claim that nothing was
    /// checked.
    known: Option<Vec<LastCheck>>,
}

impl LastChecks {
    /// Reads the last checks at the moment of a snapshot.
    pub(super) async fn read(snapshot: &mut Snapshot<'_>) -> Result<Self, Error> {
        let known = match snapshot.at {
            At::Now => Some(drift::last_checks(snapshot.connection()).await?),
            At::Position(_) => None,
        };
        Ok(Self { known })
    }

    fn of(&self, site: &Name) -> Option<&LastCheck> {
        self.known.as_deref().unwrap_or_default().iter().find(|check| check.site == *site)
    }

    /// What the last check of a site found, as a badge. `count` is the number of differences that are known, and `is_compared`
    /// is whether checks compare the objects of the row.
    pub(super) fn observed(&self, site: &Name, count: i64, is_compared: bool) -> Markup {
        if self.known.is_none() && count == 0 && is_compared {
            return block::not_of_the_past();
        }
        observed(count, self.of(site), is_compared)
    }

    /// When a site was last checked.
    pub(super) fn checked(&self, site: &Name, is_compared: bool, now: Timestamp) -> Markup {
        let checked_at = self.of(site).and_then(|check| check.checked_at).filter(|_| is_compared);
        html! {
            @if let Some(at) = checked_at { (since(at, now)) " ago" }
            @else if self.known.is_none() && is_compared { (block::not_of_the_past()) }
            @else { span.quiet { "never" } }
        }
    }
}

#[cfg(test)]
impl From<Vec<LastCheck>> for LastChecks {
    fn from(checks: Vec<LastCheck>) -> Self {
        Self { known: Some(checks) }
    }
}

/// What the last check of a site found, as a badge. It is green only if everything was compared.
fn observed(count: i64, check: Option<&LastCheck>, is_compared: bool) -> Markup {
    let compared = check.filter(|check| is_compared && check.checked_at.is_some() && check.compared > 0);
    match compared {
        _ if count > 0 => badge(Tone::Warn, &counted(count, "difference", "differences")),
        None => badge(Tone::Neutral, "Not checked"),
        Some(check) if !check.problems.is_empty() => badge(Tone::Neutral, "Partly checked"),
        Some(_) => badge(Tone::Good, "No differences"),
    }
}

/// The differences of a site after `after`.
pub(super) async fn of_site(
    snapshot: &mut Snapshot<'_>,
    site: &Name,
    after: Option<&str>,
    now: Timestamp,
) -> Result<Differences, Error> {
    let at = snapshot.at;
    let mut items = drift::list(snapshot.connection(), site, at, after, i64::from(SHOWN) + 1).await?;
    let more = items.len() > usize::from(SHOWN);
    items.truncate(SHOWN.into());
    let next = items.last().filter(|_| more).map(|last| last.key.to_string());
    let count = drift::count(snapshot.connection(), site, at).await?;
    Ok(Differences { check: last_check(snapshot, site, now).await?, items, count, next, uncompared: None })
}

/// The differences of a site whose subject, DNS records or a DHCP server, matches `wanted`.
pub(super) async fn some_of_site(
    snapshot: &mut Snapshot<'_>,
    site: &Name,
    now: Timestamp,
    wanted: impl Fn(&Subject) -> bool,
) -> Result<Differences, Error> {
    let (at, mut items, mut count, mut after) = (snapshot.at, vec![], 0, None::<String>);
    loop {
        let found = drift::list(snapshot.connection(), site, at, after.as_deref(), 1000).await?;
        let last = found.last().filter(|_| found.len() == 1000).map(|last| last.key.to_string());
        for drifted in found.into_iter().filter(|drifted| wanted(&drifted.key.subject)) {
            count += 1;
            if items.len() < usize::from(SHOWN) {
                items.push(drifted);
            }
        }
        match last {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(Differences { check: last_check(snapshot, site, now).await?, items, count, next: None, uncompared: None })
}

/// When a site was last checked; not known for past positions.
pub(super) async fn last_check(snapshot: &mut Snapshot<'_>, site: &Name, now: Timestamp) -> Result<Option<Check>, Error> {
    match snapshot.at {
        At::Now => Ok(Some(drift::check(snapshot.connection(), site, now).await?)),
        At::Position(_) => Ok(None),
    }
}

/// The thing that a difference concerns, as a link if it has a page.
fn thing(key: &DriftKey) -> Markup {
    match &key.subject {
        Subject::Dns { name, record } => {
            let record = if *record == RecordType::A { "A" } else { "PTR" };
            html! { code { (name) } " " (record) }
        }
        Subject::Dhcp { server } => html! { "DHCP server " a href=(format!("/dhcp-servers/{server}")) { (server) } },
    }
}

/// A short text for the kind of difference.
fn nature(nature: Nature) -> (Tone, &'static str) {
    match nature {
        Nature::Missing => (Tone::Bad, "Missing"),
        Nature::LeftOver => (Tone::Warn, "Leftover"),
        Nature::Foreign => (Tone::Warn, "Not created by Bootledger"),
        Nature::Alias => (Tone::Warn, "Alias"),
        Nature::Unconfirmed => (Tone::Bad, "Never confirmed"),
        Nature::Behind => (Tone::Warn, "Behind"),
        Nature::Failing => (Tone::Bad, "Failing"),
        Nature::OtherRevision => (Tone::Bad, "Different revision"),
        Nature::HeldBack => (Tone::Bad, "Withheld"),
    }
}

/// The label of the repair button.
fn repairs(drifted: &Drifted) -> &'static str {
    match (&drifted.key.subject, drifted.drift.difference.nature()) {
        (_, Nature::Foreign) | (Subject::Dns { .. }, Nature::LeftOver) => "Remove records",
        (Subject::Dhcp { .. }, _) => "Retry",
        (Subject::Dns { .. }, _) => "Repair",
    }
}

fn row(drifted: &Drifted, now: Timestamp, may: &Allowed, back: &str) -> Markup {
    let (key, view) = (&drifted.key, &drifted.drift);
    let difference = &view.difference;
    let (tone, words) = nature(difference.nature());
    let message = wording::message(difference);
    let allowed = may.clone().and_then(|()| unrepairable(difference, true).map_or(Ok(()), |broken| Err(broken.message)));
    let fields = html! {
        input type="hidden" name="what" value=(key);
        input type="hidden" name="to" value=(back);
    };
    let values = |values: &[bootledger_aggregates::values::text::Text]| {
        html! { @if values.is_empty() { span.quiet { "nothing" } } @for value in values { div { code { (value) } } } }
    };
    html! {
        tr {
            th scope="row" { (thing(key)) div.quiet { "at " (difference.server) } }
            td data-label="Difference" { (badge(tone, words)) @if !message.is_empty() { div { (message) } } }
            td data-label="Expected" { (values(&difference.expected)) }
            td data-label="Found" { (values(&difference.found)) }
            td data-label="Age" { (since(view.since, now)) }
            td data-label="Repair" {
                @if let Some(ordered) = &view.ordered {
                    (badge(Tone::Info, "Requested")) div.quiet { "by " (actors::actor(&ordered.by)) ", " (moment(ordered.at)) }
                } @else {
                    (action::post(&format!("repair-{}", key.to_string().replace(['/', '.'], "-")), &format!("/sites/{}/drift/repair", key.site), Look::Small, "", repairs(drifted), &allowed, &fields))
                }
                @if let Some(problem) = &view.problem { p.error { "The last repair failed: " (wording::problem(problem)) } }
            }
        }
    }
}

/// When the site was last checked, and the button that checks it again.
fn checked(site: &Name, check: Option<&Check>, now: Timestamp, may: &Allowed, back: &str) -> Markup {
    let Some(check) = check else { return html! { p.quiet { "The time of the last check is not available for past events." } } };
    let fields = html! { input type="hidden" name="to" value=(back); };
    html! {
        div.actions {
            span {
                @match check.checked_at {
                    Some(at) => { "Last checked " (moment(at)) ", " (since(at, now)) " ago: " (check.compared) @if check.compared == 1 { " object compared." } @else { " objects compared." } }
                    None => { "Never checked." }
                }
                @if let Some(at) = check.under_way_since { " A check has been running since " (moment(at)) "." }
                @else if let Some(at) = check.next_check { " The next check is " (until(at, now)) "." }
            }
            (action::post("check", &format!("/sites/{site}/drift/check"), Look::Small, "arrow-repeat", "Check now", may, &fields))
        }
        @if !check.problems.is_empty() {
            (block::note(Tone::Warn, &html! {
                p { strong { "Some objects could not be compared:" } }
                ul { @for problem in &check.problems { li { (wording::problem(problem)) } } }
            }))
        }
    }
}

/// The state without differences: green only if everything was compared.
fn nothing(found: &Differences) -> Markup {
    let not_checked = |why: &str| html! { p { (badge(Tone::Neutral, "Not checked")) " " (why) } };
    match (&found.check, found.uncompared) {
        (_, Some(why)) => not_checked(why),
        (None, _) => html! { p.quiet { "No differences were known." } },
        (Some(check), _) if check.checked_at.is_none() => not_checked("No check of the site has ended yet."),
        (Some(check), _) if check.compared == 0 => not_checked("The last check compared nothing."),
        (Some(check), _) if !check.problems.is_empty() => html! {
            p { (badge(Tone::Neutral, "Partly checked")) " The compared objects are in their expected state; others could not be compared." }
        },
        (Some(_), _) => {
            html! { p { (badge(Tone::Good, "No differences")) " All compared objects are in their expected state." } }
        }
    }
}

/// The card of differences. `back` is the page that contains it; `may` is whether the visitor may repair them.
pub(super) fn card(site: &Name, found: &Differences, now: Timestamp, may: &Allowed, back: &str) -> Markup {
    let open: Vec<&Drifted> = found
        .items
        .iter()
        .filter(|item| item.drift.ordered.is_none() && unrepairable(&item.drift.difference, false).is_none())
        .collect();
    let foreign = found.items.iter().filter(|item| item.drift.difference.nature() == Nature::Foreign).count();
    block::card(
        "drift",
        "Differences",
        &html! {
            (checked(site, found.check.as_ref(), now, may, back))
            @if found.items.is_empty() {
                (nothing(found))
            } @else {
                p { strong { (counted(found.count, "difference", "differences")) } @if foreign > 0 { ". Records that Bootledger did not create are removed only one at a time." } }
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Object" } th scope="col" { "Difference" } th scope="col" { "Expected" } th scope="col" { "Found" } th scope="col" { "Age" } th scope="col" { "Repair" } } }
                        tbody { @for item in &found.items { (row(item, now, may, back)) } }
                    }
                }
                div.actions {
                    @if open.len() > 1 {
                        @let fields = html! {
                            @for item in &open { input type="hidden" name="what" value=(item.key); }
                            input type="hidden" name="to" value=(back);
                        };
                        (action::post("repair-all", &format!("/sites/{site}/drift/repair"), Look::Usual, "", &format!("Repair all {}", open.len()), may, &fields))
                    }
                    @if let Some(next) = &found.next {
                        @let query = form_urlencoded::Serializer::new(String::new()).append_pair("drift", next).finish();
                        a.button rel="next" href=(format!("{back}?{query}#drift")) { "More differences" }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_aggregates::drift::{Difference, DifferenceKind, DriftProblem};
    use bootledger_projections::rows::drift::{DriftView, Ordered};
    use std::collections::BTreeSet;

    fn drifted(key: &str, kind: DifferenceKind) -> Drifted {
        let text = |text: &str| text.parse().expect("a text");
        let (expected, found) = (vec![text("10.0.0.20")], vec![]);
        let difference = Difference { kind, server: text("10.0.0.53:53"), expected, found };
        let drift = DriftView { difference, since: Timestamp::default(), ordered: None, problem: None };
        Drifted { key: key.parse().expect("a key"), drift }
    }

    fn differences(items: Vec<Drifted>) -> Differences {
        let count = i64::try_from(items.len()).expect("few");
        Differences { check: Some(Check::default()), items, count, ..Differences::default() }
    }

    fn site() -> Name {
        "dc1".parse().expect("a name")
    }

    #[test]
    fn nothing_is_green_unless_everything_was_compared() {
        let checked = Check { checked_at: Some(Timestamp::default()), compared: 3, ..Check::default() };
        let incomplete = Check { problems: vec![DriftProblem::NoPrimary {}], ..checked.clone() };
        let empty = Check { compared: 0, ..checked.clone() };
        let of = |check: Option<Check>, uncompared| Differences { check, uncompared, ..Differences::default() };
        for (found, class) in [
            (of(Some(checked.clone()), None), "badge good"),
            (of(Some(incomplete), None), "badge neutral"),
            (of(Some(empty), None), "badge neutral"),
            (of(Some(Check::default()), None), "badge neutral"),
            (of(Some(checked), Some("This site has no DNS primary.")), "badge neutral"),
        ] {
            assert_eq!(attributes(&nothing(&found), ".badge", "class"), [class], "{found:?}");
        }
        let last = |compared, problems| LastCheck { site: site(), checked_at: Some(Timestamp::default()), compared, problems };
        for (count, check, is_compared, class) in [
            (0, Some(last(3, vec![])), true, "badge good"),
            (2, Some(last(3, vec![])), true, "badge warn"),
            (0, Some(last(3, vec![])), false, "badge neutral"),
            (0, Some(last(3, vec![DriftProblem::NoPrimary {}])), true, "badge neutral"),
            (0, Some(last(0, vec![])), true, "badge neutral"),
            (0, None, true, "badge neutral"),
        ] {
            assert_eq!(attributes(&observed(count, check.as_ref(), is_compared), ".badge", "class"), [class]);
        }
    }

    #[test]
    fn a_list_of_the_past_does_not_claim_that_nothing_was_checked() {
        let words = |checks: &LastChecks, count, is_compared| {
            let html = html! { (checks.observed(&site(), count, is_compared)) ", " (checks.checked(&site(), is_compared, Timestamp::default())) };
            texts(&html! { p { (html) } }, "p").concat()
        };
        let past = LastChecks::default();
        assert_eq!(words(&past, 0, true), "not available for the past, not available for the past");
        assert!(words(&past, 2, true).contains("2 differences"));
        assert_eq!(words(&past, 0, false), words(&LastChecks::from(vec![]), 0, false));
        assert!(words(&LastChecks::from(vec![]), 0, true).ends_with("never"));
    }

    #[test]
    fn each_difference_has_its_repair_beside_it() {
        let stored = DifferenceKind::Text { nature: Nature::Foreign, text: "made by <hand>".parse().expect("a text") };
        let found = differences(vec![
            drifted("dc1/dns/h200.dc1.example/A", DifferenceKind::Missing {}),
            drifted("dc1/dns/h201.dc1.example/A", stored),
            drifted("dc1/dhcp/kea-1", DifferenceKind::Behind { position: 42 }),
        ]);
        let html = card(&site(), &found, Timestamp::default(), &Ok(()), "/sites/dc1");
        assert_eq!(
            attributes(&html, "tbody input[name=what]", "value"),
            found.items.iter().map(|item| item.key.to_string()).collect::<Vec<_>>()
        );
        let buttons = texts(&html, "tbody button");
        assert_eq!(buttons, found.items.iter().map(repairs).collect::<Vec<_>>());
        assert_eq!(buttons.into_iter().collect::<BTreeSet<_>>().len(), 3, "the buttons say different things");
        assert_eq!(
            attributes(&html, ".card > .actions:last-child input[name=what]", "value").len(),
            2,
            "repairing all differences would remove records of another program"
        );
        assert!(texts(&html, "tbody tr")[1].contains("made by <hand>"));
    }

    #[test]
    fn a_difference_that_cannot_be_repaired_shows_the_reason() {
        let mut ordered = drifted("dc1/dns/h200.dc1.example/A", DifferenceKind::Missing {});
        ordered.drift.ordered = Some(Ordered { by: "token ops".to_owned(), at: Timestamp::default() });
        let alias = DifferenceKind::Alias {
            name: "h201.dc1.example".parse().expect("a text"),
            target: "www.example".parse().expect("a text"),
            zone: "dc1.example".parse().expect("a name"),
        };
        let mut found = differences(vec![drifted("dc1/dns/h201.dc1.example/A", alias), ordered]);
        found.check = Some(Check { problems: vec![DriftProblem::NoPrimary {}, DriftProblem::NoEffect {}], ..Check::default() });
        let html = card(&site(), &found, Timestamp::default(), &Ok(()), "/sites/dc1");
        assert_eq!(texts(&html, "tbody form").len(), 0);
        assert_eq!(texts(&html, ".note li").len(), 2, "what could not be compared");
        assert!(texts(&html, ".reason").concat().contains("h201.dc1.example is an alias (CNAME) of www.example"), "{html:?}");
        assert!(texts(&html, "tbody tr")[1].contains("by token ops"));
        let viewer = card(
            &site(),
            &differences(vec![drifted("dc1/dhcp/kea-1", DifferenceKind::Unconfirmed {})]),
            Timestamp::default(),
            &Err("no".to_owned()),
            "/",
        );
        assert_eq!(texts(&viewer, "form").len(), 0);
    }
}
