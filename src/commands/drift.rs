//! Commands about drift: recording differences that a check found, and requesting their repair.

use super::context::metadata_text;
use super::execute::Failure;
use super::{CATCH_UP, CommandService, TRIES};
use crate::event_log::append::NewEvent;
use crate::event_log::draft::Draft;
use crate::event_log::drift;
use bootledger_aggregates::drift::{Drift, DriftCommand, DriftKey, Nature};
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CommandError, Context, Receipt};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, drift as view};
use futures::future::join_all;

/// How many differences are recorded together.
const CHUNK: usize = 500;

impl CommandService {
    /// Records the results of a check, and waits until the views show them. Unchanged results write no events.
    pub(crate) async fn report_drift(&self, news: Vec<(DriftKey, DriftCommand)>, context: &Context) -> anyhow::Result<()> {
        for some in news.chunks(CHUNK) {
            self.report_some(some, context).await?;
        }
        Ok(())
    }

    async fn report_some(&self, some: &[(DriftKey, DriftCommand)], context: &Context) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            let decided = self.decide_drift(some, context).await.map(|(events, _)| events);
            let appended = match decided {
                Ok(events) if events.is_empty() => return Ok(()),
                Ok(events) => self.append("", events, vec![], context).await,
                Err(failure) => Err(failure),
            };
            match appended {
                // When a site is shown as checked, the differences found must be visible as well.
                Ok(receipt) => {
                    self.feed.wait_for(receipt.position, CATCH_UP).await;
                    return Ok(());
                }
                Err(Failure::Conflict) => {}
                Err(failure) => return Err(CommandError::from(failure).into()),
            }
        }
        anyhow::bail!("other requests changed the same differences {TRIES} times in a row")
    }

    /// The events of all these commands, and the validation problems.
    async fn decide_drift(
        &self,
        commands: &[(DriftKey, DriftCommand)],
        context: &Context,
    ) -> Result<(Vec<NewEvent>, Vec<BrokenRule>), Failure> {
        let loads = commands.iter().map(|(key, _)| Draft::<Drift>::load(&self.log, key.to_string()));
        let (metadata, mut events, mut broken) = (metadata_text(context), vec![], vec![]);
        for ((key, command), draft) in commands.iter().zip(join_all(loads).await) {
            let mut draft = draft?;
            match draft.decide(|drift| drift.decide(command.clone())) {
                Ok(()) => events.extend(draft.into_events(&metadata)?),
                Err(Refused(rules)) => {
                    broken.extend(rules.into_iter().map(|rule| rule.preceded_by(&format!("{key}: "))));
                }
            }
        }
        Ok((events, broken))
    }

    /// Requests the repair of these differences of a site; without keys, of all except records that others created and aliases.
    pub(super) async fn order_repairs(
        &self,
        site: &Name,
        keys: Option<&[DriftKey]>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        self.known_site(site).await?;
        let foreign = keys.unwrap_or_default().iter().filter(|key| key.site != *site);
        let foreign: Vec<BrokenRule> = foreign
            .map(|key| {
                BrokenRule::new(
                    "keys",
                    Rule::DriftSite,
                    format!("{key} does not belong to site {site}; request the repair at its own site"),
                )
            })
            .collect();
        Refused::unless_empty(foreign)?;
        let command = DriftCommand::OrderRepair { named: keys.is_some() };
        let keys = if let Some(keys) = keys {
            keys.to_vec()
        } else {
            let open = view::list(&self.views, site, At::Now, None, i64::MAX).await?;
            let ours = |nature| !matches!(nature, Nature::Foreign | Nature::Alias);
            open.into_iter().filter(|open| ours(open.drift.difference.nature())).map(|open| open.key).collect()
        };
        let commands: Vec<(DriftKey, DriftCommand)> = keys.into_iter().map(|key| (key, command.clone())).collect();
        let (events, broken) = self.decide_drift(&commands, context).await?;
        Refused::unless_empty(broken)?;
        let receipt = self.append(site, events, vec![], context).await?;
        drift::request_repair(&self.views, site.as_str()).await?;
        Ok(receipt)
    }

    /// Requests an immediate comparison of a site's servers with the expected state.
    pub(super) async fn request_check(&self, site: &Name) -> Result<(), Failure> {
        self.known_site(site).await?;
        drift::plan(&self.views, None).await?;
        drift::request(&self.views, site.as_str(), (self.now)().0).await?;
        Ok(())
    }

    async fn known_site(&self, site: &Name) -> Result<(), Failure> {
        let known = catalogue::site(&self.views, site, At::Now).await?.is_some_and(|entry| !entry.retired);
        if known {
            Ok(())
        } else {
            Err(Refused::because("", Rule::SiteUnknown, format!("there is no site {site} in use; check its name")).into())
        }
    }
}
