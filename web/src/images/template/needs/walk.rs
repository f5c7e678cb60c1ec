//! Walks the statements of a template, and collects what they write.

use super::value::{Abstract, FOLLOWED};
use minijinja::machinery::ast::{BinOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::value::Value;
use std::collections::BTreeMap;

/// A marker for text that is not known.
pub(super) const UNKNOWN: char = '\u{4}';

/// A marker for the end of a branch that may be taken or not: other text may follow.
pub(super) const END: char = '\u{5}';

/// Whether a line is a comment: `#!` and cloud-init's `#include` are none.
pub(super) fn is_comment(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| !rest.starts_with('!') && !rest.starts_with("include"))
}

/// What a part of a template writes.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) depends: bool,
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

/// A walk over the syntax tree of a template.
pub(super) struct Walk<'text> {
    /// The template's own names, the innermost scope last.
    scopes: Vec<BTreeMap<&'text str, Abstract>>,
    /// How many of the surrounding blocks may run or not.
    conditional: usize,
    /// The items of lists that are known not to be empty.
    assumed: Vec<&'text str>,
    line: Line,
    /// The output of all branches, one after the other.
    pub(super) log: String,
}

impl<'text> Walk<'text> {
    pub(super) fn new(variables: BTreeMap<&'text str, Abstract>) -> Self {
        Self { scopes: vec![variables], conditional: 0, assumed: vec![], line: Line::Start, log: String::new() }
    }

    pub(super) fn body(&mut self, statements: &'text [Stmt<'text>]) -> Written {
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

    pub(super) fn variable(&self, name: &str) -> Abstract {
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned().unwrap_or_default();
        if found.item && self.assumed.contains(&name) { Abstract::default() } else { found }
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
