//! The addresses of management controllers: nobody holds them as a claim, but no server may get one either.

use crate::at::At;
use crate::convert::address;
use crate::error::Result;
use ipnet::{IpNet, Ipv4Net};
use sqlx::PgExecutor;
use std::net::Ipv4Addr;

/// Those that lie in a network, lowest first, each once. Devices out of use are left out.
pub async fn within(executor: impl PgExecutor<'_>, network: Ipv4Net, at: At) -> Result<Vec<Ipv4Addr>> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT management_address AS "address!" FROM devices
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND NOT decommissioned AND management_address IS NOT NULL AND management_address <<= $2
           ORDER BY 1"#,
        at.position(),
        IpNet::V4(network)
    );
    rows.fetch_all(executor).await?.into_iter().map(address).collect()
}
