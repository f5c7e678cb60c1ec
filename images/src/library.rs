//! All recipes: those that ship with the program, and those in an operator's folder.

use crate::problem::{Problem, Problems};
pub use crate::recipe::Files;
use crate::recipe::{self, Recipe};
use bootledger_aggregates::values::name::Name;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{fs, io};

/// The recipes and keys that ship with the program, by path.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The most files of an operator's folder of recipes.
const MOST_FILES: usize = 2_000;

/// The largest file of an operator's folder, in bytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The deepest level of subfolders that is read in an operator's folder.
const DEEPEST: usize = 4;

/// The recipes by name, and the keys that verify their downloads.
#[derive(Clone, Debug, Default)]
pub struct Library {
    recipes: BTreeMap<Name, Recipe>,
    keys: Files,
}

/// Why a library cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Some recipes have errors.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// A folder or a file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The folder contains too much.
    #[error("{} has {what}; name a folder that has only recipes", .folder.display())]
    TooLarge {
        /// The path of the folder.
        folder: PathBuf,
        /// What there is too much of.
        what: String,
    },
}

impl Library {
    /// The library that ships with the program.
    ///
    /// # Errors
    /// Returns an error if a recipe has errors. The tests make sure that none has.
    pub fn embedded() -> Result<Arc<Self>, LibraryError> {
        static LIBRARY: OnceLock<Result<Arc<Library>, Problems>> = OnceLock::new();
        let library = LIBRARY.get_or_init(|| {
            let (mut recipes, mut keys) = (Files::new(), Files::new());
            for (path, content) in EMBEDDED {
                if let Some(path) = path.strip_prefix("recipes/") {
                    recipes.insert(path.to_owned(), Cow::Borrowed(*content));
                } else if let Some(path) = path.strip_prefix("keys/") {
                    keys.insert(path.to_owned(), Cow::Borrowed(*content));
                }
            }
            Library::of(&recipes, keys).map(Arc::new)
        });
        Ok(library.clone()?)
    }

    /// The library that ships with the program, and an operator's recipes, which replace those with the same name.
    ///
    /// The folder contains `NAME/recipe.yaml` for each recipe, and keys as `keys/NAME.asc`.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be read, or if a recipe has errors.
    pub fn with_folder(folder: Option<&Path>) -> Result<Arc<Self>, LibraryError> {
        let shipped = Self::embedded()?;
        let Some(folder) = folder else { return Ok(shipped) };
        let mut files = Files::new();
        collect(folder, "", 0, &mut files)?;
        let mut keys = shipped.keys.clone();
        for (path, content) in &files {
            if let Some(key) = path.strip_prefix("keys/") {
                keys.insert(key.to_owned(), content.clone());
            }
        }
        let own = Self::of(&files, keys)?;
        let mut recipes = shipped.recipes.clone();
        recipes.extend(own.recipes);
        Ok(Arc::new(Self { recipes, keys: own.keys }))
    }

    /// Reads the recipes among these files: each folder with a `recipe.yaml`. Other folders contain files that recipes share.
    ///
    /// # Errors
    /// Returns every error of every recipe.
    pub fn of(files: &Files, keys: Files) -> Result<Self, Problems> {
        let mut recipes = BTreeMap::new();
        let mut problems: Vec<Problem> = vec![];
        for folder in files.keys().filter_map(|path| path.strip_suffix("/recipe.yaml")) {
            match recipe::read(folder, files, &keys) {
                Ok(recipe) => drop(recipes.insert(recipe.name.clone(), recipe)),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(Self { recipes, keys }) } else { Err(Problems(problems)) }
    }

    /// All recipes, sorted by name.
    pub fn recipes(&self) -> impl Iterator<Item = &Recipe> {
        self.recipes.values()
    }

    /// The recipe with this name.
    pub fn recipe(&self, name: &Name) -> Option<&Recipe> {
        self.recipes.get(name)
    }

    /// The content of a key file.
    pub fn key(&self, file: &str) -> Option<&[u8]> {
        self.keys.get(file).map(AsRef::as_ref)
    }
}

/// Reads all files below a folder. Links to folders are not followed.
fn collect(folder: &Path, prefix: &str, depth: usize, files: &mut Files) -> Result<(), LibraryError> {
    let unreadable = |error| LibraryError::Unreadable(folder.to_owned(), error);
    let too_large = |what: String| LibraryError::TooLarge { folder: folder.to_owned(), what };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')).map(str::to_owned) else { continue };
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            if depth == DEEPEST {
                return Err(too_large(format!("more than {DEEPEST} folders inside each other")));
            }
            collect(&path, &format!("{prefix}{name}/"), depth + 1, files)?;
        } else {
            let found = fs::metadata(&path).map_err(|error| LibraryError::Unreadable(path.clone(), error))?;
            if !found.is_file() {
                continue;
            }
            if found.len() > LARGEST_FILE {
                return Err(too_large(format!("the file {name} of {} bytes, more than {LARGEST_FILE}", found.len())));
            }
            if files.len() == MOST_FILES {
                return Err(too_large(format!("more than {MOST_FILES} files")));
            }
            let content = fs::read(&path).map_err(|error| LibraryError::Unreadable(path, error))?;
            files.insert(format!("{prefix}{name}"), Cow::Owned(content));
        }
    }
    Ok(())
}
