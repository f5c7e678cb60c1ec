//! What the recipes render is read by the vendors' own validators.
//!
//! `images/validate/run` has the checks; see images/recipes/README.md. The Python programs come from `scripts/setup test`.

mod renderer;

use renderer::{images, render, validate};

#[test]
fn every_recipe_renders_files_that_the_vendors_validators_take() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    render(&images().join("recipes"), folder.path(), &[]);

    let done = validate(folder.path());

    let words = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{words}{}", String::from_utf8_lossy(&done.stderr));
    // Every recipe has files of every sample, so that a recipe that renders nothing cannot pass.
    let samples = std::fs::read_dir(images().join("tests/samples")).expect("the samples").count();
    for recipe in std::fs::read_dir(images().join("recipes")).expect("the recipes").flatten() {
        if recipe.path().join("recipe.yaml").exists() {
            let rendered = std::fs::read_dir(folder.path().join(recipe.file_name())).expect("rendered files").count();
            assert_eq!(rendered, samples, "samples of {}", recipe.file_name().to_string_lossy());
        }
    }
}

#[test]
fn a_value_that_is_not_quoted_is_found() {
    // The recipe of Rocky Linux with the quoting of passphrases taken out: the samples have to break it.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipes = folder.path().join("recipes");
    let read = |name: &str| std::fs::read_to_string(images().join("recipes").join(name)).expect("a file of a recipe");
    std::fs::create_dir_all(recipes.join("anaconda")).expect("a folder");
    std::fs::create_dir_all(recipes.join("rocky-9")).expect("a folder");
    std::fs::write(recipes.join("rocky-9/recipe.yaml"), read("rocky-9/recipe.yaml")).expect("a file");
    std::fs::write(recipes.join("anaconda/boot.ipxe"), read("anaconda/boot.ipxe")).expect("a file");
    let kickstart = read("anaconda/kickstart.cfg");
    let broken = kickstart.replace("settings.luks_passphrase|shell", "settings.luks_passphrase");
    assert_ne!(kickstart, broken, "the template quotes the passphrase");
    std::fs::write(recipes.join("anaconda/kickstart.cfg"), broken).expect("a file");
    let rendered = folder.path().join("rendered");
    render(&recipes, &rendered, &[]);

    let done = validate(&rendered);

    let words = String::from_utf8_lossy(&done.stdout);
    assert!(!done.status.success(), "{words}");
    assert!(words.contains("rocky-9/nasty-encrypted/kickstart.cfg"), "{words}");
}
