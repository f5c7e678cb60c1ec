//! Who held what when: the claims, as a view.

use crate::at::At;
use crate::convert::address;
use crate::error::{Error, Result};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::hostname_template::HostnameTemplate;
use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;
use sqlx::{PgConnection, PgExecutor};
use std::collections::HashSet;
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// Something that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Holding {
    /// What kind of thing: `ip`, `hostname`, `mac`, `serial`, `asset`, `deployment`.
    pub kind: String,
    /// Which.
    pub value: String,
    /// By whom.
    pub holder: Holder,
}

struct Raw {
    kind: String,
    value: String,
    holder: String,
}

impl TryFrom<Raw> for Holding {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        Ok(Self { kind: raw.kind, value: raw.value, holder: raw.holder.parse()? })
    }
}

macro_rules! holdings {
    ($at:expr, $condition:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Raw,
            "SELECT kind, value, holder FROM holdings
             WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                    OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))) AND " + $condition,
            $at.position() $(, $argument)*
        )
    };
}

/// Who holds a thing.
pub async fn holder_of(executor: impl PgExecutor<'_>, kind: &str, value: &str, at: At) -> Result<Option<Holder>> {
    let row = holdings!(at, "kind = $2 AND value = $3", kind, value).fetch_optional(executor).await?;
    Ok(row.map(Holding::try_from).transpose()?.map(|holding| holding.holder))
}

/// Who held a thing last, whether it is still held or not.
pub async fn last_holder_of(executor: impl PgExecutor<'_>, kind: &str, value: &str, at: At) -> Result<Option<Holder>> {
    let row = sqlx::query_as!(
        Raw,
        "SELECT kind, value, holder FROM holdings WHERE kind = $2 AND value = $3 AND ($1::bigint IS NULL OR valid_from <= $1)
         ORDER BY valid_from DESC LIMIT 1",
        at.position(),
        kind,
        value
    );
    Ok(row.fetch_optional(executor).await?.map(Holding::try_from).transpose()?.map(|holding| holding.holder))
}

/// Which of these things (kind and value) are held, and by whom; in no order.
pub async fn holders(executor: impl PgExecutor<'_>, things: &[(&str, String)], at: At) -> Result<Vec<Holding>> {
    let kinds: Vec<String> = things.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let values: Vec<String> = things.iter().map(|(_, value)| value.clone()).collect();
    let rows = holdings!(at, "(kind, value) IN (SELECT * FROM UNNEST($2::text[], $3::text[]))", &kinds, &values);
    rows.fetch_all(executor).await?.into_iter().map(Holding::try_from).collect()
}

/// Everything that somebody holds, by kind and value.
pub async fn of_holder(executor: impl PgExecutor<'_>, holder: Holder, at: At) -> Result<Vec<Holding>> {
    let rows = holdings!(at, "holder = $2 ORDER BY kind, value", holder.to_string());
    rows.fetch_all(executor).await?.into_iter().map(Holding::try_from).collect()
}

/// The held addresses of a network and by whom, lowest first.
pub async fn ips_in(executor: impl PgExecutor<'_>, network: Ipv4Net, at: At) -> Result<Vec<(Ipv4Addr, Holder)>> {
    let (first, last) = (IpNet::V4(Ipv4Net::from(network.network())), IpNet::V4(Ipv4Net::from(network.broadcast())));
    let rows = sqlx::query!(
        r#"SELECT ip AS "ip!", holder FROM holdings
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND ip IS NOT NULL AND ip BETWEEN $2 AND $3
           ORDER BY ip"#,
        at.position(),
        first,
        last
    );
    let rows = rows.fetch_all(executor).await?;
    rows.into_iter().map(|row| Ok((address(row.ip)?, row.holder.parse()?))).collect()
}

/// How many addresses are held in each of these networks, in their order.
pub async fn count_in(executor: impl PgExecutor<'_>, networks: &[Ipv4Net], at: At) -> Result<Vec<i64>> {
    let first: Vec<IpNet> = networks.iter().map(|network| IpNet::V4(Ipv4Net::from(network.network()))).collect();
    let last: Vec<IpNet> = networks.iter().map(|network| IpNet::V4(Ipv4Net::from(network.broadcast()))).collect();
    // Two queries, so that the one of now can only be answered from the index of the current rows.
    let counts = match at.position() {
        None => {
            sqlx::query_scalar!(
                r#"SELECT (SELECT count(*) FROM holdings
                           WHERE valid_to IS NULL AND ip IS NOT NULL AND ip BETWEEN first AND last) AS "count!"
                   FROM UNNEST($1::inet[], $2::inet[]) WITH ORDINALITY AS n (first, last, place) ORDER BY place"#,
                &first,
                &last
            )
            .fetch_all(executor)
            .await?
        }
        Some(position) => {
            sqlx::query_scalar!(
                r#"SELECT (SELECT count(*) FROM holdings
                           WHERE valid_from <= $3 AND (valid_to IS NULL OR valid_to > $3)
                             AND ip IS NOT NULL AND ip BETWEEN first AND last) AS "count!"
                   FROM UNNEST($1::inet[], $2::inet[]) WITH ORDINALITY AS n (first, last, place) ORDER BY place"#,
                &first,
                &last,
                position
            )
            .fetch_all(executor)
            .await?
        }
    };
    Ok(counts)
}

/// A range of addresses that nobody holds: its first and last.
pub type Gap = (Ipv4Addr, Ipv4Addr);

/// The first `limit` ranges from `first` to `last` that nobody holds, lowest first; only of now.
pub async fn gaps(connection: &mut PgConnection, first: Ipv4Addr, last: Ipv4Addr, limit: i64) -> Result<Vec<Gap>> {
    let (from, to) = (IpNet::V4(Ipv4Net::from(first)), IpNet::V4(Ipv4Net::from(last)));
    let lowest = sqlx::query_scalar!(
        r#"SELECT ip AS "ip!" FROM holdings WHERE valid_to IS NULL AND ip IS NOT NULL AND ip BETWEEN $1 AND $2 ORDER BY ip LIMIT 1"#,
        from,
        to
    );
    let Some(lowest) = lowest.fetch_optional(&mut *connection).await?.map(address).transpose()? else {
        return Ok(vec![(first, last)]);
    };
    // In the order of the index, so that reading ends with the last range that is wanted.
    let rows = sqlx::query!(
        r#"SELECT taken AS "taken!", next FROM (SELECT ip AS taken, lead(ip) OVER (ORDER BY ip) AS next FROM holdings
              WHERE valid_to IS NULL AND ip IS NOT NULL AND ip BETWEEN $1 AND $2) AS held
            WHERE next IS NULL OR next - taken > 1 ORDER BY taken LIMIT $3"#,
        from,
        to,
        limit
    );
    let number = |ip: Ipv4Addr| u64::from(u32::from(ip));
    let mut ranges = vec![(number(first), number(lowest))];
    for row in rows.fetch_all(connection).await? {
        let next = row.next.map(address).transpose()?.map_or(number(last) + 1, number);
        ranges.push((number(address(row.taken)?) + 1, next));
    }
    let ip = |number: u64| u32::try_from(number).ok().map(Ipv4Addr::from);
    // Each ends before its second number.
    let gaps = ranges.into_iter().filter(|(from, end)| from < end).filter_map(|(from, end)| Some((ip(from)?, ip(end - 1)?)));
    Ok(gaps.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
}

/// How many addresses are held in each part of 256 of a network that has any, lowest first; only of now.
pub async fn count_by_part(executor: impl PgExecutor<'_>, network: Ipv4Net) -> Result<Vec<(Ipv4Addr, i64)>> {
    let (first, last) = (IpNet::V4(Ipv4Net::from(network.network())), IpNet::V4(Ipv4Net::from(network.broadcast())));
    let rows = sqlx::query!(
        r#"SELECT (ip - '0.0.0.0'::inet) / 256 AS "part!", count(*) AS "count!" FROM holdings
            WHERE valid_to IS NULL AND ip IS NOT NULL AND ip BETWEEN $1 AND $2 GROUP BY 1 ORDER BY 1"#,
        first,
        last
    );
    let part = |part: i64| u32::try_from(part * 256).map(Ipv4Addr::from).map_err(|_| Error::Cursor(part.to_string()));
    rows.fetch_all(executor).await?.into_iter().map(|row| Ok((part(row.part)?, row.count))).collect()
}

/// Every host name that is held, in no order. Plain texts, since there may be hundreds of thousands.
pub async fn hostnames(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<String>> {
    hostnames_ending(executor, "", at).await
}

/// How many names of a template are asked about at a time: few first, since the next free one is mostly near.
const ASKED: [usize; 3] = [100, 1_000, 10_000];

/// The next host name of a template that nobody holds.
pub async fn next_hostname(connection: &mut PgConnection, template: &HostnameTemplate, at: At) -> Result<Option<Hostname>> {
    let mut names = template.free(std::iter::empty());
    for round in 0.. {
        let count = ASKED.get(round).or(ASKED.last()).copied().unwrap_or_default();
        let some: Vec<Hostname> = names.by_ref().take(count).collect();
        if some.is_empty() {
            break;
        }
        let things: Vec<(&str, String)> = some.iter().map(|name| ("hostname", name.to_string())).collect();
        let held: HashSet<String> = holders(&mut *connection, &things, at).await?.into_iter().map(|held| held.value).collect();
        if let Some(free) = some.into_iter().find(|name| !held.contains(name.as_str())) {
            return Ok(Some(free));
        }
    }
    Ok(None)
}

/// Every held host name with this end, such as `.dc1.example`, in no order.
pub async fn hostnames_ending(executor: impl PgExecutor<'_>, suffix: &str, at: At) -> Result<Vec<String>> {
    let rows = sqlx::query_scalar!(
        "SELECT value FROM holdings
         WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
           AND kind = 'hostname' AND right(value, length($2)) = $2",
        at.position(),
        suffix
    );
    Ok(rows.fetch_all(executor).await?)
}
