//! Parses catalogue files into entries to import, or returns every error in them. Does not use the database.

mod devices;

use super::kinds::{self, Kind, Label, Wrong};
use super::shape::Shape;
use super::value::Converter;
use super::yaml::{self, Content, Node, Pair, Place, Problem, shortened};
use bootledger_aggregates::boot_image::{BootImageSpec, FileKind};
use bootledger_aggregates::device::register::DeviceSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_port::Command;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

/// The text of a file, with the folder that its paths are relative to.
#[derive(Debug)]
pub(super) struct Source {
    /// The name of the file in messages.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) folder: PathBuf,
}

/// All entries of the files.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) entries: Vec<Entry>,
}

/// One entry of a file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// The entry's name within its kind, for the report.
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// A command describes the entry completely.
    Defined {
        command: Box<Command>,
        json: Value,
        parent: Option<Name>,
    },
    Image(Box<Image>),
    Device(Box<Device>),
}

/// A boot image, with the files that the catalogue file names.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) name: Name,
    pub(super) spec: BootImageSpec,
    pub(super) files: BTreeMap<Name, File>,
}

/// A boot file, and where its content is.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) kind: FileKind,
    pub(super) template: bool,
    pub(super) content: FileContent,
    pub(super) place: Place,
}

#[derive(Clone, Debug)]
pub(super) enum FileContent {
    Text(String),
    Path(PathBuf),
    /// The content is already in the file store.
    Stored {
        sha256: Sha256,
        size: u64,
    },
}

/// A device with the given fields. Its other fields are not changed.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) spec: DeviceSpec,
    /// The given fields, in the form that is compared; null for those to be removed.
    pub(super) given: Map<String, Value>,
    pub(super) venture: Option<Name>,
    pub(super) role: Option<Name>,
    pub(super) verified: Option<bool>,
    pub(super) parent: Option<Label>,
}

impl Device {
    /// The labels that identify the device.
    pub(super) fn labels(&self) -> impl Iterator<Item = Label> + '_ {
        let numbers = [self.spec.serial.clone().map(Label::Serial), self.spec.asset.clone().map(Label::Asset)];
        let filled = numbers
            .into_iter()
            .flatten()
            .filter(|label| !matches!(label, Label::Serial(text) | Label::Asset(text) if text.is_empty()));
        filled.chain(self.spec.macs.iter().copied().map(Label::Mac))
    }
}

/// Parses the files, or returns all errors.
pub(super) fn read(sources: &[Source]) -> Result<Entries, Vec<Problem>> {
    let mut reader = Reader {
        shapes: Kind::ALL.into_iter().map(|kind| (kind, Rc::new(Shape::Fields(kind.fields())))).collect(),
        folders: sources.iter().map(|source| source.folder.clone()).collect(),
        entries: vec![],
        named: HashMap::new(),
        labelled: HashMap::new(),
        problems: vec![],
        several: sources.len() > 1,
        names: sources.iter().map(|source| source.name.clone()).collect(),
    };
    for (number, source) in sources.iter().enumerate() {
        match yaml::read(&source.text, number) {
            Ok((documents, problems)) => {
                reader.problems.extend(problems);
                if documents.is_empty() {
                    let place = Place { file: number, line: 1, column: 1 };
                    let message = "the file is empty. Write sections such as `sites:`, or `{}` for an empty catalogue";
                    reader.problems.push(Problem::new(place, message));
                }
                for document in documents {
                    reader.document(&document);
                }
            }
            Err(problem) => reader.problems.push(problem),
        }
    }
    let Reader { entries, mut problems, .. } = reader;
    if problems.is_empty() {
        return Ok(Entries { entries });
    }
    problems.sort_by_key(|problem| problem.place);
    Err(problems)
}

struct Reader {
    shapes: BTreeMap<Kind, Rc<Shape>>,
    folders: Vec<PathBuf>,
    entries: Vec<Entry>,
    /// Where each entry first occurs.
    named: HashMap<(Kind, String), Place>,
    labelled: HashMap<Label, Place>,
    problems: Vec<Problem>,
    several: bool,
    names: Vec<String>,
}

impl Reader {
    fn document(&mut self, document: &Node) {
        let sections: Vec<(Kind, &str)> =
            Kind::ALL.into_iter().filter(|kind| *kind != Kind::Role).map(|kind| (kind, kind.section())).collect();
        let Content::Mapping(pairs) = &document.content else {
            let message = format!("found {} instead of the sections of a catalogue, such as `sites:`", document.what());
            self.problems.push(Problem::new(document.place, message));
            return;
        };
        for pair in pairs {
            match sections.iter().find(|(_, section)| *section == pair.key) {
                _ if pair.value.is_null() && sections.iter().any(|(_, section)| *section == pair.key) => {}
                Some((Kind::Device, _)) => self.devices(&pair.value),
                Some((kind, section)) => self.section(*kind, section, &pair.value),
                None => {
                    let names = sections.iter().map(|(_, section)| *section);
                    Converter { problems: &mut self.problems, path: vec![] }.unknown(&pair.key, pair.place, names);
                }
            }
        }
    }

    fn converter(&mut self, path: &[&str]) -> Converter<'_> {
        Converter { problems: &mut self.problems, path: path.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn section(&mut self, kind: Kind, section: &str, node: &Node) {
        let Content::Mapping(pairs) = &node.content else {
            let message = format!("found {} instead of {section} by name, such as `name: {{ … }}`", node.what());
            return self.converter(&[section]).problem(node.place, message);
        };
        for pair in pairs {
            let Some(name) = self.name(&[section], pair) else { continue };
            if !self.is_new(kind, name.as_str(), pair.place, &[section]) {
                continue;
            }
            match kind {
                Kind::BootImage => self.image(&name, pair),
                Kind::Venture => self.venture(&name, pair),
                _ => {
                    if let Some((value, _)) = self.entry(kind, &[section, name.as_str()], pair) {
                        self.define(kind, &name, None, value, pair, &[section, name.as_str()]);
                    }
                }
            }
        }
    }

    fn name(&mut self, path: &[&str], pair: &Pair) -> Option<Name> {
        let parsed = bootledger_aggregates::values::invisible::refuse(&pair.key).and_then(|()| pair.key.parse::<Name>());
        match parsed {
            Ok(name) => Some(name),
            Err(error) => {
                let message = if error.to_string().contains(&pair.key) {
                    error.to_string()
                } else {
                    format!("`{}`: {error}", shortened(&pair.key))
                };
                self.converter(path).problem(pair.place, message);
                None
            }
        }
    }

    /// Records where an entry is. Adds an error if the entry occurred before.
    fn is_new(&mut self, kind: Kind, name: &str, place: Place, path: &[&str]) -> bool {
        let first = *self.named.entry((kind, name.to_owned())).or_insert(place);
        if first == place {
            return true;
        }
        let message =
            format!("the {} {name} is defined twice, first {}. Keep one of them", kind.one(), self.described(first, place));
        self.converter(path).problem(place, message);
        false
    }

    /// Where an entry first occurred, as the end of a sentence.
    fn described(&self, first: Place, place: Place) -> String {
        let file = self.names.get(first.file).filter(|_| self.several && first.file != place.file);
        file.map_or_else(|| format!("in line {}", first.line), |file| format!("in {file}, line {}", first.line))
    }

    /// Reads an entry's value by the fields of its kind. Records its errors.
    fn entry(&mut self, kind: Kind, path: &[&str], pair: &Pair) -> Option<(Value, usize)> {
        let shape = self.shapes.get(&kind).cloned().unwrap_or(Rc::new(Shape::Any));
        let before = self.problems.len();
        let empty = Node::empty(pair.value.place);
        let node = if pair.value.is_null() { &empty } else { &*pair.value };
        let value = self.converter(path).value(node, &shape);
        (self.problems.len() == before).then_some((value, before))
    }

    fn define(&mut self, kind: Kind, name: &Name, venture: Option<&Name>, value: Value, pair: &Pair, path: &[&str]) {
        let parent = value["parent"].as_str().and_then(|parent| parent.parse().ok());
        match kind.define(name, venture, value) {
            Ok((command, json)) => {
                let name = venture.map_or_else(|| name.to_string(), |venture| format!("{venture}/{name}"));
                let what = What::Defined { command: Box::new(command), json, parent };
                self.entries.push(Entry { kind, name, place: pair.place, what });
            }
            Err(wrong) => self.wrong(path, &pair.value, pair.place, &wrong),
        }
    }

    /// Records an error that a type's rules found, at the place of the value.
    fn wrong(&mut self, path: &[&str], node: &Node, place: Place, wrong: &Wrong) {
        let place = place_of(node, &wrong.path).unwrap_or(place);
        let mut converter = self.converter(path);
        converter.path.extend((!wrong.path.is_empty()).then(|| wrong.path.clone()));
        converter.problem(place, &wrong.message);
    }

    fn venture(&mut self, name: &Name, pair: &Pair) {
        let path = ["ventures", name.as_str()];
        let Some((mut value, _)) = self.entry(Kind::Venture, &path, pair) else { return };
        let roles = value.as_object_mut().and_then(|fields| fields.remove("roles"));
        self.define(Kind::Venture, name, None, value, pair, &path);
        let Some(Value::Object(roles)) = roles else { return };
        let Some(Node { content: Content::Mapping(pairs), .. }) = pair.value.get("roles").map(|node| &**node) else { return };
        for pair in pairs {
            let path = ["ventures", name.as_str(), "roles"];
            let Some(role) = self.name(&path, pair) else { continue };
            if self.is_new(Kind::Role, &format!("{name}/{role}"), pair.place, &path) {
                let spec =
                    roles.get(&pair.key).cloned().filter(|spec| !spec.is_null()).unwrap_or_else(|| Value::Object(Map::new()));
                self.define(Kind::Role, &role, Some(name), spec, pair, &["ventures", name.as_str(), "roles", role.as_str()]);
            }
        }
    }

    fn image(&mut self, name: &Name, pair: &Pair) {
        let path = ["boot_images", name.as_str()];
        let Some((mut value, before)) = self.entry(Kind::BootImage, &path, pair) else { return };
        let files = value.as_object_mut().and_then(|fields| fields.remove("files"));
        let spec = match kinds::typed::<BootImageSpec>(value) {
            Ok((spec, _)) => spec,
            Err(wrong) => return self.wrong(&path, &pair.value, pair.place, &wrong),
        };
        let mut named: BTreeMap<Name, File> = BTreeMap::new();
        if let (Some(Value::Object(files)), Some(Node { content: Content::Mapping(pairs), .. })) =
            (files, pair.value.get("files").map(|node| &**node))
        {
            for pair in pairs {
                let path = ["boot_images", name.as_str(), "files"];
                let Some(file) = self.name(&path, pair) else { continue };
                if let Some(first) = named.get(&file) {
                    let message = format!(
                        "the file {file} is defined twice, first {}. Keep one of them",
                        self.described(first.place, pair.place)
                    );
                    self.converter(&path).problem(pair.place, message);
                    continue;
                }
                let read = self.file(&path, &file, files.get(&pair.key).unwrap_or(&Value::Null), pair);
                named.extend(read.map(|read| (file, read)));
            }
        }
        if self.problems.len() == before {
            let what = What::Image(Box::new(Image { name: name.clone(), spec, files: named }));
            self.entries.push(Entry { kind: Kind::BootImage, name: name.to_string(), place: pair.place, what });
        }
    }

    fn file(&mut self, path: &[&str], name: &Name, value: &Value, pair: &Pair) -> Option<File> {
        let folder = self.folders.get(pair.place.file).cloned().unwrap_or_default();
        let mut converter = self.converter(path);
        converter.path.push(name.to_string());
        let text = |field: &str| value[field].as_str().map(ToOwned::to_owned);
        let content = match (text("text"), text("path"), text("sha256")) {
            (Some(text), None, None) => FileContent::Text(text),
            (None, Some(path), None) if !path.is_empty() => FileContent::Path(folder.join(path)),
            (None, None, Some(sha256)) => {
                let Ok(sha256) = sha256.parse::<Sha256>() else {
                    let place = place_of(&pair.value, "sha256").unwrap_or(pair.place);
                    converter.problem(place, format!("`{}` is not a SHA-256 in 64 hexadecimal digits", shortened(&sha256)));
                    return None;
                };
                let Some(size) = value["size"].as_u64() else {
                    converter.problem(pair.place, "a file by its `sha256` needs its `size` in bytes");
                    return None;
                };
                FileContent::Stored { sha256, size }
            }
            _ => {
                converter.problem(
                    pair.place,
                    "give the content in one of three ways: `text`, `path`, or `sha256` and `size` of content that is in the store",
                );
                return None;
            }
        };
        if !matches!(content, FileContent::Stored { .. }) && !value["size"].is_null() {
            converter.problem(pair.place, "`size` is allowed only together with `sha256`. Remove it");
        }
        let kind = serde_json::from_value(value["kind"].clone()).ok()?;
        Some(File { kind, template: value["template"].as_bool().unwrap_or_default(), content, place: pair.place })
    }
}

/// The place of the value at a path such as `dns_updates.key.name` or `macs[0]`, or of the nearest one above it.
fn place_of(node: &Node, path: &str) -> Option<Place> {
    let mut node = node;
    let mut place = None;
    for part in path.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty()) {
        let next = match &node.content {
            Content::List(items) => part.parse::<usize>().ok().and_then(|n| items.get(n)),
            _ => node.get(part),
        };
        let Some(next) = next else { break };
        node = next;
        place = Some(node.place);
    }
    place
}
