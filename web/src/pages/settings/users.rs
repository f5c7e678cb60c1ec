//! The page `/settings/users`: the users who may sign in, and their roles.

use super::{secret, sessions, tabs_of};
use crate::api::users::made;
use crate::application::Application;
use crate::auth::caller::Administrator;
use crate::auth::level::Level;
use crate::commands::{Command, Receipt};
use crate::error::Error;
use crate::error::problem::ProblemError;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{Allowed, Look, link, once, post};
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block::{card, empty, facts, heading, pager};
use crate::pages::kit::field::{Field, summary};
use crate::pages::kit::list::filters;
use crate::pages::kit::time::moment;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::session::Method;
use bootledger_aggregates::user::{Role, SignIn};
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::accounts::{self, LockedOut, UserView};
use bootledger_projections::catalogue::{self, Entry, Item};
use maud::{Markup, html};
use serde::Deserialize;

/// How many users a page shows.
const SHOWN: usize = 100;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/settings/users").get(index).post(create))
        .service(resource("/settings/users/new").get(new))
        .service(resource("/settings/users/{name}").get(show))
        .service(resource("/settings/users/{name}/role").post(change_role))
        .service(resource("/settings/users/{name}/password").post(reset_password))
        .service(resource("/settings/users/{name}/disable").post(disable))
        .service(resource("/settings/users/{name}/enable").post(enable))
        .service(resource("/settings/users/{name}/unlock").post(unlock));
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    q: Option<String>,
    after: Option<String>,
}

async fn index(_: Administrator, visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: Query = visit.query()?;
    let (at, limit) = (reading.at, i64::try_from(SHOWN + 1).unwrap_or(i64::MAX));
    let mut found = catalogue::list(reading.connection(), "user", at, query.after.as_deref(), limit, query.q.as_deref()).await?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let users = found.into_iter().map(Item::read_as).collect::<Result<Vec<Entry<UserView, UserName>>, _>>()?;
    let allowed = visit.may_change(&reading, Level::Administrator);
    let first = query.after.as_ref().map(|_| visit.with("", None));
    let next = users.last().filter(|_| more).map(|last| visit.with("after", Some(last.key.as_str())));
    let content = html! {
        (heading(&[], &html! { "Users" }, &link("new-user", "/settings/users/new", Look::Primary, "plus-lg", "Add a user", &allowed)))
        (tabs_of("/settings/users"))
        (filters(&visit, "/settings/users", "Name", &[], &html! {}))
        (table(&users))
        (pager(users.len(), first.as_deref(), next.as_deref()))
    };
    let page = Page { json: Some("/api/v1/users".to_owned()), ..Page::new("Users", Section::Settings, content) };
    visit.answer(reading, page).await
}

fn state(retired: bool) -> Markup {
    if retired { badge(Tone::Bad, "Disabled") } else { badge(Tone::Good, "Enabled") }
}

fn signs_in(sign_in: SignIn) -> &'static str {
    match sign_in {
        SignIn::Password { one_time: false, .. } => "with a password",
        SignIn::Password { one_time: true, .. } => "with a one-time password, to be changed at the next sign-in",
        SignIn::OpenidConnect => "through OpenID Connect",
    }
}

fn table(users: &[Entry<UserView, UserName>]) -> Markup {
    if users.is_empty() {
        return empty("No user has this name.", &html! { a href="/settings/users" { "Show all users" } });
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Users" {
            table.cards {
                thead { tr { th scope="col" { "User name" } th scope="col" { "Name" } th scope="col" { "Role" } th scope="col" { "State" } th scope="col" { "Signs in" } th scope="col" { "Since" } } }
                tbody {
                    @for user in users {
                        tr {
                            th scope="row" { a href=(format!("/settings/users/{}", user.key.in_url())) { (user.key) } }
                            td data-label="Name" { (user.spec.display_name) }
                            td data-label="Role" { (user.spec.role) }
                            td data-label="State" { (state(user.retired)) }
                            td data-label="Signs in" { (signs_in(user.spec.sign_in)) }
                            td data-label="Since" { (moment(user.spec.created_at)) }
                        }
                    }
                }
            }
        }
    }
}

fn roles() -> Vec<(String, String)> {
    let words = [
        (Role::Viewer, "Viewer: reads everything"),
        (Role::Operator, "Operator: also registers, verifies, deploys, cancels"),
        (Role::Administrator, "Administrator: also changes the catalogue, tokens and users"),
    ];
    words.into_iter().map(|(role, words)| (role.to_string(), words.to_owned())).collect()
}

async fn new(_: Administrator, visit: Visit, application: Data<Application>) -> Result<HttpResponse, Error> {
    let page = Page::new("Add a user", Section::Settings, form(&Fields::default()));
    Ok(visit.shown(*application.position.borrow(), page))
}

fn form(fields: &Fields) -> Markup {
    let errors = fields.broken();
    let field = |name, label, hint| Field { name, label, hint, value: fields.text(name), errors, ..Field::default() };
    let role = if fields.text("role").is_empty() { "viewer" } else { fields.text("role") };
    let methods =
        [("password", "With a password: a one-time password is made and shown"), ("openid_connect", "Through OpenID Connect")];
    let methods = methods.map(|(value, words)| (value.to_owned(), words.to_owned()));
    html! {
        (heading(&[("Users", "/settings/users")], &html! { "Add a user" }, &html! {}))
        (summary(errors, &["name", "display_name", "role", "sign_in"]))
        form.form method="post" action="/settings/users" {
            (Field { required: true, ..field("name", "User name", "Letters, digits, dots, hyphens; events name the actor by it.") }.text())
            (field("display_name", "Name", "What people call the user.").text())
            (Field { required: true, value: role, ..field("role", "Role", "") }.select(None, &roles()))
            (Field { required: true, ..field("sign_in", "Signs in", "") }.select(None, &methods))
            button.primary type="submit" { "Add the user" }
        }
    }
}

async fn create(caller: Administrator, visit: Visit, mut backend: Backend, mut fields: Fields) -> Result<HttpResponse, Error> {
    let name: Option<UserName> = fields.required("name", "A user name");
    let display_name: Text = fields.read("display_name").unwrap_or_default();
    let role: Option<Role> = fields.required("role", "A role");
    let method = if fields.text("sign_in") == "openid_connect" { Method::OpenidConnect } else { Method::Password };
    if let (Some(name), Some(role), []) = (name, role, fields.broken()) {
        let (password, told) = match method {
            Method::Password => {
                let (password, told) = made(None, true, &name).await?;
                (Some(password), told)
            }
            Method::OpenidConnect => (None, None),
        };
        let command = Command::CreateUser { name: name.clone(), display_name, role, password };
        match backend.execute(command, caller.context()).await {
            Ok(receipt) => match told {
                Some(password) => return Ok(tell(visit, &mut backend, &receipt, &name, "The user was added", &password).await),
                None => return Ok(done(&mut backend, &receipt, &format!("/settings/users/{}", name.in_url())).await),
            },
            Err(error) => fields.refused(error)?,
        }
    }
    let page = Page::new("Add a user", Section::Settings, form(&fields));
    Ok(visit.refused(backend.position(), page))
}

/// The page with a generated password.
async fn tell(
    visit: Visit,
    backend: &mut Backend,
    receipt: &Receipt,
    name: &UserName,
    what: &str,
    password: &str,
) -> HttpResponse {
    let advice = "Give it to the person in a way that nobody else reads. It has to be changed at the first sign-in.";
    let path = format!("/settings/users/{}", name.in_url());
    let what = html! { (what) ". The one-time password of " strong { (name) } ":" };
    let told = secret::told(backend, receipt, &what, (password, advice), ("To the user", &path)).await;
    let content = html! {
        (heading(&[("Users", "/settings/users")], &html! { "User " (name) }, &html! {}))
        (told)
    };
    visit.shown(backend.position(), Page::new("One-time password", Section::Settings, content))
}

async fn show(_: Administrator, visit: Visit, Path(name): Path<UserName>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let content = view(&visit, &name, &mut reading, &[]).await?;
    let page =
        Page { json: Some(format!("/api/v1/users/{}", name.in_url())), ..Page::new(name.as_str(), Section::Settings, content) };
    visit.answer(reading, page).await
}

async fn view(visit: &Visit, name: &UserName, reading: &mut Reading<'_>, errors: &[ProblemError]) -> Result<Markup, Error> {
    let at = reading.at;
    let item = catalogue::find(reading.connection(), "user", name.as_str(), at).await?;
    let user: Entry<UserView, UserName> = item.ok_or_else(|| Error::NotFound(format!("there is no user {name}")))?.read_as()?;
    let live = accounts::sessions(reading.connection(), Some(name), true, at, None, 100).await?;
    let administrators = accounts::administrators(reading.connection()).await?;
    let allowed = visit.may_change(reading, Level::Administrator);
    let others = administrators.iter().filter(|(other, _)| other != name).count();
    let last = user.spec.role == Role::Administrator && !user.retired && others == 0;
    let own = visit.caller.principal.user().map(|user| user.session);
    Ok(html! {
        (heading(&[("Users", "/settings/users")], &html! { "User " (name) }, &actions(&user, last, &allowed)))
        (summary(errors, &["role"]))
        (facts(&[
            ("Name", html! { (user.spec.display_name) }),
            ("State", state(user.retired)),
            ("Role", html! { (user.spec.role) }),
            ("Signs in", html! { (signs_in(user.spec.sign_in)) }),
            ("Since", moment(user.spec.created_at)),
            ("Last lock-out", locked_out(user.spec.locked_out)),
        ]))
        (card("role", "Role", &role(&user, &allowed, errors)))
        (card("sessions", "Live sessions", &sessions::table(&live, own, &allowed, visit.now, false)))
    })
}

fn locked_out(locked_out: Option<LockedOut>) -> Markup {
    html! {
        @match locked_out {
            None => "None",
            Some(LockedOut { at, everywhere: true, .. }) => { (moment(at)) ", after failed sign-ins from several addresses" }
            Some(LockedOut { at, client: Some(client), .. }) => { (moment(at)) ", after failed sign-ins from " (client) }
            Some(LockedOut { at, .. }) => { (moment(at)) ", after failed sign-ins" }
        }
    }
}

fn actions(user: &Entry<UserView, UserName>, last: bool, allowed: &Allowed) -> Markup {
    let path = |what: &str| format!("/settings/users/{}/{what}", user.key.in_url());
    let disable = match allowed {
        Ok(()) if last => Err("The last administrator who may sign in stays. Make somebody else administrator first.".to_owned()),
        other => other.clone(),
    };
    let reset = match (allowed, user.spec.sign_in) {
        (Ok(()), SignIn::OpenidConnect) => Err("The password is the provider's.".to_owned()),
        (other, _) => other.clone(),
    };
    html! {
        (post("reset", &path("password"), Look::Usual, "key", "Make a one-time password", &reset, &html! {}))
        @if user.spec.locked_out.is_some() { (post("unlock", &path("unlock"), Look::Usual, "", "Unlock", allowed, &html! {})) }
        @if user.retired { (post("enable", &path("enable"), Look::Usual, "", "Let this user in again", allowed, &html! {})) }
        @else { (post("disable", &path("disable"), Look::Danger, "lock-fill", "Disable, and end the sessions", &disable, &html! {})) }
    }
}

fn role(user: &Entry<UserView, UserName>, allowed: &Allowed, errors: &[ProblemError]) -> Markup {
    let field = Field { name: "role", label: "Role", value: user.spec.role.as_str(), required: true, errors, ..Field::default() };
    html! {
        @match allowed {
            Ok(()) => form.form method="post" action=(format!("/settings/users/{}/role", user.key.in_url())) {
                (once())
                (field.select(None, &roles()))
                button type="submit" { "Change the role" }
            },
            Err(reason) => p.quiet { (reason) },
        }
    }
}

/// Runs one action on a user, and shows the user again, even if the action is refused.
async fn act(
    caller: &Administrator,
    visit: Visit,
    backend: &mut Backend,
    name: &UserName,
    mut fields: Fields,
    command: Command,
) -> Result<HttpResponse, Error> {
    match backend.execute(command, fields.context(caller)).await {
        Ok(receipt) => Ok(done(backend, &receipt, &format!("/settings/users/{}", name.in_url())).await),
        Err(error) => {
            fields.refused(error)?;
            refuse(visit, backend, name, fields.broken()).await
        }
    }
}

async fn refuse(visit: Visit, backend: &mut Backend, name: &UserName, errors: &[ProblemError]) -> Result<HttpResponse, Error> {
    let mut reading = backend.read_now().await?;
    let content = view(&visit, name, &mut reading, errors).await?;
    Ok(visit.refused(reading.position, Page::new(name.as_str(), Section::Settings, content)))
}

async fn change_role(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(name): Path<UserName>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let Some(role) = fields.required("role", "A role") else {
        return refuse(visit, &mut backend, &name, fields.broken()).await;
    };
    act(&caller, visit, &mut backend, &name, fields, Command::ChangeUserRole { user: name.clone(), role }).await
}

async fn reset_password(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(name): Path<UserName>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let (password, told) = made(None, true, &name).await?;
    // Without the form's key: if the form is sent twice, each answer shows a password that was really set.
    let command = Command::SetPassword { user: name.clone(), password, keep: None };
    match backend.execute(command, caller.context()).await {
        Ok(receipt) => {
            let what = "The password was set, and the sessions were ended";
            Ok(tell(visit, &mut backend, &receipt, &name, what, &told.unwrap_or_default()).await)
        }
        Err(error) => {
            fields.refused(error)?;
            refuse(visit, &mut backend, &name, fields.broken()).await
        }
    }
}

async fn disable(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(name): Path<UserName>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    act(&caller, visit, &mut backend, &name, fields, Command::DisableUser(name.clone())).await
}

async fn unlock(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(name): Path<UserName>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    act(&caller, visit, &mut backend, &name, fields, Command::UnlockUser(name.clone())).await
}

async fn enable(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(name): Path<UserName>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    act(&caller, visit, &mut backend, &name, fields, Command::EnableUser(name.clone())).await
}
