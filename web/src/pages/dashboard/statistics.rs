//! The part of the dashboard with recent statistics: deployments per day, the duration of their stages, and current delays.

use crate::english::counted;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::block;
use crate::pages::components::plot::{Bar, Series, bars, columns};
use crate::pages::components::time::{span, words};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::plugin_runs::{RunStatus, Standing};
use bootledger_projections::rows::statistics::{self, Statistic};
use maud::{Markup, html};
use std::collections::BTreeMap;
use time::{Date, Duration};

/// How many days are shown.
const DAYS: i64 = 30;

/// The data of this part.
#[derive(Debug, Default)]
pub(super) struct RecentStatistics {
    days: Vec<Date>,
    sums: BTreeMap<(Date, String), i64>,
    /// How many deployments were done and cancelled at each site.
    sites: BTreeMap<String, (i64, i64)>,
    standing: Vec<Standing>,
    /// Until when the last day is known.
    now: Timestamp,
}

pub(super) async fn load(
    snapshot: &mut Snapshot<'_>,
    now: Timestamp,
    standing: Vec<Standing>,
) -> Result<RecentStatistics, Error> {
    let last = now.0.date();
    let first = last.saturating_sub(Duration::days(DAYS - 1));
    let found = statistics::list(snapshot.connection(), first, last).await?;
    Ok(RecentStatistics { standing, now, ..RecentStatistics::of(first, &found) })
}

impl RecentStatistics {
    fn of(first: Date, found: &[Statistic]) -> Self {
        let days = (0..DAYS).map(|day| first.saturating_add(Duration::days(day))).collect();
        let mut sums: BTreeMap<(Date, String), i64> = BTreeMap::new();
        let mut sites: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for statistic in found {
            match statistic.measure.as_str() {
                "deployments_done" => sites.entry(statistic.site.clone()).or_default().0 += statistic.amount,
                "deployments_cancelled" => sites.entry(statistic.site.clone()).or_default().1 += statistic.amount,
                _ => {}
            }
            *sums.entry((statistic.day, statistic.measure.clone())).or_default() += statistic.amount;
        }
        Self { days, sums, sites, standing: vec![], now: Timestamp::default() }
    }

    /// How many deployments were done and cancelled at each site in these days.
    pub(super) fn ended_by_site(&self) -> &BTreeMap<String, (i64, i64)> {
        &self.sites
    }

    /// How many deployments were done and cancelled on the last day, which is today.
    pub(super) fn ended_today(&self) -> (i64, i64) {
        self.days.last().map_or((0, 0), |day| (self.sum(*day, "deployments_done"), self.sum(*day, "deployments_cancelled")))
    }

    fn sum(&self, day: Date, measure: &str) -> i64 {
        self.sums.get(&(day, measure.to_owned())).copied().unwrap_or(0)
    }

    fn rows(&self, numbers: impl Fn(Date) -> Vec<i64>) -> Vec<(String, Vec<i64>)> {
        self.days.iter().map(|day| (day.to_string(), numbers(*day))).collect()
    }
}

/// The part of the page.
pub(super) fn view(found: &RecentStatistics) -> Markup {
    const ENDED: [Series; 3] = [
        Series { name: "done", class: "b" },
        Series { name: "cancelled", class: "e" },
        Series { name: "started, not ended on that day", class: "a" },
    ];
    const STAGES: [Series; 2] =
        [Series { name: "open (preparing)", class: "c" }, Series { name: "in progress (installing)", class: "a" }];
    let counts = found.rows(|day| {
        let (done, cancelled) = (found.sum(day, "deployments_done"), found.sum(day, "deployments_cancelled"));
        vec![done, cancelled, (found.sum(day, "deployments_started") - done - cancelled).max(0)]
    });
    let durations = found.rows(|day| {
        let done = found.sum(day, "deployments_done").max(1);
        vec![found.sum(day, "open_seconds") / done, found.sum(day, "in_progress_seconds") / done]
    });
    let lost: Vec<Bar> = found.standing.iter().take(8).map(lost).collect();
    let time = words(found.now);
    let unfinished = format!("today, until {} UTC", time.get(11..16).unwrap_or_default());
    let unfinished = Some(unfinished.as_str());
    let content = html! {
        div.columns {
            (columns("Deployments per day", &ENDED, &counts, unfinished, |number| number.to_string()))
            (columns("Average time in each status, by day", &STAGES, &durations, unfinished, span))
            @if !lost.is_empty() { (bars("Longest waits of plugins (the steps of a deployment)", &lost)) }
        }
    };
    block::card("lately", "The last 30 days", &content)
}

fn lost(row: &Standing) -> Bar {
    let (class, state) = if row.status == RunStatus::Failed { ("d", "failed") } else { ("c", "waiting") };
    Bar {
        name: format!("{} {state}", row.plugin),
        length: row.seconds,
        words: format!("{} in {}", span(row.seconds), counted(row.deployments, "deployment", "deployments")),
        class,
        path: format!("/deployments?plugin={state}&sort=since"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn sums_of_all_sites_are_shown_day_by_day() {
        let first = date!(2026 - 01 - 01);
        let message =
            |site: &str, amount| Statistic { day: first, site: site.to_owned(), measure: "deployments_done".to_owned(), amount };
        let recent = RecentStatistics::of(first, &[message("dc1", 2), message("dc2", 3)]);
        assert_eq!((recent.days.len(), recent.sum(first, "deployments_done")), (30, 5));
        assert_eq!(recent.ended_by_site().get("dc2"), Some(&(3, 0)));
        assert!(view(&recent).into_string().contains("2026-01-01: 5 done"));
    }
}
