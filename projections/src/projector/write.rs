//! Writes the result of a batch: for each table, one statement that ends rows and one that inserts rows.

mod flat;
mod installations;
mod tallies;
mod temporal;

use super::state::State;
use crate::error::Result;
use sqlx::PgConnection;

/// Writes the whole state.
pub(super) async fn write(connection: &mut PgConnection, mut state: State) -> Result<()> {
    // The counts are computed before the rows are moved out of the state.
    tallies::write(connection, &state).await?;
    let racks = super::tallies::racks(&state);
    temporal::catalogue(connection, std::mem::take(&mut state.catalogue).written()).await?;
    temporal::devices(connection, std::mem::take(&mut state.devices).written()).await?;
    tallies::of_racks(connection, &racks).await?;
    temporal::deployments(connection, std::mem::take(&mut state.deployments).written()).await?;
    installations::write(connection, std::mem::take(&mut state.installations).written()).await?;
    temporal::holdings(connection, std::mem::take(&mut state.holdings).written()).await?;
    temporal::dns_records(connection, std::mem::take(&mut state.dns).written()).await?;
    temporal::dhcp_entries(connection, std::mem::take(&mut state.dhcp).written()).await?;
    temporal::boot_targets(connection, std::mem::take(&mut state.boot_targets).written()).await?;
    flat::plugin_runs(connection, &state).await?;
    flat::dhcp_sites(connection, &state).await?;
    flat::statistics(connection, &state).await?;
    flat::timeline(connection, &state.timeline).await?;
    flat::parked(connection, &state.parked).await
}

/// One column of rows, as a parameter of `UNNEST`.
macro_rules! column {
    ($rows:expr, $pattern:pat => $value:expr) => {
        &$rows.iter().map(|$pattern| $value).collect::<Vec<_>>()
    };
}
use column;

/// Ends stored rows of a temporal table. The SQL's parameters are the columns of the key, in the order of the values here, and
/// the positions at which the rows end.
macro_rules! end_rows {
    ($connection:expr, $ended:expr, $sql:literal, $($key:pat => $value:expr),+ $(,)?) => {
        if !$ended.is_empty() {
            sqlx::query!($sql, $(column!($ended, ($key, _) => $value),)+ column!($ended, (_, to) => *to))
                .execute(&mut *$connection)
                .await?;
        }
    };
}
use end_rows;

/// Texts as a literal of `text[]`, because an array of arrays of different lengths cannot be a parameter.
fn array_literal<T: ToString>(values: &[T]) -> String {
    let mut literal = String::from("{");
    for (index, value) in values.iter().enumerate() {
        literal.push_str(if index == 0 { "\"" } else { ",\"" });
        for character in value.to_string().chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_literal_keeps_every_text_to_the_letter() {
        assert_eq!(array_literal::<String>(&[]), "{}");
        assert_eq!(array_literal(&["a b", "", "NULL", r#"c"d\e,{f}"#]), r#"{"a b","","NULL","c\"d\\e,{f}"}"#);
    }
}
