//! Holdings: which device or aggregate held which claimed value, and when. A view of the claims.

use crate::error::{Error, Result};
use crate::rows::at::At;
use crate::rows::convert::address;
use bootledger_aggregates::claims::Holder;
use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// A claimed value and its holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Holding {
    /// The kind of value: `ip`, `hostname`, `mac`, `serial`, `asset`, `deployment` or `controller`.
    pub kind: String,
    /// The claimed value, for example an address.
    pub value: String,
    /// The device or other aggregate that holds the value.
    #[schema(value_type = Object)]
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

/// The holder of a value.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn holder_of(executor: impl PgExecutor<'_>, kind: &str, value: &str, at: At) -> Result<Option<Holder>> {
    let row = holdings!(at, "kind = $2 AND value = $3", kind, value).fetch_optional(executor).await?;
    Ok(row.map(Holding::try_from).transpose()?.map(|holding| holding.holder))
}

/// The last holder of a value, whether it still holds the value or not.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
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

/// Everyone who holds or held one of the values (kind and value), up to `most`, in no order.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn ever_held(executor: impl PgExecutor<'_>, things: &[(&str, String)], most: i64) -> Result<Vec<Holder>> {
    let kinds: Vec<String> = things.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let values: Vec<String> = things.iter().map(|(_, value)| value.clone()).collect();
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT holder AS "holder!" FROM holdings
            WHERE (kind, value) IN (SELECT * FROM UNNEST($1::text[], $2::text[])) LIMIT $3"#,
        &kinds,
        &values,
        most
    );
    rows.fetch_all(executor).await?.into_iter().map(|holder| Ok(holder.parse::<Holder>()?)).collect()
}

/// Those of the values (kind and value) that are held, with their holders, in no order.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn holders(executor: impl PgExecutor<'_>, things: &[(&str, String)], at: At) -> Result<Vec<Holding>> {
    let kinds: Vec<String> = things.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let values: Vec<String> = things.iter().map(|(_, value)| value.clone()).collect();
    let rows = holdings!(at, "(kind, value) IN (SELECT * FROM UNNEST($2::text[], $3::text[]))", &kinds, &values);
    rows.fetch_all(executor).await?.into_iter().map(Holding::try_from).collect()
}

/// The holdings of the controllers at these base addresses, including all systems of each controller.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn controllers(executor: impl PgExecutor<'_>, bases: &[String]) -> Result<Vec<Holding>> {
    let rows = holdings!(At::Now, "kind = 'controller' AND split_part(value, '#', 1) = ANY($2)", bases);
    rows.fetch_all(executor).await?.into_iter().map(Holding::try_from).collect()
}

/// Everything that a holder has, by kind and value.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn of_holder(executor: impl PgExecutor<'_>, holder: Holder, at: At) -> Result<Vec<Holding>> {
    let rows = holdings!(at, "holder = $2 ORDER BY kind, value", holder.to_string());
    rows.fetch_all(executor).await?.into_iter().map(Holding::try_from).collect()
}

/// The held addresses of a network with their holders, lowest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
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

/// How many addresses are held in each of these networks, in the order of the networks.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn count_in(executor: impl PgExecutor<'_>, networks: &[Ipv4Net], at: At) -> Result<Vec<i64>> {
    let first: Vec<IpNet> = networks.iter().map(|network| IpNet::V4(Ipv4Net::from(network.network()))).collect();
    let last: Vec<IpNet> = networks.iter().map(|network| IpNet::V4(Ipv4Net::from(network.broadcast()))).collect();
    let counts = match at.position() {
        // A network of at least 256 addresses consists of whole parts, for which the number of held addresses is stored.
        None => {
            let parts: Vec<bool> = networks.iter().map(|network| network.prefix_len() <= 24).collect();
            sqlx::query_scalar!(
                r#"SELECT CASE WHEN parts
                          THEN (SELECT coalesce(sum(held), 0)::bigint FROM address_tallies
                                 WHERE part BETWEEN (first - '0.0.0.0'::inet) / 256 AND (last - '0.0.0.0'::inet) / 256)
                          ELSE (SELECT count(*) FROM holdings
                                 WHERE valid_to IS NULL AND ip IS NOT NULL AND ip BETWEEN first AND last) END AS "count!"
                   FROM UNNEST($1::inet[], $2::inet[], $3::bool[]) WITH ORDINALITY AS n (first, last, parts, place)
                   ORDER BY place"#,
                &first,
                &last,
                &parts
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

/// How many addresses are held in each part of 256 addresses of a network, lowest first, without empty parts; only for the
/// present. The network must be at least as large as a part.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn count_by_part(executor: impl PgExecutor<'_>, network: Ipv4Net) -> Result<Vec<(Ipv4Addr, i64)>> {
    let (first, last) = (IpNet::V4(Ipv4Net::from(network.network())), IpNet::V4(Ipv4Net::from(network.broadcast())));
    let rows = sqlx::query!(
        "SELECT part, held FROM address_tallies
          WHERE part BETWEEN ($1::inet - '0.0.0.0'::inet) / 256 AND ($2::inet - '0.0.0.0'::inet) / 256 ORDER BY part",
        first,
        last
    );
    let part = |part: i32| u32::try_from(i64::from(part) * 256).map(Ipv4Addr::from);
    let rows = rows.fetch_all(executor).await?.into_iter();
    Ok(rows.filter_map(|row| Some((part(row.part).ok()?, row.held))).collect())
}

/// Every held host name, in no order. They are plain texts, since there may be hundreds of thousands.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn hostnames(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<String>> {
    hostnames_ending(executor, "", at).await
}

/// Every held host name with this suffix, such as `.dc1.example`, in no order.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
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
