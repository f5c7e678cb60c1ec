//! Embeds the recipes and the signing keys: writes one list of all files below `recipes/` and `keys/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut files = vec![];
    for folder in ["recipes", "keys"] {
        println!("cargo::rerun-if-changed={folder}");
        collect(&root, Path::new(folder), &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let path = file.to_str().ok_or(io::ErrorKind::InvalidData)?;
        let absolute = root.join(file);
        let absolute = absolute.to_str().ok_or(io::ErrorKind::InvalidData)?;
        writeln!(list, "    ({path:?}, include_bytes!({absolute:?})),").map_err(io::Error::other)?;
    }
    list.push(']');
    let output = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(output.join("embedded.rs"), list)
}

/// Every file below a folder, except documentation and hidden files.
fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "README.md" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
