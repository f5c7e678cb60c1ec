//! How long the deployments of a boot image usually take: as a whole, and each of their steps. The durations are computed from
//! the last deployments that were done, whose rows and plugin runs an index finds.

use crate::error::Result;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use sqlx::PgExecutor;
use std::collections::BTreeMap;

/// From how many deployments the durations are computed.
const SAMPLES: i64 = 50;

/// The minimum number of deployments for a duration.
pub const ENOUGH: i64 = 5;

/// A part of a deployment that has a duration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The deployment from its start to its end.
    Whole,
    /// A plugin, from when it was able to run until it succeeded.
    Plugin(Name),
    /// The server, from when it was able to boot until it reported that it is installed.
    Install,
    /// Puppet, from when the server was installed until its first successful run.
    Configure,
}

/// The usual duration of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The median in seconds.
    pub median: i64,
    /// The number of seconds within which 95 of 100 ended.
    pub p95: i64,
    /// The number of deployments that the durations are computed from.
    pub samples: i64,
}

/// The usual durations of the deployments of a boot image, from the last fifty that were done until then, without `except`. A part
/// with fewer than five durations is left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn of_image(
    executor: impl PgExecutor<'_>,
    boot_image: &Name,
    except: DeploymentId,
    until: Option<Timestamp>,
) -> Result<BTreeMap<Part, Usual>> {
    // A deployment that is done keeps its times, so that the current rows are right for the past as well.
    let rows = sqlx::query!(
        r#"WITH done AS MATERIALIZED (
               SELECT id, started_at, in_progress_at, installed_at, ended_at FROM deployments
                WHERE valid_to IS NULL AND status = 'done' AND boot_image = $1 AND id <> $2
                  AND ($3::timestamptz IS NULL OR status_since <= $3)
                ORDER BY status_since DESC LIMIT $4),
           parts (kind, name, took) AS (
               SELECT 'plugin', r.plugin,
                      r.since - greatest(CASE r.stage WHEN 'in_progress' THEN done.in_progress_at ELSE done.started_at END,
                                         (SELECT max(q.since) FROM plugin_runs q
                                           WHERE q.deployment = done.id AND q.plugin = ANY(r.requires)))
                 FROM done JOIN plugin_runs r ON r.deployment = done.id AND r.status = 'succeeded'
               UNION ALL SELECT 'install', '', coalesce(installed_at, ended_at) - in_progress_at FROM done
               UNION ALL SELECT 'configure', '', ended_at - installed_at FROM done
               UNION ALL SELECT 'whole', '', ended_at - started_at FROM done)
           SELECT kind AS "kind!", name AS "name!", count(*) AS "samples!",
                  (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM took)))::bigint AS "median!",
                  (percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM took)))::bigint AS "p95!"
             FROM parts WHERE took IS NOT NULL GROUP BY kind, name HAVING count(*) >= $5"#,
        boot_image.as_str(),
        except.0,
        until.map(|until| until.0),
        SAMPLES,
        ENOUGH
    );
    let rows = rows.fetch_all(executor).await?.into_iter();
    rows.map(|row| {
        let part = match row.kind.as_str() {
            "plugin" => Part::Plugin(row.name.parse()?),
            "install" => Part::Install,
            "configure" => Part::Configure,
            _ => Part::Whole,
        };
        Ok((part, Usual { median: row.median, p95: row.p95, samples: row.samples }))
    })
    .collect()
}
