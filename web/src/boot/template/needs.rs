//! Finds what a template requires: the variables that are empty for some servers (`kernel_url`, `gateway`, …) and that it
//! writes without a condition for the empty case, and the files of its image whose addresses it writes.
//!
//! It walks the engine's own syntax tree once for each variable, with the variable empty and everything else unknown. It skips
//! a branch whose condition is then known to be false; if a condition is unknown, it walks both branches. If the output depends
//! on the empty variable, the variable is required. A line that begins with `#` is a comment to iPXE, GRUB, shells, preseed,
//! kickstart and YAML, so nothing in it is required.

use super::syntax;
use bootledger_aggregates::boot_image::{FileKind, Needs, NetworkValue};
use bootledger_aggregates::values::name::Name;
use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::machinery::parse;
use minijinja::value::{Value, ValueKind};
use std::collections::BTreeMap;

/// The variables that are empty if the image has no file of a kind.
const OF_IMAGE: [(&str, FileKind); 3] =
    [("kernel_url", FileKind::Kernel), ("initrd_url", FileKind::Initrd), ("kickstart_url", FileKind::Kickstart)];

/// The variables that are empty if the network has no such value.
const OF_NETWORK: [NetworkValue; 2] = [NetworkValue::Gateway, NetworkValue::DnsServers];

/// Names below `files_url` that are not files.
const NO_FILES: [&str; 5] = ["done", "DONE", "progress", "log", "t"];

/// Markers for the service's address and for a token in the output.
const BASE: &str = "\u{2}";
const TOKEN: &str = "\u{3}";

/// A marker for text that is not known.
const UNKNOWN: char = '\u{4}';

/// A marker for the end of a branch that may be taken or not: other text may follow.
const END: char = '\u{5}';

/// Maximum length of a text whose value is tracked. Such texts decide conditions, and name files.
const FOLLOWED: usize = 1024;

/// What a template requires. The engine has already accepted the template.
pub(super) fn of(text: &str, kind: FileKind) -> Needs {
    let mut needs = Needs::default();
    let Some(Ok(Stmt::Template(template))) = syntax().map(|syntax| parse(text, super::NAME, syntax)) else { return needs };
    let is_needed = |variable: &str, empty: Value| {
        text.contains(variable) && Reader::new([(variable, Abstract::empty(empty))].into()).body(&template.children).depends
    };
    needs.kinds = OF_IMAGE.iter().filter(|(name, _)| is_needed(name, Value::from(""))).map(|(_, kind)| *kind).collect();
    for value in OF_NETWORK {
        let empty = if value == NetworkValue::DnsServers { Value::from(Vec::<Value>::new()) } else { Value::from("") };
        if is_needed(value.as_str(), empty) {
            needs.network.insert(value);
        }
    }
    let files = format!("{BASE}/pxe/t/{TOKEN}");
    let known = [("base_url", BASE.to_owned()), ("token", TOKEN.to_owned()), ("files_url", files)];
    let mut reader = Reader::new(known.into_iter().map(|(name, text)| (name, Abstract::known(Value::from(text)))).collect());
    reader.body(&template.children);
    named(&reader.log, kind, &mut needs);
    needs
}

/// Finds the files that the output names.
fn named(log: &str, kind: FileKind, needs: &mut Needs) {
    for line in
        log.lines().filter(|line| !is_comment(line.trim_start_matches(|c: char| c.is_whitespace() || c == UNKNOWN || c == END)))
    {
        let own = format!("{BASE}/pxe/");
        let mut paths: Vec<&str> = line.split(&own).skip(1).collect();
        if kind == FileKind::Grub {
            // A GRUB of the signed chain loads `/pxe/NAME` from the server that it was loaded from.
            paths.extend(line.split_whitespace().filter_map(|word| word.strip_prefix("/pxe/")));
        }
        for path in paths {
            let with_token = path.strip_prefix("t/").and_then(|path| path.strip_prefix(TOKEN)?.strip_prefix('/'));
            file(with_token.unwrap_or(path), needs);
        }
    }
}

fn file(path: &str, needs: &mut Needs) {
    let length = path.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')).unwrap_or(path.len());
    let (name, after) = path.split_at(length);
    // A part of a path, or of a name that the template, the server's shell or iPXE builds.
    if name.is_empty() || after.starts_with(['/', '$', '{', '%', '*', '?', '`', '\\', '[', UNKNOWN]) {
        return;
    }
    if let Some(kind) = name.strip_prefix('_').and_then(|kind| kind.parse().ok()) {
        needs.kinds.insert(kind);
    } else if let Ok(name) = name.trim_end_matches('.').parse::<Name>()
        && !NO_FILES.contains(&name.as_str())
    {
        needs.files.insert(name);
    }
}

/// Whether a line is a comment: `#!` and cloud-init's `#include` are none.
fn is_comment(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| !rest.starts_with('!') && !rest.starts_with("include"))
}

/// What is known about a value.
#[derive(Clone, Debug, Default)]
struct Abstract {
    /// Whether the value depends on the empty variable.
    depends: bool,
    /// The value, if the empty variable and the template's own texts determine it.
    known: Option<Value>,
    /// Whether the value counts as true, if only that is known.
    truth: Option<bool>,
    /// Whether the value is one of several values of a list, of which a condition may skip the empty one.
    item: bool,
}

impl Abstract {
    fn empty(value: Value) -> Self {
        Self { depends: true, known: Some(value), ..Self::default() }
    }

    fn known(value: Value) -> Self {
        Self { known: Some(value), ..Self::default() }
    }

    fn truth(&self) -> Option<bool> {
        self.known.as_ref().map(Value::is_true).or(self.truth)
    }

    fn or(self, other: &Self) -> Self {
        let same = self.known.is_some() && self.known == other.known;
        let truth = self.truth().filter(|truth| other.truth() == Some(*truth));
        Self { depends: self.depends || other.depends, known: self.known.filter(|_| same), truth, item: self.item || other.item }
    }

    fn text(&self) -> Option<String> {
        let text = self.known.as_ref()?;
        match text.kind() {
            ValueKind::String | ValueKind::Number => Some(text.to_string()).filter(|text| text.len() <= FOLLOWED),
            ValueKind::Seq if text.len() == Some(0) => Some(String::new()),
            _ => None,
        }
    }

    fn is_nothing(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.len() == Some(0))
    }
}

/// What a part of a template writes.
#[derive(Clone, Debug)]
struct Written {
    depends: bool,
    text: Option<String>,
}

impl Written {
    fn push(&mut self, depends: bool, text: Option<&str>) {
        self.depends |= depends;
        self.text = self.text.take().zip(text).map(|(before, text)| before + text).filter(|text| text.len() <= FOLLOWED);
    }
}

/// Where in a line the output is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    Comment,
    Code,
}

struct Reader<'text> {
    /// The template's own names, the innermost scope last.
    scopes: Vec<BTreeMap<&'text str, Abstract>>,
    /// How many of the surrounding blocks may run or not.
    conditional: usize,
    /// The items of lists that are known not to be empty.
    assumed: Vec<&'text str>,
    line: Line,
    /// The output of all branches, one after the other.
    log: String,
}

impl<'text> Reader<'text> {
    fn new(variables: BTreeMap<&'text str, Abstract>) -> Self {
        Self { scopes: vec![variables], conditional: 0, assumed: vec![], line: Line::Start, log: String::new() }
    }

    fn body(&mut self, statements: &'text [Stmt<'text>]) -> Written {
        let mut written = Written { depends: false, text: Some(String::new()) };
        for statement in statements {
            self.statement(statement, &mut written);
        }
        written
    }

    fn statement(&mut self, statement: &'text Stmt<'text>, written: &mut Written) {
        match statement {
            Stmt::EmitRaw(raw) => {
                self.raw(raw.raw);
                written.push(false, Some(raw.raw));
            }
            Stmt::EmitExpr(emit) => {
                let value = self.value(&emit.expr);
                let text = value.text();
                written.push(value.depends && self.line != Line::Comment, text.as_deref());
                if self.line == Line::Start {
                    self.line = Line::Code;
                }
                match text {
                    Some(text) => self.log.push_str(&text),
                    None => self.log.push(UNKNOWN),
                }
            }
            Stmt::IfCond(block) => {
                let truth = self.value(&block.expr).truth();
                let branches = [(true, &block.true_body), (false, &block.false_body)];
                let taken = branches.into_iter().filter(|(branch, _)| truth.is_none_or(|truth| truth == *branch));
                self.branches(taken, Some(&block.expr), truth.is_none(), written);
            }
            Stmt::ForLoop(block) => {
                let iterated = self.value(&block.iter);
                if iterated.is_nothing() {
                    self.branches([(false, &block.else_body)], None, false, written);
                    return;
                }
                let one = iterated
                    .known
                    .as_ref()
                    .filter(|known| known.len() == Some(1))
                    .and_then(|known| known.try_iter().ok()?.next());
                let item = Abstract { depends: iterated.depends, known: one, item: true, truth: None };
                self.scopes.push(BTreeMap::new());
                self.assign(&block.target, &item);
                let condition = block.filter_expr.as_ref();
                self.branches([(true, &block.body)], condition, true, written);
                self.scopes.pop();
                self.branches([(false, &block.else_body)], None, true, written);
            }
            Stmt::WithBlock(block) => {
                self.scopes.push(BTreeMap::new());
                for (target, value) in &block.assignments {
                    let value = self.value(value);
                    self.assign(target, &value);
                }
                let inner = self.body(&block.body);
                self.scopes.pop();
                written.push(inner.depends, inner.text.as_deref());
            }
            Stmt::Set(set) => {
                let value = self.value(&set.expr);
                self.set(&set.target, value);
            }
            Stmt::SetBlock(set) => {
                let (line, length) = (self.line, self.log.len());
                self.line = Line::Code;
                let inner = self.body(&set.body);
                self.line = line;
                self.log.truncate(length);
                let mut value = Abstract { depends: inner.depends, known: inner.text.map(Value::from), ..Abstract::default() };
                if let Some(filter) = &set.filter {
                    value = self.filtered(filter, value);
                }
                self.set(&set.target, value);
            }
            Stmt::FilterBlock(block) => {
                let inner = self.body(&block.body);
                written.push(inner.depends, None);
            }
            Stmt::AutoEscape(block) => {
                let inner = self.body(&block.body);
                written.push(inner.depends, inner.text.as_deref());
            }
            Stmt::Template(template) => {
                let inner = self.body(&template.children);
                written.push(inner.depends, inner.text.as_deref());
            }
            Stmt::Do(_) => {}
        }
    }

    /// Walks branches of which one is taken, if it is not known which.
    fn branches(
        &mut self,
        branches: impl IntoIterator<Item = (bool, &'text Vec<Stmt<'text>>)>,
        condition: Option<&'text Expr<'text>>,
        unknown: bool,
        written: &mut Written,
    ) {
        let (before, mut after) = (self.line, vec![]);
        self.conditional += usize::from(unknown);
        if unknown {
            self.log.push(UNKNOWN);
        }
        for (branch, body) in branches {
            self.line = before;
            let assumed = self.assumed.len();
            if let Some(condition) = condition {
                assume(condition, branch, &mut self.assumed);
            }
            let inner = self.body(body);
            self.assumed.truncate(assumed);
            after.push(self.line);
            if unknown {
                self.log.push(END);
            }
            written.push(inner.depends, inner.text.as_deref().filter(|_| !unknown));
        }
        self.conditional -= usize::from(unknown);
        let same = after.iter().all(|line| Some(line) == after.first());
        self.line = if same { after.first().copied().unwrap_or(before) } else { Line::Code };
    }

    fn raw(&mut self, text: &str) {
        self.log.push_str(text);
        for (at, c) in text.char_indices() {
            self.line = match (self.line, c) {
                (_, '\n') => Line::Start,
                (Line::Start, '#') if is_comment(&text[at..]) => Line::Comment,
                (Line::Start, c) if !c.is_whitespace() => Line::Code,
                (line, _) => line,
            };
        }
    }

    /// Assigns a value to names in the innermost scope.
    fn assign(&mut self, target: &'text Expr<'text>, value: &Abstract) {
        match target {
            Expr::Var(name) => {
                self.assumed.retain(|assumed| *assumed != name.id);
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.id, value.clone());
                }
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.part(item, value)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.part(item, value)),
            _ => {}
        }
    }

    /// Assigns a part of the value to one of several names.
    fn part(&mut self, target: &'text Expr<'text>, value: &Abstract) {
        self.assign(target, &Abstract { known: None, truth: None, ..value.clone() });
    }

    /// Assigns a value as [`Self::assign`] does. In a block that may not run, the earlier value remains possible.
    fn set(&mut self, target: &'text Expr<'text>, value: Abstract) {
        let value = match target {
            Expr::Var(name) if self.conditional > 0 => value.or(&self.variable(name.id)),
            _ => value,
        };
        self.assign(target, &value);
    }

    fn variable(&self, name: &str) -> Abstract {
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned().unwrap_or_default();
        if found.item && self.assumed.contains(&name) { Abstract::default() } else { found }
    }

    fn value(&self, expression: &'text Expr<'text>) -> Abstract {
        match expression {
            Expr::Var(name) => self.variable(name.id),
            Expr::Const(constant) => Abstract::known(constant.value.clone()),
            Expr::UnaryOp(operation) => {
                let value = self.value(&operation.expr);
                match operation.op {
                    UnaryOpKind::Not => said(value.truth().map(|truth| !truth)),
                    UnaryOpKind::Neg => Abstract { depends: value.depends, ..Abstract::default() },
                }
            }
            Expr::BinOp(operation) => self.binary(operation.op, &operation.left, &operation.right),
            Expr::Compare(comparison) => {
                let mut left = self.value(&comparison.expr);
                let mut all = Some(true);
                for next in &comparison.ops {
                    let right = self.value(&next.expr);
                    all = both(all, compared(next.op, &left, &right));
                    left = right;
                }
                said(all)
            }
            Expr::IfExpr(condition) => {
                let otherwise = || condition.false_expr.as_ref().map(|other| self.value(other)).unwrap_or_default();
                match self.value(&condition.test_expr).truth() {
                    Some(true) => self.value(&condition.true_expr),
                    Some(false) => otherwise(),
                    None => self.value(&condition.true_expr).or(&otherwise()),
                }
            }
            Expr::Filter(filter) => {
                let value = filter.expr.as_ref().map(|value| self.value(value)).unwrap_or_default();
                self.filtered(expression, value)
            }
            Expr::Test(test) => {
                let (value, argument) = (self.value(&test.expr), test.args.first().map(|argument| self.argument(argument)));
                let (Some(value), Some(Some(argument))) = (value.known, argument.map(|argument| argument.known)) else {
                    return Abstract::default();
                };
                said(match (test.name, value.as_str(), argument.as_str()) {
                    ("startingwith", Some(value), Some(begin)) => Some(value.starts_with(begin)),
                    ("endingwith", Some(value), Some(end)) => Some(value.ends_with(end)),
                    ("in", ..) => within(&value, &argument),
                    _ => None,
                })
            }
            Expr::Slice(slice) => {
                let value = self.value(&slice.expr);
                let nothing = value.is_nothing();
                Abstract { depends: value.depends, known: value.known.filter(|_| nothing), ..Abstract::default() }
            }
            Expr::GetAttr(attribute) => Abstract { depends: self.value(&attribute.expr).depends, ..Abstract::default() },
            Expr::GetItem(item) => {
                let depends = self.value(&item.expr).depends || self.value(&item.subscript_expr).depends;
                Abstract { depends, ..Abstract::default() }
            }
            Expr::Call(call) => {
                let arguments: Vec<Abstract> = call.args.iter().map(|argument| self.argument(argument)).collect();
                if matches!(&call.expr, Expr::Var(name) if name.id == "range")
                    && let [Abstract { known: Some(count), .. }] = &arguments[..]
                    && count.as_i64() == Some(0)
                {
                    return Abstract::known(Value::from(Vec::<Value>::new()));
                }
                let depends = arguments.iter().any(|argument| argument.depends) || self.value(&call.expr).depends;
                Abstract { depends, ..Abstract::default() }
            }
            Expr::List(list) => self.list(&list.items),
            Expr::Tuple(tuple) => self.list(&tuple.items),
            Expr::Map(map) => {
                let depends = map.values.iter().chain(&map.keys).any(|part| self.value(part).depends);
                Abstract { depends, ..Abstract::default() }
            }
        }
    }

    fn list(&self, items: &'text [Expr<'text>]) -> Abstract {
        let items: Vec<Abstract> = items.iter().map(|item| self.value(item)).collect();
        let depends = items.iter().any(|item| item.depends);
        let known: Option<Vec<Value>> = items.into_iter().map(|item| item.known).collect();
        Abstract { depends, known: known.map(Value::from), ..Abstract::default() }
    }

    fn argument(&self, argument: &'text CallArg<'text>) -> Abstract {
        match argument {
            CallArg::Pos(value) | CallArg::Kwarg(_, value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                self.value(value)
            }
        }
    }

    fn binary(&self, operation: BinOpKind, left: &'text Expr<'text>, right: &'text Expr<'text>) -> Abstract {
        let (one, other) = (self.value(left), self.value(right));
        let comparison = match operation {
            BinOpKind::Eq => CompareOpKind::Eq,
            BinOpKind::Ne => CompareOpKind::Ne,
            BinOpKind::Lt => CompareOpKind::Lt,
            BinOpKind::Lte => CompareOpKind::Lte,
            BinOpKind::Gt => CompareOpKind::Gt,
            BinOpKind::Gte => CompareOpKind::Gte,
            BinOpKind::In => CompareOpKind::In,
            BinOpKind::ScOr => {
                return match one.truth() {
                    Some(true) => one,
                    Some(false) => other,
                    None => {
                        let truth = other.truth().filter(|truth| *truth);
                        Abstract { truth, ..one.or(&other) }
                    }
                };
            }
            // If the first value is empty, the `and` is the template's own condition for that case.
            BinOpKind::ScAnd => {
                return match one.truth() {
                    Some(true) => other,
                    Some(false) => Abstract { depends: false, ..one },
                    None => {
                        let truth = other.truth().filter(|truth| !*truth);
                        Abstract { depends: other.depends, truth, ..Abstract::default() }
                    }
                };
            }
            BinOpKind::Concat => {
                let joined = one.text().zip(other.text()).map(|(one, other)| one + &other);
                let known = joined.filter(|text| text.len() <= FOLLOWED).map(Value::from);
                return Abstract { depends: one.depends || other.depends, known, ..Abstract::default() };
            }
            _ => return Abstract { depends: one.depends || other.depends, ..Abstract::default() },
        };
        said(compared(comparison, &one, &other))
    }

    fn filtered(&self, filter: &'text Expr<'text>, value: Abstract) -> Abstract {
        let Expr::Filter(filter) = filter else { return Abstract { depends: value.depends, ..Abstract::default() } };
        let arguments: Vec<Abstract> = filter.args.iter().map(|argument| self.argument(argument)).collect();
        match filter.name {
            "default" => {
                let empty_too = arguments.get(1).is_some_and(|flag| flag.truth() != Some(false));
                let other = arguments.into_iter().next().unwrap_or(Abstract::known(Value::from("")));
                match &value.known {
                    Some(known) if known.is_undefined() || (empty_too && !known.is_true()) => other,
                    Some(_) => value,
                    None => value.or(&other),
                }
            }
            "length" => Abstract { known: value.known.and_then(|known| known.len()).map(Value::from), ..Abstract::default() },
            name => {
                let nothing = value.is_nothing();
                let known = match (name, value.known) {
                    ("lower" | "upper" | "trim" | "replace" | "join", Some(_)) if nothing => Some(Value::from("")),
                    ("first" | "last", Some(_)) if nothing => Some(Value::UNDEFINED),
                    // A value that is joined, trimmed or changed in another way is not tracked.
                    _ => None,
                };
                Abstract {
                    depends: value.depends || arguments.iter().any(|argument| argument.depends),
                    known,
                    ..Abstract::default()
                }
            }
        }
    }
}

/// The names of items that are not empty if a condition is true, or false.
fn assume<'text>(condition: &'text Expr<'text>, truth: bool, names: &mut Vec<&'text str>) {
    match condition {
        Expr::Var(name) if truth => names.push(name.id),
        Expr::UnaryOp(operation) if matches!(operation.op, UnaryOpKind::Not) => assume(&operation.expr, !truth, names),
        Expr::BinOp(operation) if truth && matches!(operation.op, BinOpKind::ScAnd) => {
            assume(&operation.left, truth, names);
            assume(&operation.right, truth, names);
        }
        _ => {}
    }
}

fn said(answer: Option<bool>) -> Abstract {
    Abstract { known: answer.map(Value::from), ..Abstract::default() }
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn compared(operation: CompareOpKind, left: &Abstract, right: &Abstract) -> Option<bool> {
    let (left, right) = (left.known.as_ref()?, right.known.as_ref()?);
    Some(match operation {
        CompareOpKind::Eq => left == right,
        CompareOpKind::Ne => left != right,
        CompareOpKind::Lt => left < right,
        CompareOpKind::Lte => left <= right,
        CompareOpKind::Gt => left > right,
        CompareOpKind::Gte => left >= right,
        CompareOpKind::In => within(left, right)?,
        CompareOpKind::NotIn => !within(left, right)?,
    })
}

fn within(value: &Value, container: &Value) -> Option<bool> {
    match (container.as_str(), value.as_str()) {
        (Some(container), Some(value)) => Some(container.contains(value)),
        (None, _) => Some(container.try_iter().ok()?.any(|item| item == *value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(text: &str) -> String {
        let needs = super::super::examine(text, FileKind::Other, &super::super::Declared::new())
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .needs;
        let kinds = needs.kinds.iter().map(|kind| kind.as_str().to_owned());
        let network = needs.network.iter().map(|value| value.as_str().to_owned());
        kinds.chain(network).chain(needs.files.iter().map(ToString::to_string)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_written_without_being_asked_for_is_needed() {
        for (text, needed) in [
            ("{{ kernel_url }} {{ hostname }}", "kernel"),
            ("{{ initrd_url|split('/')|last }}", "initrd"),
            ("{{ 'x' ~ kernel_url|upper }}", "kernel"),
            ("{% if hostname %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if kernel_url %}{{ initrd_url }}{% endif %}", "initrd"),
            ("{% if kernel_url %}x{% else %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if kernel_url or initrd_url %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if not kernel_url %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if not kernel_url and ip %}x{% else %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if kernel_url %}x{% endif %}{{ kernel_url }}", "kernel"),
            ("{% set k = kernel_url %}{{ k }}", "kernel"),
            ("{% set k = kernel_url ~ ' ' ~ initrd_url %}{% set l = k %}{{ l|trim }}", "kernel initrd"),
            ("{% for url in [kernel_url, initrd_url] %}{{ url }}{% endfor %}", "kernel initrd"),
            ("{% with k = kernel_url %}{{ k }}{% endwith %}", "kernel"),
            ("{% set k %}{{ kickstart_url }}{% endset %}{{ k }}", "kickstart"),
            ("{{ kernel_url|default('x') }}", "kernel"),
            ("{{ 'a' if ip else kernel_url }}", "kernel"),
        ] {
            assert_eq!(needs(text), needed, "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_is_not_needed() {
        for text in [
            "{% if kernel_url %}{{ kernel_url }}{% endif %}",
            "{% if kernel_url and initrd_url %}{{ kernel_url }}{{ initrd_url }}{% endif %}",
            "{% if kernel_url %}{% if ip %}{% for x in dns_servers %}{{ kernel_url }}{% endfor %}{% endif %}{% endif %}",
            "{% if not kernel_url %}x{% else %}{{ kernel_url }}{% endif %}",
            "{% if kernel_url == '' %}x{% else %}{{ kernel_url }}{% endif %}",
            "{% if kernel_url != '' %}{{ kernel_url }}{% endif %}",
            "{% if ip == 'x' %}x{% elif kernel_url %}{{ kernel_url }}{% endif %}",
            "{% if not kernel_url %}x{% elif ip %}{{ kernel_url }}{% endif %}",
            "{{ kernel_url if kernel_url else 'none' }}",
            "{{ 'none' if not kernel_url else kernel_url }}",
            "{{ kernel_url or 'none' }}",
            "{{ kernel_url|default('none', true) }}",
            "{{ kernel_url and ('kernel ' ~ kernel_url) }}",
            "{% set k = kernel_url %}{% if k %}{{ k }}{% endif %}",
            "{% set k = kernel_url %}{% if kernel_url %}{{ k }}{% endif %}",
            "{% set has = kernel_url != '' %}{% if has %}{{ kernel_url }}{% endif %}",
            "{% raw %}{{ kernel_url }}{% endraw %}",
            "kernel_url {{ 'kernel_url' }}",
        ] {
            assert_eq!(needs(text), "", "{text}");
        }
    }

    #[test]
    fn files_that_are_named_are_needed() {
        for (text, needed) in [
            ("wget {{ files_url }}/late.sh -O /x", "late.sh"),
            ("'{{ files_url }}/a.b_c-d' and {{ files_url }}/x.", "a.b_c-d x"),
            ("{{ files_url }}/_kernel {{ files_url }}/_initrd", "kernel initrd"),
            ("s={{ files_url }}/", ""),
            ("{{ files_url }}/{{ hostname }} {{ files_url }}/${arch}.img {{ files_url }}/a/b", ""),
            ("{{ files_url }}/DONE/ {{ files_url }}/done {{ files_url }}/progress {{ files_url }}/log", ""),
            ("{{ base_url }}/x", ""),
        ] {
            assert_eq!(needs(text), needed, "{text}");
        }
    }

    /// Each variable that can be empty, in each way to use it.
    #[test]
    fn every_variable_that_can_be_empty_is_needed_unless_the_template_says_what_to_write_instead() {
        let variables = [
            ("kernel_url", "kernel"),
            ("initrd_url", "initrd"),
            ("kickstart_url", "kickstart"),
            ("gateway", "gateway"),
            ("dns_servers", "dns_servers"),
        ];
        let needed = [
            "{{ X }}",
            "ip={{ ip }}::{{ X }}:{{ netmask }}",
            "{{ X|default('none') }}",
            "{{ 'a' ~ X }}",
            "{{ X|json }}",
            "{{ X|shell }}",
            "{{ (X or '') ~ X }}",
            "{% set x = X %}{{ x }}",
            "{% set x %}[{{ X }}]{% endset %}{{ x }}",
            "{% set x = '' %}{% if ip == 'x' %}{% set x = X %}{% endif %}{{ x }}",
            "{% if hostname %}{{ X }}{% endif %}",
            "{% if X %}a{% else %}{{ X }}{% endif %}",
            "{% if not X %}{{ X }}{% endif %}",
            "{% if X or ip == 'x' %}{{ X }}{% endif %}",
            "{% if X|length == 0 %}{{ X }}{% endif %}",
            "{% if X == '10.0.0.1' %}a{% else %}{{ X }}{% endif %}",
            "{% if X != '10.0.0.1' %}{{ X }}{% endif %}",
            "{% with x = X %}{{ x }}{% endwith %}",
            "{% for x in [X, ip] %}{{ x }}{% endfor %}",
            "{% for x in dns_servers %}{{ x }}{% else %}{{ X }}{% endfor %}",
            "{% filter upper %}{{ X }}{% endfilter %}",
            "{{ {'a': X}['a'] }}",
            "{{ ip if ip == 'x' else X }}",
            "a # {{ X }}",
            "#!/bin/sh {{ X }}",
            "#include {{ X }}",
        ];
        let guarded = [
            "{% if X %}{{ X }}{% endif %}",
            "{% if ip == 'x' %}a{% elif X %}{{ X }}{% endif %}",
            "{% if not X %}a{% else %}{{ X }}{% endif %}",
            "{% if X|length > 0 %}{{ X }}{% endif %}",
            "{% if X|length == 0 %}a{% else %}{{ X }}{% endif %}",
            "{% if hostname and X %}{{ X }}{% endif %}",
            "{{ X or '' }}",
            "{{ X|default('none', true) }}",
            "{{ X if X else 'none' }}",
            "{{ X and 'x' ~ X }}",
            "{{ (X or ip)|json }}",
            "{% set x = X %}{% if not x %}{% set x = ip %}{% endif %}{{ x }}",
            "{% set x %}{{ X }}{% endset %}{% if x %}{{ x }}{% endif %}",
            "{% set x = 'ip=' ~ X %}{% if x != 'ip=' %}{{ x }}{% endif %}",
            "{% for x in [X, ip] %}{% if x %}{{ x }}{% endif %}{% endfor %}",
            "{% for x in [X, ip] if x %}{{ x }}{% endfor %}",
            "# {{ X }}",
            "a\n  # see {{ X }} and {{ X }}\nb",
            "{% raw %}{{ X }}{% endraw %}",
            "X {{ 'X' }}",
            "{% set unused = X %}",
        ];
        for (variable, what) in variables {
            for text in needed {
                let text = text.replace('X', variable);
                let found = needs(&text);
                assert!(found.split(' ').any(|found| found == what), "{text} needs {found:?}, not {what}");
            }
            for text in guarded {
                let text = text.replace('X', variable);
                let found = needs(&text);
                assert!(!found.split(' ').any(|found| found == what), "{text} needs {found:?}");
            }
        }
        for text in [
            "{% for x in dns_servers %}{{ x }}{% endfor %}",
            "{% for x in dns_servers[1:] %}{{ x }}{% endfor %}",
            "{% for i in range(dns_servers|length) %}{{ dns_servers[i] }}{% endfor %}",
            "{{ dns_servers|first|default('') }}",
            "{% if gateway is startingwith('10.') %}{{ gateway }}{% endif %}",
            "{% if gateway in ['10.0.0.1'] %}{{ gateway }}{% endif %}",
            "{{ dns_servers|length }}",
        ] {
            assert_eq!(needs(text), "", "{text}");
        }
    }

    #[test]
    fn files_are_needed_however_their_address_is_written_and_not_in_comments() {
        for (text, needed) in [
            ("{{ files_url ~ '/late.sh' }}", "late.sh"),
            ("{% set f = files_url %}wget {{ f }}/late.sh", "late.sh"),
            ("{% set f %}{{ files_url }}/late.sh{% endset %}{{ f }}", "late.sh"),
            ("{{ base_url }}/pxe/t/{{ token }}/late.sh", "late.sh"),
            ("{{ base_url }}/pxe/late.sh", "late.sh"),
            ("{{ base_url }}/pxe/", ""),
            ("# {{ files_url }}/late.sh", ""),
            ("x\n  # {{ files_url }}/late.sh\ny", ""),
            ("#!/bin/sh\nwget {{ files_url }}/late.sh # {{ files_url }}/x", "late.sh x"),
            ("{{ files_url }}/{% if ip == 'x' %}a{% endif %}b", ""),
            ("{% if ip == 'x' %}{{ files_url }}/a{% else %}{{ files_url }}/b{% endif %}", "a b"),
        ] {
            assert_eq!(needs(text), needed, "{text}");
        }
    }
}
