//! The search dialog. A script opens it with Ctrl-K, Cmd-K or `/`; without the script, it stays closed, and the search field of
//! the layout does the same. It follows the combobox pattern of ARIA: the focus stays in the field, and the arrow keys choose an
//! option.

use maud::{Markup, html};

/// The dialog. `/search/suggest` answers with the content of its list.
pub(super) fn dialog() -> Markup {
    html! {
        dialog.quick id="quick" aria-label="Search" {
            form method="get" action="/search" hx-get="/search/suggest" hx-trigger="input delay:150ms" hx-target="#quick-list"
                hx-select="#quick-options" hx-sync="this:replace" hx-validate="false" {
                input type="text" id="quick-q" name="q" role="combobox" aria-label="Search for anything" aria-autocomplete="list"
                    aria-haspopup="listbox" aria-expanded="false" aria-controls="quick-list" autocomplete="off" spellcheck="false" maxlength="300"
                    placeholder="Name, IP, MAC, serial, reason, event";
            }
            div id="quick-list" role="listbox" aria-label="Suggestions" {}
            p.visually-hidden id="quick-status" role="status" {}
        }
    }
}
