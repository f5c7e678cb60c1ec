//! Renders documents: the part of Markdown that the guide uses. These are headings, paragraphs, lists, tables, examples, links, code
//! and emphasis. Pictures are left out, and everything else is shown as text.

use maud::{Markup, html};

/// What the IDs of headings begin with, so that they differ from the other IDs of a page.
pub(super) const PART: &str = "part-";

/// The path that the target of a link leads to.
type Link<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The markup of a document without its title. A link for which `link` has no path is shown as text.
pub(super) fn rendered(text: &str, link: Link<'_>) -> Markup {
    blocks(&text.lines().collect::<Vec<_>>(), link)
}

fn blocks(mut lines: &[&str], link: Link<'_>) -> Markup {
    let mut parts = vec![];
    while !lines.is_empty() {
        let (part, taken) = block(lines, link);
        parts.push(part);
        lines = lines.get(taken..).unwrap_or_default();
    }
    html! { @for part in &parts { (part) } }
}

/// The block that these lines begin with, and how many lines it has: at least one.
fn block(lines: &[&str], link: Link<'_>) -> (Markup, usize) {
    let Some((first, after)) = lines.split_first() else { return (html! {}, 1) };
    if first.trim().is_empty() || first.starts_with("![") {
        return (html! {}, 1);
    }
    if first.starts_with("```") {
        let code: Vec<&str> = after.iter().copied().take_while(|line| !line.starts_with("```")).collect();
        return (example(&code), code.len() + 2);
    }
    if first.starts_with("    ") {
        let code: Vec<&str> = lines.iter().map_while(|line| line.strip_prefix("    ")).collect();
        return (example(&code), code.len());
    }
    if level(first) > 0 {
        return (heading(first, link), 1);
    }
    if first.starts_with('|') {
        let rows: Vec<&str> = lines.iter().copied().take_while(|line| line.starts_with('|')).collect();
        return (table(&rows, link), rows.len());
    }
    if marker(first).is_some() {
        return list(lines, link);
    }
    let more = after.iter().take_while(|line| !ends_paragraph(line)).count();
    let text = joined(lines.get(..=more).unwrap_or_default());
    (html! { p { (inline(&text, link)) } }, 1 + more)
}

/// Lines as one text.
fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The level of a heading; 0 for any other line.
fn level(line: &str) -> usize {
    let level = line.chars().take_while(|c| *c == '#').count();
    if line.get(level..).is_some_and(|rest| rest.starts_with(' ')) { level } else { 0 }
}

/// The width of the mark of a list's item, such as `- ` or `12. `.
fn marker(line: &str) -> Option<usize> {
    if line.starts_with("- ") {
        return Some(2);
    }
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    let is_number = digits > 0 && line.get(digits..).is_some_and(|rest| rest.starts_with(". "));
    is_number.then_some(digits + 2)
}

/// Whether a paragraph ends before this line. A number other than 1 may be the first word of a line.
fn ends_paragraph(line: &str) -> bool {
    line.trim().is_empty() || level(line) > 0 || ["```", "|", "![", "- ", "1. "].iter().any(|begin| line.starts_with(begin))
}

fn example(lines: &[&str]) -> Markup {
    // A browser drops a line break that directly follows the tag.
    html! { pre tabindex="0" { "\n" (lines.join("\n")) } }
}

/// A heading, with the ID that links name. The page shows the title.
fn heading(line: &str, link: Link<'_>) -> Markup {
    let level = level(line);
    let words = line.trim_start_matches('#').trim();
    let id = format!("{PART}{}", slug(words));
    html! {
        @match level {
            1 => {}
            2 => { h2 id=(id) { (inline(words, link)) } }
            _ => { h3 id=(id) { (inline(words, link)) } }
        }
    }
}

/// The name of a part in links, as GitHub makes it from the heading.
fn slug(words: &str) -> String {
    let letter = |c: char| match c {
        ' ' => Some('-'),
        c => (c.is_alphanumeric() || c == '-' || c == '_').then_some(c),
    };
    words.to_lowercase().chars().filter_map(letter).collect()
}

/// The cells of a row. A vertical bar in a cell has a backslash.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    row.replace("\\|", "\0").split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// A table. Its second row is the line between head and body.
fn table(rows: &[&str], link: Link<'_>) -> Markup {
    let head = rows.first().map(|row| cells(row)).unwrap_or_default();
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        @for cell in &head {
                            @if cell.is_empty() { td {} } @else { th scope="col" { (inline(cell, link)) } }
                        }
                    }
                }
                tbody { @for row in rows.iter().skip(2) { tr { @for cell in cells(row) { td { (inline(&cell, link)) } } } } }
            }
        }
    }
}

/// The list that these lines begin with, and how many lines it has.
fn list(lines: &[&str], link: Link<'_>) -> (Markup, usize) {
    let is_bullet = |line: &str| line.starts_with("- ");
    let bullets = lines.first().is_some_and(|line| is_bullet(line));
    let (mut items, mut taken) = (vec![], 0);
    while let Some((first, after)) = lines.get(taken..).and_then(<[&str]>::split_first) {
        let Some(width) = marker(first).filter(|_| is_bullet(first) == bullets) else { break };
        let more = after.iter().take_while(|line| line.trim().is_empty() || line.starts_with("  ")).count();
        let begin = first.get(width..).unwrap_or_default();
        let indent = " ".repeat(width);
        let rest = after.iter().take(more).map(|line| line.strip_prefix(indent.as_str()).unwrap_or(line.trim_start()));
        items.push(item(&std::iter::once(begin).chain(rest).collect::<Vec<_>>(), link));
        taken += 1 + more;
    }
    let items = html! { @for item in &items { li { (item) } } };
    (html! { @if bullets { ul { (items) } } @else { ol { (items) } } }, taken.max(1))
}

/// The content of an item: a text, or several blocks.
fn item(lines: &[&str], link: Link<'_>) -> Markup {
    let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    let lines = lines.get(..end).unwrap_or_default();
    let is_text = lines.iter().skip(1).all(|line| !ends_paragraph(line));
    if is_text { inline(&joined(lines), link) } else { blocks(lines, link) }
}

/// A text with its code, links and emphasis.
fn inline(text: &str, link: Link<'_>) -> Markup {
    let mut rest = text;
    let mut parts = vec![];
    while let Some(begin) = rest.find(['`', '*', '[', '\\']) {
        let (before, marks) = rest.split_at(begin);
        let (part, length) = marked(marks, link).unwrap_or_else(|| {
            let sign = marks.get(..1).unwrap_or_default();
            (html! { (sign) }, 1)
        });
        parts.push(html! { (before) (part) });
        rest = marks.get(length..).unwrap_or_default();
    }
    html! { @for part in &parts { (part) } (rest) }
}

/// The marked part that a text begins with, and its length; `None` if the first sign marks nothing.
fn marked(text: &str, link: Link<'_>) -> Option<(Markup, usize)> {
    let within = |open: &str, close: &str| {
        let inner = text.strip_prefix(open)?;
        let length = inner.find(close).filter(|length| *length > 0)?;
        Some((inner.get(..length)?, open.len() + length + close.len()))
    };
    if let Some((code, length)) = within("`", "`") {
        return Some((html! { code { (code) } }, length));
    }
    if let Some((words, length)) = within("**", "**") {
        return Some((html! { strong { (inline(words, link)) } }, length));
    }
    if let Some((words, length)) = within("*", "*").filter(|(words, _)| !words.starts_with([' ', '*'])) {
        return Some((html! { em { (inline(words, link)) } }, length));
    }
    if let Some((words, begin)) = within("[", "](").filter(|(words, _)| !words.contains(['[', ']'])) {
        let target = text.get(begin..)?;
        let end = target.find(')')?;
        let words = inline(words, link);
        let shown = html! { @match link(&target[..end]) { Some(path) => { a href=(path) { (words) } } None => (words) } };
        return Some((shown, begin + end + 1));
    }
    let sign = text.strip_prefix('\\')?.chars().next().filter(char::is_ascii_punctuation)?;
    Some((html! { (sign) }, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    fn shown(text: &str) -> Markup {
        rendered(text, &|target| (target != "nowhere.md").then(|| format!("/help/{target}")))
    }

    #[test]
    fn texts_are_escaped_and_marks_become_elements() {
        let html =
            shown("# Title\n\nA `<b>` and **bold `x`** and *Open*, 3 * 4, a [link](x) and [text](nowhere.md),\n\\*not\\* [a] b.");
        assert_eq!(texts(&html, "code"), ["<b>", "x"]);
        assert_eq!(texts(&html, "strong"), ["bold x"]);
        assert_eq!(texts(&html, "em"), ["Open"]);
        assert_eq!(attributes(&html, "a", "href"), ["/help/x"]);
        assert_eq!(texts(&html, "p"), ["A <b> and bold x and Open, 3 * 4, a link and text, *not* [a] b."]);
        assert!(texts(&html, "h1").is_empty(), "the page shows the title");
    }

    #[test]
    fn a_list_contains_examples_and_other_lists() {
        let html = shown(
            "- one,\n  more\n- two\n\n  ```sh\n  a <b>\n    c\n  ```\n\n  - inner\n\nAfter it.\n\n1. first\n2. second\n10. tenth",
        );
        assert_eq!(texts(&html, "ul > li").len(), 3);
        assert_eq!(texts(&html, "ul > li")[0], "one, more");
        assert_eq!(texts(&html, "li pre")[0].trim_start(), "a <b>\n  c");
        assert_eq!(texts(&html, "ul ul li"), ["inner"]);
        assert_eq!(texts(&html, "ol li"), ["first", "second", "tenth"]);
        assert_eq!(texts(&html, "p").last().map(String::as_str), Some("After it."));
    }

    #[test]
    fn a_table_has_a_head_and_its_cells_may_contain_bars() {
        let html = shown("| role | |\n|---|---|\n| `a\\|b` | c |\n\nText");
        assert_eq!(texts(&html, "th"), ["role"]);
        assert_eq!(texts(&html, "tbody td"), ["a|b", "c"]);
        assert_eq!(texts(&html, "p"), ["Text"]);
    }

    #[test]
    fn headings_have_the_ids_that_links_name_and_pictures_are_left_out() {
        let html = shown("## Who's *it*, and 2 more?\n![A picture](x.png)\n    indented\n    code");
        assert_eq!(attributes(&html, "h2", "id"), ["part-whos-it-and-2-more"]);
        assert!(attributes(&html, "img", "src").is_empty());
        assert_eq!(texts(&html, "pre")[0].trim_start(), "indented\ncode");
    }
}
