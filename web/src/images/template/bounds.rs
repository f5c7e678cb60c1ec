//! The bounds of a template, checked before the engine reads it.
//!
//! The engine's parser and compiler recurse for everything that is nested or chained, and a stack overflow ends the whole
//! process. The bounds are far below what overflows, on [`super::deep`]'s threads by more than ten times, and far above what
//! the recipes of the library need. They are documented in `docs/settings.md`.

use super::error::TemplateError;
use super::growth::Growth;
use super::scan::{Tag, Tags, Token, line_at};
use std::collections::BTreeSet;

/// The maximum number of tags.
pub(super) const MAX_TAGS: usize = 5_000;

/// The maximum number of names, texts, numbers and signs in one tag.
pub(super) const MAX_TOKENS: usize = 1_000;

/// The maximum number of operators, filters, tests, attributes, subscripts, calls and conditions in one tag.
pub(super) const MAX_OPERATIONS: usize = 200;

/// The maximum number of open brackets.
pub(super) const MAX_BRACKETS: usize = 10;

/// The maximum number of open blocks. Every `elif` of an open `if` counts as one, because the engine nests them.
pub(super) const MAX_NESTING: usize = 100;

/// Words that are operators.
pub(super) const OPERATORS: [&str; 7] = ["and", "or", "not", "if", "else", "is", "in"];

/// The variables that contain the deployment's token.
const TOKEN_VARIABLES: [&str; 8] =
    ["token", "files_url", "done_url", "progress_url", "log_url", "kernel_url", "initrd_url", "kickstart_url"];

/// Filters that write a text whole, so that a token in it remains recognisable.
const WHOLE: [&str; 4] = ["shell", "json", "xml", "trim"];

/// The properties of a template that are known without the engine.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// Whether the output may contain the token in another form than its own, such as in capitals or a part of it.
    pub(super) changes_token: bool,
    /// Whether the template has neither loops nor variables of its own, so that rendering costs no more than parsing.
    pub(super) plain: bool,
    /// The settings that the template multiplies, which therefore must not be lists.
    pub(super) numbers: BTreeSet<String>,
    /// The largest numbers of blocks, operations and brackets in the template.
    #[cfg(test)]
    pub(super) most: [usize; 3],
}

/// Measures a template.
///
/// # Errors
/// Returns the first bound that the template exceeds, with the line.
pub(super) fn measure(text: &str) -> Result<Outline, TemplateError> {
    let mut outline = Outline { plain: true, ..Outline::default() };
    let mut blocks = Blocks::default();
    let mut growth = Growth::default();
    for (tag, number) in Tags::new(text, MAX_TOKENS).zip(1_usize..) {
        let tag = tag?;
        let at = |message: String| TemplateError { line: line_at(text, tag.at), message };
        if number > MAX_TAGS {
            return Err(at(format!("a template has at most {MAX_TAGS} tags; write a part of it as another file")));
        }
        let [operations, brackets] = measure_tag(&tag).map_err(at)?;
        if !tag.whole || !blocks.next(&tag).map_err(at)? {
            break;
        }
        growth.next(&tag).map_err(at)?;
        outline.plain &= !works(&tag);
        // The content of a set or filter block becomes a value, and can be changed under another name.
        outline.changes_token |= changes_token(&tag) || (blocks.captures() && tag.tokens.iter().any(holds_token));
        #[cfg(test)]
        {
            let most = [blocks.depth, operations, brackets];
            outline.most = std::array::from_fn(|index| outline.most[index].max(most[index]));
        }
        #[cfg(not(test))]
        let _ = (operations, brackets);
    }
    outline.numbers = growth.numbers();
    Ok(outline)
}

/// The numbers of operations and of open brackets in a tag.
fn measure_tag(tag: &Tag<'_>) -> Result<[usize; 2], String> {
    if tag.tokens.len() > MAX_TOKENS {
        return Err(format!("a tag has at most {MAX_TOKENS} names, texts, numbers and signs; split it with {{% set %}}"));
    }
    let (mut operations, mut open, mut brackets) = (0, 0_usize, 0);
    for token in &tag.tokens {
        match token {
            Token::Open(_) => {
                open += 1;
                brackets = brackets.max(open);
                operations += 1;
            }
            Token::Close => open = open.saturating_sub(1),
            Token::Sign(sign) if !matches!(*sign, "," | ":" | "=") => operations += 1,
            Token::Name(name) if OPERATORS.contains(name) => operations += 1,
            _ => {}
        }
    }
    if operations > MAX_OPERATIONS {
        return Err(format!(
            "a tag has at most {MAX_OPERATIONS} operators, filters, attributes, subscripts and calls, and this one has \
             {operations}; split it with {{% set %}}"
        ));
    }
    if brackets > MAX_BRACKETS {
        return Err(format!(
            "at most {MAX_BRACKETS} brackets can be open at once, and this tag opens {brackets}; split the tag with {{% set %}}"
        ));
    }
    Ok([operations, brackets])
}

/// The open blocks.
#[derive(Default)]
struct Blocks<'text> {
    /// The keyword of each open block, and the number of its `elif`.
    open: Vec<(&'text str, usize)>,
    depth: usize,
}

impl<'text> Blocks<'text> {
    /// Whether the output at this point becomes a value.
    fn captures(&self) -> bool {
        self.open.iter().any(|(keyword, _)| matches!(*keyword, "set" | "filter"))
    }

    /// Processes the next tag. Returns whether the engine continues after it.
    fn next(&mut self, tag: &Tag<'text>) -> Result<bool, String> {
        if !tag.block {
            return Ok(true);
        }
        let Some(&Token::Name(keyword)) = tag.tokens.first() else { return Ok(false) };
        match keyword {
            "for" if tag.tokens.contains(&Token::Name("recursive")) => {
                return Err("templates have no recursive loops; write a loop inside the loop".to_owned());
            }
            "set" if tag.tokens.contains(&Token::Sign("=")) => {}
            "for" | "if" | "with" | "filter" | "autoescape" | "set" => {
                self.open.push((keyword, 0));
                self.depth += 1;
            }
            "elif" => match self.open.last_mut() {
                Some(("if", more)) => {
                    *more += 1;
                    self.depth += 1;
                }
                _ => return Ok(false),
            },
            "else" | "do" => {}
            _ => match keyword.strip_prefix("end") {
                Some(ended) if self.open.last().is_some_and(|(keyword, _)| *keyword == ended) => {
                    let (_, more) = self.open.pop().unwrap_or_default();
                    self.depth -= 1 + more;
                }
                Some(_) => return Ok(false),
                None => {
                    return Err(format!("templates have no {{% {keyword} %}}; they have for, if, set, with, filter and raw"));
                }
            },
        }
        if self.depth > MAX_NESTING {
            return Err(format!(
                "blocks can be nested at most {MAX_NESTING} levels deep, and every elif counts as a level; close some before this \
                 one"
            ));
        }
        Ok(true)
    }
}

/// Whether a tag makes the engine do more work than its length suggests: by repetition, or with values that grow.
fn works(tag: &Tag<'_>) -> bool {
    let keyword = tag.tokens.first().filter(|_| tag.block);
    matches!(keyword, Some(Token::Name("for" | "set" | "with" | "filter" | "do"))) || tag.tokens.contains(&Token::Sign("*"))
}

fn holds_token(token: &Token<'_>) -> bool {
    matches!(token, Token::Name(name) if TOKEN_VARIABLES.contains(name))
}

/// Whether a tag does anything with a variable that contains the token, other than writing it whole or testing whether
/// it is empty.
fn changes_token(tag: &Tag<'_>) -> bool {
    if !tag.tokens.iter().any(holds_token) {
        return false;
    }
    match (tag.block, tag.tokens.as_slice()) {
        (true, [Token::Name("if" | "elif"), _] | [Token::Name("if" | "elif"), Token::Name("not"), _]) | (false, [_]) => false,
        (false, [variable, Token::Sign("|"), Token::Name(filter)]) => !(holds_token(variable) && WHOLE.contains(filter)),
        _ => true,
    }
}
