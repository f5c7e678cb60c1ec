//! Reads a recipe: its YAML and its own files. Checks that its parts are consistent, and collects all errors.

use super::{Checksum, ChecksumList, Download, Files, KeySource, OwnFile, Recipe, VerifiedBy, raw};
use crate::digest::Digest;
use crate::paths::in_library;
use crate::problem::{Collector, Problem};
use crate::source_url::{self, SourceUrl};
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use sha2::Digest as _;
use std::collections::BTreeMap;

/// The largest size of a recipe in bytes.
const MAX_RECIPE: usize = 256 * 1024;

/// The largest size of a template in bytes; the service has the same limit.
const MAX_TEMPLATE: usize = 256 * 1024;

/// The largest size of any other file of a recipe in bytes.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// Reads the recipe in a folder. `keys` are the library's key files by name.
pub(crate) fn read(folder: &str, files: &Files, keys: &Files) -> Result<Recipe, Vec<Problem>> {
    let path = format!("{folder}/recipe.yaml");
    let mut problems = Collector { recipe: folder, file: &path, problems: vec![] };
    let recipe = whole(folder, files, keys, &path, &mut problems);
    match recipe {
        Some(recipe) if problems.problems.is_empty() => Ok(recipe),
        _ => Err(problems.problems),
    }
}

fn whole(folder: &str, files: &Files, keys: &Files, path: &str, problems: &mut Collector<'_>) -> Option<Recipe> {
    let name: Name = problems.take("", folder.parse())?;
    if name.as_str() != folder {
        problems.add("", "the folder's name must be in lower case");
    }
    let content = files.get(path)?;
    if content.len() > MAX_RECIPE {
        problems.add("", format!("a recipe has at most {MAX_RECIPE} bytes"));
        return None;
    }
    let raw: raw::Recipe = match serde_path_to_error::deserialize(serde_norway::Deserializer::from_slice(content)) {
        Ok(raw) => raw,
        Err(error) => {
            let field = error.path().to_string();
            let message = error.into_inner().to_string();
            // The YAML reader repeats the field, but not always in full.
            let message = message.strip_prefix(&format!("{field}: ")).unwrap_or(&message);
            problems.add(if field == "." { "" } else { &field }, message);
            return None;
        }
    };
    let mut hash = sha2::Sha256::new();
    hash.update(content);
    let mut own = BTreeMap::new();
    for (section, template, raws) in [("templates", true, raw.templates), ("files", false, raw.files)] {
        for (file, raw) in raws {
            let field = format!("{section}.{file}");
            if let Some(found) = own_file(folder, files, &field, template, &raw, problems) {
                hash.update(found.path.as_str().as_bytes());
                hash.update((found.content.len() as u64).to_be_bytes());
                hash.update(&found.content);
                if own.insert(file.clone(), found).is_some() {
                    problems.add(field, "another file has the same name");
                }
            }
        }
    }
    let mirror = raw.mirror.and_then(|mirror| problems.take("mirror", source_url::parse(&mirror)));
    let mut reader = Context { mirror: mirror.is_some(), keys, problems };
    let downloads: BTreeMap<Name, Download> =
        raw.downloads.into_iter().filter_map(|(name, raw)| Some((name.clone(), reader.download(&name, raw)?))).collect();
    let checksums: BTreeMap<Name, ChecksumList> =
        raw.checksums.into_iter().filter_map(|(name, raw)| Some((name.clone(), reader.list(&name, raw)?))).collect();
    for name in downloads.keys().filter(|name| own.contains_key(*name)) {
        problems.add(format!("downloads.{name}"), "another file has the same name");
    }
    for name in own.keys().chain(downloads.keys()) {
        if name.as_str().starts_with('_') || matches!(name.as_str(), "done" | "t" | "progress" | "log") {
            problems.add(name.as_str(), "the name has another meaning below /pxe/; choose another name");
        }
    }
    let scripts = own.values().filter(|file| file.kind == FileKind::BootIpxe).count();
    if scripts != 1 {
        problems
            .add("templates", format!("one file must be of kind boot_ipxe, the script that servers get first; {scripts} are"));
    }
    let grub = own.values().filter(|file| file.kind == FileKind::Grub).count();
    if grub > 1 {
        problems.add("templates", format!("at most one file is of kind grub, which a signed GRUB gets; {grub} are"));
    }
    for (setting, spec) in &raw.settings {
        if let Some(problem) = spec.problem() {
            problems.add(format!("settings.{setting}"), format!("the setting {problem}"));
        }
    }
    for (field, minutes) in [("open_minutes", raw.open_minutes), ("in_progress_minutes", raw.in_progress_minutes)] {
        if !(1..=525_600).contains(&minutes) {
            problems.add(field, "a time limit is 1 minute to a year, 525600 minutes");
        }
    }
    if raw.title.is_empty() {
        problems.add("title", "a recipe needs a title");
    }
    references(&downloads, &checksums, problems);
    Some(Recipe {
        name,
        title: raw.title,
        description: raw.description,
        version: raw.version,
        architecture: raw.architecture,
        status: raw.status,
        tested_with: raw.tested_with,
        checked_by: raw.checked_by,
        notes: raw.notes,
        open_minutes: raw.open_minutes,
        in_progress_minutes: raw.in_progress_minutes,
        done_by: raw.done_by,
        network_boot: raw.network_boot,
        mirror,
        settings: raw.settings,
        files: own,
        downloads,
        checksums,
        sha256: Sha256::new(hash.finalize().into()),
    })
}

fn own_file(
    folder: &str,
    files: &Files,
    field: &str,
    template: bool,
    raw: &raw::OwnFile,
    problems: &mut Collector<'_>,
) -> Option<OwnFile> {
    let path_field = format!("{field}.path");
    let path = problems.take(path_field.as_str(), in_library(folder, &raw.path))?;
    let Some(content) = files.get(path.as_str()) else {
        problems.add(path_field, format!("there is no file {path}"));
        return None;
    };
    let limit = if template { MAX_TEMPLATE } else { MAX_FILE };
    if content.is_empty() || content.len() > limit {
        problems.add(path_field.as_str(), format!("{path} has {} bytes; a file has 1 to {limit}", content.len()));
    }
    if template && std::str::from_utf8(content).is_err() {
        problems.add(path_field, format!("{path} is not UTF-8 text, as a template must be"));
    }
    Some(OwnFile { kind: raw.kind, template, path, content: content.clone() })
}

/// The values that the checks of downloads and lists share.
struct Context<'a, 'b> {
    mirror: bool,
    keys: &'a Files,
    problems: &'a mut Collector<'b>,
}

impl Context<'_, '_> {
    fn download(&mut self, name: &Name, raw: raw::Download) -> Option<Download> {
        let field = format!("downloads.{name}");
        self.url(&format!("{field}.url"), raw.url.as_ref());
        if raw.url.is_none() && raw.folder.is_empty() {
            self.problems.add(field.as_str(), "give `url`, or `folder` with where it is in a folder of the operator's");
        }
        if raw.url.is_none() && raw.how.is_none() {
            self.problems.add(format!("{field}.how"), "without `url`, say in `how` how an operator gets the file");
        }
        let checksum = match raw.checksum {
            Some(checksum) => self.checksum(&format!("{field}.checksum"), checksum)?,
            None => Checksum::None,
        };
        let plain = raw.url.as_ref().is_some_and(|url| url.as_str().starts_with("http:"));
        if checksum == Checksum::None && plain {
            self.problems.add(field, "a download without a checksum must come over https");
        }
        Some(Download { kind: raw.kind, url: raw.url, folder: raw.folder, member: raw.member, checksum, how: raw.how })
    }

    fn list(&mut self, name: &Name, raw: raw::ChecksumList) -> Option<ChecksumList> {
        let field = format!("checksums.{name}");
        self.url(&format!("{field}.url"), Some(&raw.url));
        let verified_by = match raw.verified_by {
            Some(by) => Some(self.verified_by(&format!("{field}.verified_by"), by)?),
            None => None,
        };
        if verified_by.is_none() && raw.url.as_str().starts_with("http:") {
            self.problems.add(field, "a list without `verified_by` must come over https");
        }
        Some(ChecksumList { url: raw.url, format: raw.format, verified_by })
    }

    fn checksum(&mut self, field: &str, raw: raw::Checksum) -> Option<Checksum> {
        let wrong = "give one of `sha256`, `sha512`, `list` with `path`, or `keys` with `signature`";
        match raw {
            raw::Checksum { sha256: Some(hex), sha512: None, list: None, path: None, keys, signature: None }
                if keys.is_empty() && hex.len() == 64 =>
            {
                self.pinned(field, &hex)
            }
            raw::Checksum { sha256: None, sha512: Some(hex), list: None, path: None, keys, signature: None }
                if keys.is_empty() && hex.len() == 128 =>
            {
                self.pinned(field, &hex)
            }
            raw::Checksum { sha256: None, sha512: None, list: Some(list), path: Some(path), keys, signature: None }
                if keys.is_empty() =>
            {
                Some(Checksum::Listed { list, path })
            }
            raw::Checksum { sha256: None, sha512: None, list: None, path: None, keys, signature: Some(signature) }
                if !keys.is_empty() =>
            {
                let signature = self.signature(field, &signature)?;
                Some(Checksum::Signed { keys: self.keys(field, keys)?, signature })
            }
            _ => {
                self.problems.add(field, wrong);
                None
            }
        }
    }

    fn pinned(&mut self, field: &str, hex: &str) -> Option<Checksum> {
        let digest = Digest::from_hex(hex);
        if digest.is_none() {
            self.problems.add(field, "a SHA-256 has 64 and a SHA-512 128 hexadecimal digits");
        }
        digest.map(Checksum::Pinned)
    }

    fn verified_by(&mut self, field: &str, raw: raw::VerifiedBy) -> Option<VerifiedBy> {
        match raw {
            raw::VerifiedBy { list: Some(list), path: Some(path), keys, signature: None } if keys.is_empty() => {
                Some(VerifiedBy::List { list, path })
            }
            raw::VerifiedBy { list: None, path: None, keys, signature: Some(signature) } if !keys.is_empty() => {
                let keys = self.keys(field, keys)?;
                if signature == "inline" {
                    return Some(VerifiedBy::Inline(keys));
                }
                Some(VerifiedBy::Detached { keys, signature: self.signature(field, &signature)? })
            }
            _ => {
                self.problems.add(field, "give `list` with `path`, or `keys` with `signature` (`inline` or a URL)");
                None
            }
        }
    }

    fn signature(&mut self, field: &str, text: &str) -> Option<SourceUrl> {
        let field = format!("{field}.signature");
        let url: SourceUrl = self.problems.take(field.as_str(), text.parse())?;
        self.url(&field, Some(&url));
        Some(url)
    }

    fn keys(&mut self, field: &str, raws: Vec<raw::Key>) -> Option<Vec<KeySource>> {
        let field = format!("{field}.keys");
        let known = |problems: &mut Collector<'_>, raw| match raw {
            raw::Key::Library(file) if self.keys.contains_key(&file) => Some(KeySource::Library(file)),
            raw::Key::Library(file) => {
                problems.add(field.as_str(), format!("there is no key {file} among the library's keys"));
                None
            }
            raw::Key::Fetched(raw::FetchedKey { url, fingerprint }) => {
                let fingerprint = fingerprint.replace(' ', "").to_ascii_lowercase();
                let digits = fingerprint.len() == 40 || fingerprint.len() == 64;
                if !digits || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    problems.add(field.as_str(), "a fingerprint has 40 or 64 hexadecimal digits");
                    return None;
                }
                if !url.as_str().starts_with("https:") {
                    problems.add(field.as_str(), "a key is fetched over https, from a URL of its own");
                    return None;
                }
                Some(KeySource::Fetched { url, fingerprint })
            }
        };
        raws.into_iter().map(|raw| known(self.problems, raw)).collect()
    }

    fn url(&mut self, field: &str, url: Option<&SourceUrl>) {
        if url.is_some_and(SourceUrl::is_below_mirror) && !self.mirror {
            self.problems.add(field, "the URL has {mirror}, and the recipe has no valid `mirror`");
        }
    }
}

/// Checks that every named list exists, and that no list verifies itself through others.
fn references(downloads: &BTreeMap<Name, Download>, lists: &BTreeMap<Name, ChecksumList>, problems: &mut Collector<'_>) {
    for (name, download) in downloads {
        if let Checksum::Listed { list, .. } = &download.checksum
            && !lists.contains_key(list)
        {
            problems.add(format!("downloads.{name}.checksum.list"), format!("there is no list {list} in `checksums`"));
        }
    }
    let next = |list: &ChecksumList| match &list.verified_by {
        Some(VerifiedBy::List { list, .. }) => Some(list.clone()),
        _ => None,
    };
    for (name, list) in lists {
        let field = format!("checksums.{name}.verified_by.list");
        let mut at = next(list);
        let mut steps = 0;
        while let Some(other) = at {
            let Some(list) = lists.get(&other) else {
                problems.add(field, format!("there is no list {other} in `checksums`"));
                break;
            };
            steps += 1;
            if steps > lists.len() {
                problems.add(field, "the lists verify each other in a circle");
                break;
            }
            at = next(list);
        }
    }
}
