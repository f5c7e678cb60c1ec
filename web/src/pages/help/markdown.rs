//! Renders documents of the guide. Pictures are left out, and HTML is shown as text.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// What the IDs of headings begin with, so that they differ from the other IDs of a page.
pub(super) const PART: &str = "part-";

/// The path that the target of a link leads to.
type Link<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The markup of a document without its title. A link for which `link` has no path is shown as text.
pub(super) fn rendered(text: &str, link: Link<'_>) -> Markup {
    let mut parser = Parser::new_ext(text, Options::ENABLE_TABLES);
    let (mut shown, mut links, mut is_head) = (vec![], vec![], false);
    while let Some(event) = parser.next() {
        match event {
            Event::Start(Tag::Image { .. }) => skip(&mut parser, TagEnd::Image),
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => skip(&mut parser, TagEnd::Heading(HeadingLevel::H1)),
            Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
                let end = Event::End(TagEnd::Heading(level));
                let words: Vec<Event<'_>> = parser.by_ref().take_while(|event| *event != end).collect();
                let id = Some(CowStr::from(format!("{PART}{}", slug(&words))));
                shown.push(Event::Start(Tag::Heading { level, id, classes, attrs }));
                shown.extend(words);
                shown.push(end);
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let target = link(&dest_url);
                links.push(target.is_some());
                shown.extend(target.map(|path| Event::Start(Tag::Link { link_type, dest_url: path.into(), title, id })));
            }
            Event::End(TagEnd::Link) => shown.extend(links.pop().filter(|is_shown| *is_shown).map(|_| event)),
            // A picture alone leaves a paragraph without text.
            Event::End(TagEnd::Paragraph) if shown.last() == Some(&Event::Start(Tag::Paragraph)) => drop(shown.pop()),
            Event::SoftBreak => shown.push(Event::Text(" ".into())),
            Event::Html(text) | Event::InlineHtml(text) => shown.push(Event::Text(text)),
            // What may be wider than the page scrolls, also with the keyboard.
            Event::Start(Tag::CodeBlock(_)) => shown.push(element("<pre tabindex=\"0\">")),
            Event::End(TagEnd::CodeBlock) => shown.push(element("</pre>")),
            Event::Start(Tag::Table(_)) => shown.push(element("<div class=\"scroll\" tabindex=\"0\"><table>")),
            Event::End(TagEnd::Table) => shown.push(element("</tbody></table></div>")),
            Event::Start(Tag::TableHead) => {
                is_head = true;
                shown.push(element("<thead><tr>"));
            }
            Event::End(TagEnd::TableHead) => {
                is_head = false;
                shown.push(element("</tr></thead><tbody>"));
            }
            Event::Start(Tag::TableRow) => shown.push(element("<tr>")),
            Event::End(TagEnd::TableRow) => shown.push(element("</tr>")),
            Event::Start(Tag::TableCell) => shown.push(element(if is_head { HEADER } else { "<td>" })),
            // A header without text would be read out as an empty one.
            Event::End(TagEnd::TableCell) if is_head && shown.last() == Some(&element(HEADER)) => {
                shown.pop();
                shown.push(element("<td></td>"));
            }
            Event::End(TagEnd::TableCell) => shown.push(element(if is_head { "</th>" } else { "</td>" })),
            event => shown.push(event),
        }
    }
    let mut markup = String::new();
    html::push_html(&mut markup, shown.into_iter());
    PreEscaped(markup)
}

/// The beginning of a cell in a table's head.
const HEADER: &str = "<th scope=\"col\">";

fn element(tag: &'static str) -> Event<'static> {
    Event::Html(tag.into())
}

/// Leaves out everything up to this end.
fn skip(parser: &mut Parser<'_>, end: TagEnd) {
    let end = Event::End(end);
    parser.take_while(|event| *event != end).for_each(drop);
}

/// The name of a part in links, as GitHub makes it from the heading.
fn slug(words: &[Event<'_>]) -> String {
    let texts = words.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.to_lowercase()),
        _ => None,
    });
    let letter = |c: char| match c {
        ' ' => Some('-'),
        c => (c.is_alphanumeric() || c == '-' || c == '_').then_some(c),
    };
    texts.collect::<String>().chars().filter_map(letter).collect()
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
        assert_eq!(texts(&html, "ul > li")[0].trim(), "one, more");
        assert_eq!(texts(&html, "li pre")[0].trim(), "a <b>\n  c");
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
        let html = shown("## Who's *it*, and 2 more?\n![A picture](x.png)\n\n    indented\n    code");
        assert_eq!(attributes(&html, "h2", "id"), ["part-whos-it-and-2-more"]);
        assert!(attributes(&html, "img", "src").is_empty());
        assert_eq!(texts(&html, "pre")[0].trim(), "indented\ncode");
    }
}
