//! A database with everything that an import needs.

use super::super::apply::held;
use super::super::kinds::Kind;
use super::super::report::{Report, Status};
use super::super::{Existing, Files, export};
use crate::commands::trial::Trial;
use crate::service::tool::Tool;
use anyhow::{Context as _, Result};
use bootledger_projections::database::log;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices;
use bootledger_test_cluster::TestDatabase;
use bootledger_web::images::store::Contents;
use clap::Parser;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A database, a store of boot files and a folder of secrets.
pub(super) struct Place {
    pub(super) tool: Tool,
    pub(super) files: Arc<dyn ObjectStore>,
    pub(super) folder: TempDir,
    pub(super) database: TestDatabase,
}

impl Place {
    pub(super) async fn create() -> Result<Self> {
        let (database, folder) = (TestDatabase::create().await?, tempfile::tempdir()?);
        let secrets = folder.path().join("secrets");
        std::fs::create_dir(&secrets)?;
        let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let whsec = format!("whsec_{key}");
        for (name, secret) in [("tsig", key), ("tsig2", key), ("hook", &whsec), ("hook2", &whsec), ("bmc", "root:calvin")] {
            std::fs::write(secrets.join(name), secret)?;
        }
        let content = folder.path().join("content");
        std::fs::create_dir(&content)?;
        std::fs::write(content.join("linux"), [0_u8, 159, 146, 150])?;
        std::fs::write(content.join("linux2"), "kernel for {{ hostname }}\n")?;
        let secrets = secrets.to_str().context("a path")?.to_owned();
        let url = database.url();
        let arguments = ["bootledger", "deploy", "--database-url", &url, "--secrets-dir", &secrets];
        let arguments = crate::cli::Arguments::try_parse_from(arguments)?;
        let tool = Tool::open(&arguments.store).await?;
        let files: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        Ok(Self { tool, files, folder, database })
    }

    pub(super) fn files(&self, text: &str) -> Result<Files> {
        Files::of_text("catalogue.yaml", text, self.folder.path())
    }

    pub(super) async fn import(&self, text: &str) -> Result<Report> {
        self.files(text)?.import(&self.tool, self.files.clone(), Existing::Changed).await
    }

    pub(super) async fn dry_run(&self, text: &str) -> Result<Report> {
        let trial = Trial::open(&self.tool.database, &self.tool.commands).await?;
        let report = self.files(text)?.dry_run((trial.views.clone(), trial.commands.clone()), self.files.clone()).await;
        trial.close().await?;
        report
    }

    pub(super) async fn export(&self, at: At, folder: Option<&Path>) -> Result<export::Exported> {
        export::export(&self.tool.database.pool, &Contents::new(self.files.clone()), at, folder, "A test").await
    }

    pub(super) async fn position(&self) -> Result<i64> {
        Ok(log::last_position(&self.tool.database.pool).await?)
    }

    /// Everything in the catalogue, with parents named by their labels.
    pub(super) async fn everything(&self) -> Result<BTreeMap<String, Value>> {
        let mut all = BTreeMap::new();
        for kind in Kind::ALL {
            for (name, json) in held(&self.tool.database.pool, kind, At::Now).await? {
                all.insert(format!("{} {name}", kind.section()), json);
            }
        }
        let filter = devices::Filter { decommissioned: Some(false), ..devices::Filter::default() };
        let found = devices::list(&self.tool.database.pool, &filter, At::Now, 1000).await?;
        for device in &found {
            let mut json = super::super::kinds::device(device);
            if let Some(parent) = device.parent {
                let parent = found.iter().find(|other| other.id == parent).map(devices::Device::called);
                json.insert("parent".to_owned(), json!(parent));
            }
            all.insert(format!("devices {}", device.called()), Value::Object(json));
        }
        Ok(all)
    }
}

/// Each entry that is not unchanged, as `site dc1 Changed`, with its refusals.
pub(super) fn lines_of(report: &Report) -> Vec<String> {
    let outcomes = report.outcomes.iter().filter(|outcome| outcome.status != Status::Unchanged);
    let lines_of = outcomes.map(|outcome| {
        let refusals: Vec<String> =
            outcome.refusals.iter().map(|refusal| format!(" [{}: {}]", refusal.field, refusal.message)).collect();
        format!("{} {} {:?}{}", outcome.kind.one(), outcome.name, outcome.status, refusals.concat())
    });
    lines_of.collect()
}

#[track_caller]
pub(super) fn assert_unchanged(report: &Report) {
    assert_eq!(lines_of(report), Vec::<String>::new());
}

pub(super) const SMALL: &str = "\
sites: { dc1: { domain: dc1.example, zones: [dc1.example] } }
racks: { r1: { site: dc1 }, r2: { site: dc1 } }
ventures: { shop: { roles: { web: {}, db: {} } } }
devices:
  - { name: A, serial: S1, site: dc1, rack: r1, macs: [52:54:00:00:00:01], management: { address: 10.0.0.5 }, venture: shop, role: web, verified: true }
";
