//! Tests of reading recipes: each error is found, and all errors of a recipe are reported together.

use crate::library::{Files, Library};
use crate::problem::Problems;
use std::borrow::Cow;

const SAMPLE: &str = include_str!("../../tests/library/sample/recipe.yaml");

fn library(recipe: &str) -> Result<Library, Problems> {
    let file = |text: &str| Cow::Owned(text.as_bytes().to_vec());
    let mut files = Files::new();
    files.insert("sample/recipe.yaml".to_owned(), file(recipe));
    files.insert("sample/boot.ipxe".to_owned(), file("#!ipxe\nboot\n"));
    files.insert("shared/answers.cfg".to_owned(), file("host {{ hostname }}\n"));
    Library::of(&files, Files::from([("vendor.asc".to_owned(), file("key"))]))
}

fn wrong(from: &str, to: &str) -> String {
    assert!(SAMPLE.contains(from), "the sample has no {from:?}");
    library(&SAMPLE.replacen(from, to, 1)).expect_err("an error").to_string()
}

#[test]
fn the_sample_is_read_with_shared_files_and_typed_settings() {
    let library = library(SAMPLE).expect("the sample");
    let recipe = library.recipes().next().expect("a recipe");
    assert_eq!(recipe.name.as_str(), "sample");
    assert_eq!(recipe.files.keys().map(ToString::to_string).collect::<Vec<_>>(), ["answers.cfg", "boot.ipxe"]);
    assert_eq!(recipe.files.values().next().expect("a file").path.as_str(), "shared/answers.cfg");
    assert_eq!(recipe.settings.len(), 3);
    assert_eq!(recipe.downloads.len(), 3);
    assert!(recipe.needs_folder());
}

#[test]
fn a_change_of_a_shared_file_is_another_version_of_the_recipe() {
    let before = library(SAMPLE).expect("the sample").recipes().next().expect("a recipe").sha256;
    let mut files = Files::new();
    files.insert("sample/recipe.yaml".to_owned(), Cow::Borrowed(SAMPLE.as_bytes()));
    files.insert("sample/boot.ipxe".to_owned(), Cow::Borrowed(b"#!ipxe\nboot\n"));
    files.insert("shared/answers.cfg".to_owned(), Cow::Borrowed(b"other\n"));
    let keys = Files::from([("vendor.asc".to_owned(), Cow::Borrowed(&b"key"[..]))]);
    let after = Library::of(&files, keys).expect("a library").recipes().next().expect("a recipe").sha256;
    assert_ne!(before, after);
}

#[test]
fn every_error_names_recipe_file_and_field() {
    assert_eq!(
        wrong("kind: kernel", "kind: colonel"),
        "recipe sample, sample/recipe.yaml, downloads.linux.kind: unknown variant `colonel`, expected one of `kernel`, `initrd`, `boot_ipxe`, `kickstart`, `other`, `grub` at line 26 column 11"
    );
    let unknown = wrong("title:", "titel: x\ntitle:");
    assert!(unknown.contains("recipe sample, sample/recipe.yaml, titel") && unknown.contains("unknown field"), "{unknown}");
    for (from, to, expected) in [
        (
            "../shared/answers.cfg",
            "../../keys/vendor.asc",
            "templates.answers.cfg.path: \"../../keys/vendor.asc\" is not a relative",
        ),
        ("../shared/answers.cfg", "missing.cfg", "templates.answers.cfg.path: there is no file sample/missing.cfg"),
        ("keys: [vendor.asc]", "keys: [other.asc]", "checksums.release.verified_by.keys: there is no key other.asc"),
        ("list: release", "list: releases", "checksums.sums.verified_by.list: there is no list releases"),
        ("{ list: sums, path: linux }", "{ list: sum, path: linux }", "downloads.linux.checksum.list: there is no list sum"),
        ("mirror: https", "mirror: ftp", "mirror: \"ftp://mirror.example/vendor\" is not an http or https URL"),
        ("choices: [plain, lvm]", "choices: []", "settings.layout: the setting is of type choice, but has no choices"),
        ("kind: boot_ipxe", "kind: other", "templates: one file must be of kind boot_ipxe"),
        ("open_minutes: 30", "open_minutes: 0", "open_minutes: a time limit is 1 minute"),
        ("  linux:", "  boot.ipxe:", "downloads.boot.ipxe: another file has the same name"),
        ("  linux:", "  done:", "done: the name has another meaning below /pxe/"),
        ("    how: ", "    # ", "downloads.wim.how: without `url`"),
        (", signature: inline", "", "checksums.release.verified_by: give `list` with `path`, or `keys`"),
    ] {
        let found = wrong(from, to);
        assert!(found.contains(expected), "{from:?} as {to:?} gave {found:?}, not {expected:?}");
    }
}

#[test]
fn lists_that_verify_each_other_are_refused() {
    let circle = "verified_by: { list: sums, path: x }";
    let found = wrong("verified_by: { keys: [vendor.asc], signature: inline }", circle);
    assert!(found.contains("the lists verify each other in a circle"), "{found}");
}

#[test]
fn all_errors_of_a_recipe_are_found_at_once() {
    let recipe = SAMPLE.replace("open_minutes: 30", "open_minutes: 0").replace("choices: [plain, lvm]", "choices: []");
    assert_eq!(library(&recipe).expect_err("errors").0.len(), 2);
}

#[test]
fn every_recipe_that_ships_is_valid() {
    if let Err(problems) = Library::embedded() {
        panic!("{problems}");
    }
}
