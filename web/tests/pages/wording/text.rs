//! The visible text of a page, a line for each block, without data that differs between two runs.
//!
//! Tables and lists are reduced to their first entries, and files to their first line: a snapshot is for the review of words.

use super::placeholders::placeholders;
use scraper::{ElementRef, Html, Selector};

/// Elements whose text belongs to the line around them. Every other element begins a line.
const INLINE: [&str; 11] = ["a", "abbr", "b", "code", "em", "i", "kbd", "small", "span", "strong", "u"];
/// Classes of inline elements that are shown on a line of their own.
const OWN_LINE: [&str; 3] = ["hint", "reason", "error"];
/// How many rows of a table, entries of a list and options of a choice are kept.
const ROWS: usize = 2;
const ENTRIES: usize = 12;
const OPTIONS: usize = 8;

/// The title and the content of a page.
pub(super) fn of_page(html: &str) -> String {
    let document = parsed(html);
    let mut lines = Lines::default();
    if let Some(title) = first(&document, "title") {
        lines.text("title: ");
        lines.children(title);
        lines.end();
    }
    if let Some(main) = first(&document, "main") {
        lines.children(main);
    }
    lines.finished()
}

/// What surrounds the content of every page: the navigation, the head and the foot.
pub(super) fn of_layout(html: &str) -> String {
    let document = parsed(html);
    let mut lines = Lines { without_main: true, ..Lines::default() };
    if let Some(body) = first(&document, "body") {
        lines.children(body);
    }
    lines.finished()
}

/// The path that the page's first form is sent to.
pub(super) fn form_action(html: &str) -> Option<String> {
    first(&parsed(html), "main form.form[method=post]")?.attr("action").map(str::to_owned)
}

/// The document, with the texts that are shown without scripts: the parser would treat their markup as text.
fn parsed(html: &str) -> Html {
    Html::parse_document(&html.replace("<noscript>", "<div>").replace("</noscript>", "</div>"))
}

fn first<'a>(document: &'a Html, selector: &str) -> Option<ElementRef<'a>> {
    document.select(&Selector::parse(selector).expect("a selector")).next()
}

fn has_class(element: ElementRef<'_>, class: &str) -> bool {
    element.value().classes().any(|known| known == class)
}

/// The lines of a text so far.
#[derive(Default)]
struct Lines {
    ended: Vec<String>,
    line: String,
    /// What the next line begins with, such as `- `.
    prefix: &'static str,
    /// Whether an element began or ended after the last character. Words of two elements are separate words.
    edge: bool,
    without_main: bool,
}

impl Lines {
    fn finished(mut self) -> String {
        self.end();
        self.ended.join("\n")
    }

    /// Ends the line.
    fn end(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        if !line.is_empty() {
            self.ended.push(format!("{}{}", std::mem::take(&mut self.prefix), placeholders(line)));
        }
    }

    /// Adds a text to the line. White space counts as one space, as in a browser.
    fn text(&mut self, text: &str) {
        for char in text.chars() {
            if char.is_whitespace() {
                self.gap();
                continue;
            }
            if self.edge && char.is_alphanumeric() && self.line.ends_with(char::is_alphanumeric) {
                self.line.push(' ');
            }
            self.edge = false;
            self.line.push(char);
        }
    }

    fn gap(&mut self) {
        if !self.line.is_empty() && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
    }

    fn word(&mut self, text: &str) {
        self.edge = true;
        self.text(text);
        self.edge = true;
    }

    /// Adds a part that is separate from the words around it.
    fn apart(&mut self, text: &str) {
        self.gap();
        self.text(text);
        self.gap();
    }

    fn children(&mut self, element: ElementRef<'_>) {
        self.edge = true;
        for child in element.children() {
            if let Some(text) = child.value().as_text() {
                self.text(text);
            } else if let Some(element) = ElementRef::wrap(child) {
                self.element(element);
            }
        }
        self.edge = true;
    }

    fn element(&mut self, element: ElementRef<'_>) {
        match element.value().name() {
            "script" | "style" | "template" => {}
            "main" if self.without_main => {
                self.end();
                self.apart("(content)");
                self.end();
            }
            "br" => self.end(),
            "time" => self.word(if has_class(element, "moment") { "TIME" } else { "DURATION" }),
            "input" if element.attr("type") == Some("hidden") => {}
            "svg" | "progress" | "meter" | "input" | "textarea" => self.described(element),
            "select" => self.choice(element),
            "button" => self.bracketed(element),
            "a" if has_class(element, "button") => self.bracketed(element),
            "pre" => self.file(element),
            "table" => self.table(element),
            "ul" | "ol" => self.list(element),
            "h1" => self.block(element, "# "),
            "h2" => self.block(element, "## "),
            "h3" | "h4" => self.block(element, "### "),
            "li" => self.block(element, "- "),
            "summary" => self.block(element, "> "),
            "dt" => {
                self.end();
                self.children(element);
                self.text(":");
                self.gap();
            }
            "dd" => {
                self.children(element);
                self.end();
            }
            name if INLINE.contains(&name) && !OWN_LINE.iter().any(|class| has_class(element, class)) => {
                self.children(element);
                self.described(element);
            }
            _ => self.block(element, ""),
        }
    }

    fn block(&mut self, element: ElementRef<'_>, prefix: &'static str) {
        self.end();
        self.described(element);
        self.end();
        if !prefix.is_empty() {
            self.prefix = prefix;
        }
        self.children(element);
        self.end();
        if !prefix.is_empty() {
            self.prefix = "";
        }
    }

    /// The texts of an element that a pointer or a screen reader finds.
    fn described(&mut self, element: ElementRef<'_>) {
        for name in ["aria-label", "placeholder", "title"] {
            if let Some(text) = element.attr(name).filter(|text| !text.trim().is_empty()) {
                self.apart(&format!("({name}: {text})"));
            }
        }
        self.edge = true;
    }

    fn bracketed(&mut self, element: ElementRef<'_>) {
        self.gap();
        self.text("[");
        self.children(element);
        self.text("]");
        self.gap();
        self.described(element);
    }

    fn choice(&mut self, element: ElementRef<'_>) {
        self.described(element);
        let options = element.select(&Selector::parse("option").expect("a selector")).map(own_text).collect::<Vec<_>>();
        let more = if options.len() > OPTIONS { ", …" } else { "" };
        self.apart(&format!("[choice: {}{more}]", options[..options.len().min(OPTIONS)].join(", ")));
    }

    fn file(&mut self, element: ElementRef<'_>) {
        self.end();
        self.described(element);
        self.end();
        let text: String = element.text().collect();
        let mut lines = text.trim().lines();
        if let Some(line) = lines.next() {
            self.prefix = "    ";
            self.text(line);
            if lines.next().is_some() {
                self.apart("…");
            }
            self.end();
        }
        self.prefix = "";
    }

    fn list(&mut self, element: ElementRef<'_>) {
        self.end();
        self.described(element);
        self.end();
        let entries: Vec<ElementRef<'_>> = element.child_elements().collect();
        for entry in entries.iter().take(ENTRIES) {
            self.element(*entry);
        }
        if entries.len() > ENTRIES {
            self.text("- …");
            self.end();
        }
    }

    fn table(&mut self, element: ElementRef<'_>) {
        self.end();
        self.described(element);
        self.end();
        for part in element.child_elements() {
            let rows: Vec<ElementRef<'_>> = part.child_elements().filter(|row| row.value().name() == "tr").collect();
            match part.value().name() {
                "caption" => self.block(part, "caption: "),
                "tbody" => {
                    rows.iter().take(ROWS).for_each(|row| self.row(*row));
                    if rows.len() > ROWS {
                        self.text("| …");
                        self.end();
                    }
                }
                _ => rows.iter().for_each(|row| self.row(*row)),
            }
        }
    }

    /// A row: the cells in one line, and within a cell the lines of its blocks.
    fn row(&mut self, row: ElementRef<'_>) {
        let cells = row.child_elements().map(|cell| {
            let mut lines = Lines::default();
            lines.children(cell);
            lines.end();
            lines.ended.join(" / ")
        });
        let cells = cells.collect::<Vec<_>>().join(" | ");
        self.ended.push(format!("| {cells} |"));
    }
}

fn own_text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_text_of_a_page_has_a_line_for_each_block_and_no_varying_data() {
    let page = "<title>Device – Bootledger</title><main><div><h1>h200</h1><a class=button href=/x>Edit</a></div>
        <p>Waiting  for <time data-since>5 s</time>, <b>twice</b>.</p><dl><dt>Site</dt><dd>dc1</dd></dl>
        <span>took 5 s</span><small>limit 30 min</small><input type=hidden value=x><input aria-label=Address>
        <table><thead><tr><th>Name<th>Id</thead><tr><td>a<td>01920000-0000-7000-8000-000000000001<tr><td>b<td>abcdef0123<tr><td>c</table>
        <noscript><p>No script</p></noscript><ul><li><p>one</p></ul><pre>#!ipxe\necho 2</pre></main>";
    let expected = "title: Device – Bootledger\n# h200\n[Edit]\nWaiting for DURATION, twice.\nSite: dc1\n\
        took 5 s limit 30 min (aria-label: Address)\n| Name | Id |\n| a | ID |\n| b | HASH |\n| …\nNo script\n- one\n    #!ipxe …";
    assert_eq!(of_page(page), expected);
    assert_eq!(of_layout("<body><nav>Menu</nav><main>x</main></body>"), "Menu\n(content)");
}
