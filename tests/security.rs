//! The threat model names a test for each attack that is stopped. A name that no test has would be a promise without proof.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::path::Path;

/// The folders that contain tests.
const SOURCES: [&str; 9] = ["aggregates", "crates", "images", "outbound", "projections", "src", "tests", "web/src", "web/tests"];

#[test]
fn every_test_that_the_threat_model_names_exists() -> Result<()> {
    named_tests_exist("docs/security.md", 50)
}

#[test]
fn every_test_that_the_table_of_controllers_names_exists() -> Result<()> {
    named_tests_exist("docs/controllers.md", 20)
}

fn named_tests_exist(page: &str, least: usize) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(page)).context(page.to_owned())?;
    let named: BTreeSet<&str> = text.split('`').skip(1).step_by(2).filter(|word| is_sentence(word)).collect();
    ensure!(named.len() > least, "only {} tests are named", named.len());
    let mut tests = BTreeSet::new();
    for folder in SOURCES {
        collect(&root.join(folder), &mut tests)?;
    }
    let missing: Vec<_> = named.into_iter().filter(|name| !tests.contains(*name)).collect();
    ensure!(missing.is_empty(), "no test has these names: {missing:#?}");
    Ok(())
}

/// Whether a word in code style is a test's name: words joined by underscores, and more of them than an option has.
fn is_sentence(word: &str) -> bool {
    let plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    plain && word.matches('_').count() >= 3
}

/// Collects the names of functions marked `#[test]` and similar, below a folder.
fn collect(folder: &Path, tests: &mut BTreeSet<String>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let mut is_test = false;
            for part in text.split("#[") {
                is_test |= ["test]", "test(", "tokio::test", "actix_web::test"].iter().any(|start| part.starts_with(start));
                if let Some((_, after)) = part.split_once("fn ").filter(|_| is_test) {
                    tests.insert(after.split(['(', '<']).next().unwrap_or_default().to_owned());
                    is_test = false;
                }
            }
        }
    }
    Ok(())
}
