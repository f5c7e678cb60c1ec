//! Bounds how much the values of a template can grow.
//!
//! The engine charges fuel for texts that it builds, but not for lists: lists that are multiplied or joined are lazy, and share
//! their entries, so that a few characters build a list whose text needs all memory, or whose comparison takes years. So a list
//! that a template builds never contains another list that was built elsewhere, and only a few of its variables; lists are
//! joined up to a bound, and never multiplied.

use super::super::variables::SETTINGS;
use super::bounds::OPERATORS;
use super::scan::{Tag, Token};
use std::collections::{BTreeSet, HashMap};

/// The maximum nesting of lists and maps.
const MAX_LISTS: usize = 3;

/// The maximum size in bytes of lists that are joined with `+`, as far as it is known.
const MAX_JOINED: usize = 1024 * 1024;

/// The maximum number of slices of slices that a variable may be.
const MAX_SLICES: usize = 32;

/// The maximum number of the template's variables in the lists of one tag.
const MAX_ENTRIES: usize = 8;

/// How many bytes a value counts: an entry, a value of the server, a setting, and lists of unknown length.
const ENTRY: usize = 32;
const OWN: usize = 512;
const SETTING: usize = 64 * 1024;
const UNKNOWN: usize = 256 * 1024;

/// Filters whose result is one text or number.
const TEXTS: [&str; 11] = ["none", "colon", "cisco", "lower", "upper", "trim", "replace", "join", "length", "shell", "json"];

/// What a variable of the template may contain.
#[derive(Clone, Debug, Default)]
struct Held<'text> {
    /// The nesting of lists; 0 for a text or a number.
    lists: usize,
    bytes: usize,
    slices: usize,
    /// The settings that the variable may be. Only their values show whether they are lists.
    settings: BTreeSet<&'text str>,
}

impl Held<'_> {
    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn with(&mut self, other: &Self) {
        self.lists = self.lists.max(other.lists);
        self.slices = self.slices.max(other.slices);
        self.settings.extend(&other.settings);
    }
}

/// The meaning of a bracket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// A call, or the outermost level.
    #[default]
    Other,
    /// A list or a map.
    List,
    /// Round brackets, which become a list with a comma.
    Group,
    Subscript,
}

/// An open bracket.
#[derive(Clone, Copy, Debug, Default)]
struct Bracket {
    kind: Kind,
    /// Whether the bracket contains something that is, or may be, a list of the template.
    another: bool,
}

/// Checks whether this list may contain its contents.
fn check(closed: Bracket) -> Result<(), String> {
    if closed.kind == Kind::List && closed.another {
        return Err("a list or map cannot contain another list of the template; use a loop inside a loop".to_owned());
    }
    Ok(())
}

/// The variables that the tags so far have assigned.
#[derive(Debug, Default)]
pub(super) struct Growth<'text> {
    held: HashMap<&'text str, Held<'text>>,
    numbers: BTreeSet<&'text str>,
}

impl<'text> Growth<'text> {
    pub(super) fn numbers(self) -> BTreeSet<String> {
        self.numbers.into_iter().map(str::to_owned).collect()
    }

    /// Processes the next tag.
    ///
    /// # Errors
    /// Returns an error if a value of the tag could grow too much.
    pub(super) fn next(&mut self, tag: &Tag<'text>) -> Result<(), String> {
        let tokens = tag.tokens.as_slice();
        let keyword = if tag.block { tokens.first() } else { None };
        let parts = |mark: Token<'text>| tokens.iter().position(|token| *token == mark).map(|at| (&tokens[1..at], at + 1));
        let (targets, from) = match keyword {
            Some(Token::Name("for")) => parts(Token::Name("in")).unwrap_or((&[], 1)),
            Some(Token::Name("set")) => parts(Token::Sign("=")).unwrap_or((&tokens[1..], tokens.len())),
            Some(Token::Name("with")) => (&tokens[1..], 1),
            Some(_) => (&[][..], 1),
            None => (&[][..], 0),
        };
        let mut held = Value::new(self, tokens, !targets.is_empty()).read(from)?;
        // A loop removes one level of lists, and so does unpacking entries.
        let loops = keyword == Some(&Token::Name("for"));
        let apart = keyword != Some(&Token::Name("with")) && targets.contains(&Token::Sign(","));
        held.lists = held.lists.saturating_sub(usize::from(loops) + usize::from(apart));
        for target in targets {
            if let Token::Name(name) = target {
                // The variable may be a different one of the same name in an inner block, so nothing that was
                // known is forgotten.
                let known = self.held.entry(name).or_default();
                known.with(&held);
                known.bytes = known.bytes.max(held.bytes);
            }
        }
        Ok(())
    }
}

/// A value, as far as it has been read.
struct Value<'growth, 'text> {
    growth: &'growth mut Growth<'text>,
    tokens: &'growth [Token<'text>],
    /// Whether the value is assigned to a variable.
    binding: bool,
    held: Held<'text>,
    /// The open brackets, after the value itself.
    open: Vec<Bracket>,
    /// How many of the template's variables are in brackets that are, or may be, lists; and how many are in none.
    entries: usize,
    loose: usize,
    times: bool,
    plus: bool,
}

impl<'growth, 'text> Value<'growth, 'text> {
    fn new(growth: &'growth mut Growth<'text>, tokens: &'growth [Token<'text>], binding: bool) -> Self {
        // A comma makes the assigned value a list.
        let group = binding && tokens.first() == Some(&Token::Name("set"));
        let open = vec![Bracket { kind: if group { Kind::Group } else { Kind::Other }, another: false }];
        Self { growth, tokens, binding, held: Held::default(), open, entries: 0, loose: 0, times: false, plus: false }
    }

    /// Reads the value that begins at this token.
    fn read(mut self, from: usize) -> Result<Held<'text>, String> {
        for at in from..self.tokens.len() {
            let lists = self.lists();
            let Some(inner) = self.open.last_mut() else { break };
            match self.tokens[at] {
                Token::Open(bracket) => self.begin(bracket, at, from),
                Token::Close => {
                    let closed = self.open.pop().unwrap_or_default();
                    check(closed)?;
                    if let Some(outer) = self.open.last_mut() {
                        outer.another |= closed.another;
                    }
                }
                Token::Sign(",") if inner.kind == Kind::Group => {
                    inner.kind = Kind::List;
                    self.held.lists = self.held.lists.max(lists + 1);
                }
                Token::Sign(":") if inner.kind == Kind::Subscript => self.held.slices += 1,
                Token::Sign(sign) => {
                    self.times |= sign == "*";
                    self.plus |= sign == "+";
                }
                Token::Text(length) if lists > 0 => self.held.add(length + ENTRY),
                Token::Number if lists > 0 => self.held.add(ENTRY),
                Token::Text(_) | Token::Number => {}
                Token::Name(name) => self.name(name, at),
            }
        }
        let whole = self.open.first().copied().unwrap_or_default();
        check(whole)?;
        self.entries += if whole.kind == Kind::List { self.loose } else { 0 };
        if self.held.lists > 0 {
            self.held.add(self.entries * UNKNOWN);
        }
        self.bounded()?;
        if self.times {
            self.growth.numbers.extend(&self.held.settings);
        }
        Ok(if self.binding && self.is_text(from) { Held::default() } else { self.held })
    }

    /// The number of open lists.
    fn lists(&self) -> usize {
        self.open.iter().filter(|bracket| bracket.kind == Kind::List).count()
    }

    fn begin(&mut self, bracket: u8, at: usize, from: usize) {
        let operand = match at.checked_sub(1).map(|before| self.tokens[before]) {
            Some(Token::Name(name)) => at > from && !OPERATORS.contains(&name),
            Some(Token::Text(_) | Token::Number | Token::Close) => true,
            _ => false,
        };
        let kind = match (bracket, operand) {
            (b'{', _) | (b'[', false) => Kind::List,
            (b'[', true) => Kind::Subscript,
            (_, false) => Kind::Group,
            (_, true) => Kind::Other,
        };
        self.held.lists = self.held.lists.max(self.lists() + usize::from(kind == Kind::List));
        self.open.push(Bracket { kind, another: false });
    }

    fn name(&mut self, name: &'text str, at: usize) {
        let before = at.checked_sub(1).map(|before| self.tokens[before]);
        let lists = self.lists();
        let split = name == "split" && before == Some(Token::Sign("|"));
        let within = self.open[1..].iter().any(|bracket| matches!(bracket.kind, Kind::List | Kind::Group));
        let Some(inner) = self.open.last_mut() else { return };
        if split || (name == "range" && before != Some(Token::Sign("."))) {
            self.held.lists = self.held.lists.max(lists + 1);
            self.held.add(UNKNOWN);
            inner.another = true;
            return;
        }
        // Operators, and the names of attributes, filters and tests.
        if OPERATORS.contains(&name) || matches!(before, Some(Token::Sign("." | "|") | Token::Name("is"))) {
            return;
        }
        if let Some(known) = self.growth.held.get(name) {
            inner.another |= known.lists > 0;
            *(if within { &mut self.entries } else { &mut self.loose }) += 1;
            self.held.with(known);
            self.held.add(known.bytes);
        } else if name == SETTINGS {
            self.held.add(SETTING);
            if let Some(Token::Name(setting)) = self.tokens.get(at + 2) {
                self.held.settings.insert(setting);
            }
        } else if name == "loop" {
            // The attributes of `loop` are numbers and booleans.
            inner.another |= self.tokens.get(at + 1) != Some(&Token::Sign("."));
        } else if lists > 0 {
            self.held.add(OWN);
        } else if name == "dns_servers" {
            self.held.lists = self.held.lists.max(1);
        }
    }

    fn bounded(&self) -> Result<(), String> {
        let held = &self.held;
        if held.lists > MAX_LISTS {
            return Err(format!(
                "lists and maps can be nested at most {MAX_LISTS} levels deep, and these are nested {} deep",
                held.lists
            ));
        }
        if self.times && held.lists > 0 {
            return Err("* multiplies numbers and strings; a tag with * cannot contain a list".to_owned());
        }
        if self.plus && (held.lists > 0 || !held.settings.is_empty()) && held.bytes > MAX_JOINED {
            return Err("the lists that + joins here could become too long; use one loop for each of them".to_owned());
        }
        if held.slices > MAX_SLICES {
            return Err(format!("at most {MAX_SLICES} slices of one another are allowed"));
        }
        if self.entries > MAX_ENTRIES && held.lists > 0 {
            return Err(format!(
                "at most {MAX_ENTRIES} variables of the template can be in the lists of a tag; write texts with ~"
            ));
        }
        Ok(())
    }

    /// Whether the value ends with a filter that turns the whole of it into one text or number.
    fn is_text(&self, from: usize) -> bool {
        let mut depth = 0_usize;
        let mut last = None;
        for (at, token) in self.tokens.iter().enumerate().skip(from) {
            match token {
                Token::Open(_) => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
                Token::Name("if" | "or" | "and") | Token::Sign(",") if depth == 0 => return false,
                Token::Sign("|") if depth == 0 => last = Some(at),
                Token::Sign(_) if depth == 0 && last.is_some() => return false,
                _ => {}
            }
        }
        let filter = last.and_then(|at| self.tokens.get(at + 1));
        self.tokens[0] != Token::Name("with") && matches!(filter, Some(Token::Name(name)) if TEXTS.contains(name))
    }
}
