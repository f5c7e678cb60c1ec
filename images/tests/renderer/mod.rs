//! Renders recipes with the samples, and checks the result with the validators of `images/validate`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the recipes and of their tests.
pub(crate) fn images() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The same folder as scripts/setup installs into.
fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| images().join("../target"), PathBuf::from);
    let python = target.join("lab/validators/bin/python");
    assert!(python.exists(), "{} is missing; run scripts/setup test", python.display());
    python
}

/// Renders the recipes of these names, or all of them, with every sample.
pub(crate) fn render(recipes: &Path, output: &Path, names: &[&str]) {
    let done = Command::new(python())
        .arg(images().join("validate/render.py"))
        .args([recipes, &images().join("tests/samples"), output])
        .args(names)
        .output()
        .expect("Python starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// What the validators say of rendered files.
pub(crate) fn validate(rendered: &Path) -> Output {
    Command::new(python()).arg(images().join("validate/run")).arg(rendered).output().expect("Python starts")
}
