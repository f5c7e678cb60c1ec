//! Creates a migrated database in the test cluster and prints its URL, for `scripts/sqlx-prepare`.

use anyhow::Result;
use bootledger_test_cluster::TestDatabase;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!("{}", TestDatabase::create().await?.keep());
    Ok(())
}
