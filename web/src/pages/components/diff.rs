//! The difference between two texts, by lines: what was removed and added, marked by element and by sign, with the lines around.

use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};
use std::time::Duration;

/// How many unchanged lines are shown before and after a change.
const AROUND: usize = 3;
/// How long the search for the smallest difference may take. After that, a larger one is shown.
const LONGEST: Duration = Duration::from_millis(50);

/// The difference; a sentence if the texts are equal. `name` names the text, for screen readers.
pub(crate) fn lines(name: &str, before: &str, after: &str) -> Markup {
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(before, after);
    let groups = diff.grouped_ops(AROUND);
    html! {
        @if groups.is_empty() {
            p.quiet { "The texts are the same." }
        } @else {
            pre.diff tabindex="0" role="region" aria-label=(format!("Changes of {name}")) {
                @for group in &groups {
                    @if let Some(first) = group.first() { span.place { "@@ line " (first.new_range().start + 1) " @@" } "\n" }
                    @for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                        @let text = change.value().trim_end_matches(['\n', '\r']);
                        @match change.tag() {
                            ChangeTag::Equal => span { "  " (text) },
                            ChangeTag::Delete => del { "- " (text) },
                            ChangeTag::Insert => ins { "+ " (text) },
                        }
                        "\n"
                    }
                }
            }
        }
    }
}

/// How many lines were added and removed.
pub(crate) fn counts(before: &str, after: &str) -> (usize, usize) {
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(before, after);
    let count = |tag: ChangeTag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;

    #[test]
    fn changed_lines_have_signs_and_elements_and_distant_lines_are_left_out() {
        let before = (1..=30).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
        let after = before.replace("line 15\n", "line <15>\nmore\n");
        let html = lines("boot.ipxe", &before, &after);
        assert_eq!(texts(&html, "del"), ["- line 15"]);
        assert_eq!(texts(&html, "ins"), ["+ line <15>", "+ more"]);
        assert_eq!(texts(&html, "pre > span:not(.place)").len(), 2 * AROUND);
        assert_eq!(texts(&html, ".place"), ["@@ line 12 @@"]);
        assert_eq!(counts(&before, &after), (2, 1));
        assert_eq!(texts(&lines("a", "x\n", "x\n"), "pre").len(), 0);
    }
}
