//! The copy of axe-core matches its manifest.

use crate::support::browser::AXE;
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha384};

#[test]
fn the_vendored_copy_is_unaltered() -> Result<()> {
    let manifest: Value = serde_json::from_str(include_str!("axe/manifest.json"))?;
    let wanted = manifest["files"]["axe.min.js"].as_str().context("a hash")?;
    let found = format!("sha384-{}", STANDARD.encode(Sha384::digest(AXE)));
    ensure!(found == wanted, "axe.min.js has the hash {found}, and its manifest says {wanted}");
    let version = manifest["version"].as_str().context("a version")?;
    ensure!(AXE.starts_with(&format!("/*! axe v{version}\n")), "it is not version {version}");
    Ok(())
}
