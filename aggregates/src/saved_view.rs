//! A saved view of a list: filters, order, columns and page size under a name. Its owner is the user or token that saved it, and
//! a shared view is offered to everyone. The key is an id, so that a view keeps its history when it gets another name.
//!
//! `(none) ─SaveView─► saved ─DeleteView─► deleted`, and while it is saved `─SaveView─►` replaces it.

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::ops::Not;
use utoipa::ToSchema;

/// The most views of one owner.
pub const MOST: usize = 200;
/// The longest query, in bytes.
pub const QUERY_LENGTH: usize = 2_000;

/// A saved view of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedViewSpec {
    /// The list, such as `devices`.
    pub list: Name,
    /// The name in the menu of the list. An owner has no other view of the list with this name.
    pub name: Text,
    /// The query of the list's URL, such as `status=open&sort=since`. A later version of the program may know other
    /// parameters; those that it does not know are left out when the view is opened.
    pub query: String,
    /// Whether the view is offered to everyone.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub shared: bool,
    /// Whether the list has the view's columns, order and page size whenever its owner opens it.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub usual: bool,
}

/// A command on a saved view.
#[derive(Clone, Debug)]
pub enum SavedViewCommand {
    /// Saves the view, or replaces it.
    SaveView {
        /// Who saves the view, such as `user ada`.
        by: Text,
        /// The new view.
        spec: Box<SavedViewSpec>,
        /// Whether the owner has another view of the list with this name.
        name_taken: bool,
        /// How many other views the owner has.
        others: usize,
    },
    /// Deletes the view.
    DeleteView {
        /// Who deletes the view.
        by: Text,
    },
}

/// An event of a saved view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SavedViewEvent {
    /// The view was saved, or replaced.
    ViewSaved {
        /// The owner, such as `user ada`.
        owner: Text,
        /// The view.
        spec: Box<SavedViewSpec>,
    },
    /// The view was deleted.
    ViewDeleted {},
}

/// The state of a saved view, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SavedView {
    saved: Option<(Text, Box<SavedViewSpec>)>,
}

impl SavedView {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: SavedViewCommand) -> Result<Vec<SavedViewEvent>, Refused> {
        match (command, &self.saved) {
            (SavedViewCommand::SaveView { by, .. } | SavedViewCommand::DeleteView { by }, Some((owner, _))) if by != *owner => {
                let message = format!("this view belongs to {owner}; save a view of your own");
                Err(Refused::because("", Rule::SavedViewForeign, message))
            }
            (SavedViewCommand::SaveView { spec, .. }, Some((_, known))) if spec == *known => Ok(vec![]),
            (SavedViewCommand::SaveView { by, spec, name_taken, others }, _) => {
                Refused::unless_empty(broken(&spec, name_taken, others))?;
                Ok(vec![SavedViewEvent::ViewSaved { owner: by, spec }])
            }
            (SavedViewCommand::DeleteView { .. }, saved) => Ok(saved.iter().map(|_| SavedViewEvent::ViewDeleted {}).collect()),
        }
    }

    fn evolve(&mut self, event: SavedViewEvent) {
        self.saved = match event {
            SavedViewEvent::ViewSaved { owner, spec } => Some((owner, spec)),
            SavedViewEvent::ViewDeleted {} => None,
        };
    }
}

fn broken(spec: &SavedViewSpec, name_taken: bool, others: usize) -> Vec<BrokenRule> {
    let mut broken = vec![];
    if spec.name.is_empty() {
        broken.push(BrokenRule::new("name", Rule::Missing, "enter a name for the view"));
    }
    if name_taken {
        let message = format!("you have another view named {}; choose another name", spec.name);
        broken.push(BrokenRule::new("name", Rule::NameTaken, message));
    }
    if spec.query.len() > QUERY_LENGTH || !spec.query.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message =
            format!("the query of a view has at most {QUERY_LENGTH} characters, encoded as in a URL; use fewer filters");
        broken.push(BrokenRule::new("query", Rule::TooLarge, message));
    }
    if others >= MOST {
        let message = format!("you have {others} views, the most that one user may have; delete one first");
        broken.push(BrokenRule::new("", Rule::TooMany, message));
    }
    broken
}

aggregate!(SavedView, "saved_view", SavedViewCommand, SavedViewEvent);
domain_event!(SavedViewEvent { ViewSaved, ViewDeleted });
