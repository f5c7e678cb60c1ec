//! What the recipes of Flatcar, Fedora CoreOS, Talos, Proxmox VE, ESXi and Windows render: Ignition files are read by the crate
//! that Fedora's own tools use, and a quotation that is taken out of a template is found by `images/validate/run`.

mod renderer;

use ignition_config::Config;
use renderer::{images, render, validate};

#[test]
fn ignition_files_are_read_whole_by_the_crate_of_coreos() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    render(&images().join("recipes"), folder.path(), &["flatcar", "fedora-coreos"]);
    let mut read = 0;
    for recipe in ["flatcar", "fedora-coreos"] {
        for sample in std::fs::read_dir(folder.path().join(recipe)).expect("the samples").flatten() {
            for name in ["live.ign", "disk.ign"] {
                let path = sample.path().join(name);
                let (config, unknown) = Config::parse_slice(&std::fs::read(&path).expect("a rendered file"))
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
                assert!(
                    matches!((recipe, config), ("flatcar", Config::V3_3(_)) | ("fedora-coreos", Config::V3_4(_))),
                    "{}",
                    path.display()
                );
                read += 1;
            }
        }
    }
    assert!(read >= 100, "{read} files");
}

/// Copies a recipe with one replacement in one of its templates, and gives what the validators say.
fn broken(recipe: &str, file: &str, from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipes = folder.path().join("recipes");
    std::fs::create_dir_all(recipes.join(recipe)).expect("a folder");
    for entry in std::fs::read_dir(images().join("recipes").join(recipe)).expect("the recipe").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), recipes.join(recipe).join(entry.file_name())).expect("a copy");
        }
    }
    let path = recipes.join(recipe).join(file);
    let whole = std::fs::read_to_string(&path).expect("a template");
    let changed = whole.replace(from, to);
    assert_ne!(whole, changed, "{recipe}/{file} has {from}");
    std::fs::write(&path, changed).expect("a template");
    let rendered = folder.path().join("rendered");
    render(&recipes, &rendered, &[]);
    let done = validate(&rendered);
    assert!(!done.status.success(), "{recipe}/{file} without {from} is not found");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn values_that_are_not_quoted_are_found_in_every_format() {
    for (recipe, file, from, to) in [
        ("flatcar", "disk.ign", "settings.user_name|json", "settings.user_name"),
        ("flatcar", "setup.sh", "settings.time_zone|shell", "settings.time_zone"),
        ("fedora-coreos", "disk.ign", "device|json", "device"),
        ("talos", "machine.yaml", "settings.cluster_name|json", "settings.cluster_name"),
        ("proxmox-ve-9", "answer.toml", "settings.ssh_keys|json", "settings.ssh_keys"),
        ("esxi-8", "ks.cfg", "settings.root_password_hash|shell", "settings.root_password_hash"),
        ("esxi-8", "ks.cfg", "sh -c {{ command|shell }}", "sh -c {{ command }}"),
        ("windows-server-2022", "unattend.xml", "settings.admin_password|xml", "settings.admin_password"),
        ("windows-server-2022", "settings.json", "settings.late_commands|json", "settings.late_commands"),
        (
            "windows-server-2022",
            "bootledger.cmd",
            "/Index:{{ settings.image_index }}",
            "/Index:{{ settings.image_index }} /{{ settings.proxy }}",
        ),
        ("memtest86", "boot.ipxe", r#"settings.memory_test_options|replace("$", "")"#, "settings.memory_test_options"),
        ("rescue", "hook.sh", "command|shell", "command"),
    ] {
        let words = broken(recipe, file, from, to);
        assert!(words.contains(&format!("/{file}: ")), "{recipe}/{file}: {words}");
    }
}
