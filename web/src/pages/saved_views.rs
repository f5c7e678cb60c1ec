//! Saves, shares and deletes views of lists. Every visitor has views of their own; the menus are in `list::views`.

use super::form::{Fields, done};
use super::layout::{Page, PageContext, Section};
use super::list::views::{Draft, LISTS, form, query_of};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::{block, field};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::saved_view::SavedViewSpec;
use bootledger_aggregates::values::ids::SavedViewId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, SavedViewAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{Entry, SavedViewView, saved_views_of};
use maud::html;
use uuid::Uuid;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/views").post(save))
        .service(resource("/views/{id}/share").post(share))
        .service(resource("/views/{id}/delete").post(delete));
}

/// The visitor's own views.
async fn own(page_context: &PageContext, backend: &mut Backend) -> Result<Vec<Entry<SavedViewView, SavedViewId>>, Error> {
    let me = Text::fitted(&page_context.caller.principal.actor());
    let mut snapshot = backend.read().await?;
    Ok(saved_views_of(snapshot.connection(), &me, At::Now).await?)
}

/// Saves a view, or replaces the visitor's view of the same name. If it is the usual one, the others no longer are.
async fn save(page_context: PageContext, mut backend: Backend, mut fields: Fields) -> Result<HttpResponse, Error> {
    let Some(list) = LISTS.iter().find(|list| **list == fields.text("list")) else {
        return Err(Error::rejected("list", Rule::Malformed, format!("views exist for the lists {}", LISTS.join(", "))));
    };
    let query = query_of(form_urlencoded::parse(fields.text("query").as_bytes()).into_owned());
    let draft = Draft { name: fields.text("name").to_owned(), shared: fields.ticked("shared"), usual: fields.ticked("usual") };
    let list_name = list.parse::<Name>().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
    if let Some(name) = fields.required::<Text>("name", "The name") {
        let own = own(&page_context, &mut backend).await?;
        let of_list: Vec<_> = own.iter().filter(|entry| entry.spec.spec.list.as_str() == *list).collect();
        let known = of_list.iter().find(|entry| entry.spec.spec.name == name);
        let view = known.map_or_else(|| SavedViewId(Uuid::now_v7()), |entry| entry.key);
        let spec = SavedViewSpec { list: list_name, name, query: query.clone(), shared: draft.shared, usual: draft.usual };
        let command = Command::SavedView(SavedViewAction::SaveView { view, spec: Box::new(spec) });
        match backend.execute(command, fields.context(&page_context.caller)).await {
            Ok(receipt) => {
                let mut newest = receipt;
                for earlier in of_list.iter().filter(|entry| draft.usual && entry.spec.spec.usual && entry.key != view) {
                    let unusual = Box::new(SavedViewSpec { usual: false, ..earlier.spec.spec.clone() });
                    let command = Command::SavedView(SavedViewAction::SaveView { view: earlier.key, spec: unusual });
                    newest = backend.execute(command, page_context.caller.context()).await?;
                }
                let path = if query.is_empty() { format!("/{list}") } else { format!("/{list}?{query}") };
                return Ok(done(&mut backend, &newest, &path).await);
            }
            Err(error) => fields.refused(error)?,
        }
    }
    let snapshot = backend.read().await?;
    let position = snapshot.position;
    drop(snapshot);
    let path = format!("/{list}?{query}");
    let content = html! {
        (block::heading(&[("List", path.as_str())], &html! { "Save a view" }, &html! {}))
        (field::summary(fields.broken(), &["name"]))
        div.card.form { (form(list, &query, &draft, fields.broken())) }
    };
    Ok(page_context.refused(position, Page::new("Save a view", Section::Settings, content)))
}

/// Offers a view to everyone, or no longer.
async fn share(
    page_context: PageContext,
    Path(view): Path<SavedViewId>,
    mut backend: Backend,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let own = own(&page_context, &mut backend).await?;
    let Some(entry) = own.into_iter().find(|entry| entry.key == view) else {
        return Err(Error::NotFound(format!(
            "you have no saved view {view}; the menu Views of a list shows those that you have"
        )));
    };
    let path = format!("/{}", entry.spec.spec.list);
    let spec = Box::new(SavedViewSpec { shared: fields.ticked("shared"), ..entry.spec.spec });
    let command = Command::SavedView(SavedViewAction::SaveView { view, spec });
    let receipt = backend.execute(command, fields.context(&page_context.caller)).await?;
    Ok(done(&mut backend, &receipt, &path).await)
}

/// Deletes a view. One that is deleted already stays so.
async fn delete(
    page_context: PageContext,
    Path(view): Path<SavedViewId>,
    mut backend: Backend,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let list = LISTS.iter().find(|list| **list == fields.text("list")).copied().unwrap_or("devices");
    let command = Command::SavedView(SavedViewAction::DeleteView(view));
    let receipt = backend.execute(command, fields.context(&page_context.caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/{list}")).await)
}
