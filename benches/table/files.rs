//! Catalogue files of 10,000 entries: a dry run, an import, and an import of the same file again, all through the program's own
//! code.

use crate::cluster::Cluster;
use crate::report::{Report, Row};
use anyhow::{Context, Result, ensure};
use bootledger::catalogue_file::report::Status;
use bootledger::catalogue_file::{Existing, Files};
use bootledger::cli::Arguments;
use bootledger::commands::trial::Trial;
use bootledger::service::tool::Tool;
use clap::Parser;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Seconds that an import, or its dry run, may take.
const TARGET: f64 = 60.0;
/// Seconds that a second import of the same file may take.
const AGAIN: f64 = 5.0;

/// A file with 20 sites, 480 racks, 100 networks, 100 ventures, 300 roles and 9,000 verified devices.
fn file() -> String {
    let mut text = String::from("sites:\n");
    for n in 0..20 {
        let _ = writeln!(text, "  s{n}: {{ domain: s{n}.example, zones: [s{n}.example] }}");
    }
    text.push_str("racks:\n");
    for n in 0..480 {
        let _ = writeln!(text, "  r{n}: {{ site: s{}, units: 42 }}", n % 20);
    }
    text.push_str("networks:\n");
    for n in 0..100 {
        let _ = writeln!(text, "  n{n}: {{ site: s{0}, cidr: 10.{n}.0.0/16, gateway: 10.{n}.0.1, racks: [r{0}] }}", n % 20);
    }
    text.push_str("ventures:\n");
    for n in 0..100 {
        let _ = writeln!(text, "  v{n}: {{ roles: {{ a: {{}}, b: {{}}, c: {{}} }} }}");
    }
    text.push_str("devices:\n");
    for n in 0..9000_u32 {
        let (r, mac) = (n % 480, format!("52:54:00:{:02x}:{:02x}:01", n >> 8, n & 255));
        let _ = writeln!(
            text,
            "  - {{ name: server {n}, serial: {}, asset: A{n}, site: s{}, rack: r{r}, position: {}, macs: [{mac}], management: {{ address: 172.16.{}.{} }}, venture: v{}, role: a, verified: true }}",
            70_000_000 + n,
            r % 20,
            1 + n / 480,
            n >> 8,
            n & 255,
            n % 100
        );
    }
    text
}

/// Measures the dry run and both imports.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let url = cluster.database("files").await?;
    let arguments = Arguments::try_parse_from(["bootledger", "deploy", "--database-url", &url])?;
    let tool = Tool::open(&arguments.store).await?;
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let text = file();
    report.say("a catalogue file of 10,000 entries");
    let begun = Instant::now();
    let files = Files::of_text("catalogue.yaml", &text, Path::new("."))?;
    let read = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let trial = Trial::open(&tool.database, &tool.commands).await?;
    let planned = files.dry_run((trial.views.clone(), trial.commands.clone()), Arc::clone(&store)).await?;
    trial.close().await?;
    let tried = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let imported = files.import(&tool, Arc::clone(&store), Existing::Changed).await?;
    let whole = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let again = files.import(&tool, Arc::clone(&store), Existing::Changed).await?;
    let unchanged = begun.elapsed().as_secs_f64();
    tool.close().await.context("closing")?;
    for (what, status, of) in
        [("dry run", Status::Created, &planned), ("import", Status::Created, &imported), ("again", Status::Unchanged, &again)]
    {
        ensure!(of.count(status) == 10_000, "{what}: {of}");
    }
    for (what, seconds, target) in
        [("dry run", tried, TARGET), ("import", whole, TARGET), ("the same file again", unchanged, AGAIN)]
    {
        report.add(Row {
            what: format!("catalogue file of 10,000 entries: {what}"),
            measured: format!("{seconds:.1} s"),
            limit: format!("{read:.2} s (reading the file)"),
            target: format!("≤ {target:.0} s"),
            met: Some(seconds <= target),
        });
    }
    Ok(())
}
