//! The page `/settings/users`: the users who may sign in, and their roles.

use super::confirm::{self, Confirmation};
use super::tabs::tabs_of;
use super::{secret, sessions};
use crate::api::users::made;
use crate::http::application::Application;
use crate::http::auth::caller::{Administrator, Auditor};
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::catalogue::list::{ListQuery, items, json, pager};
use crate::pages::components::action::{Allowed, Look, link, once, post};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{card, empty, facts, heading};
use crate::pages::components::field::{Field, summary};
use crate::pages::components::lines::lines;
use crate::pages::components::time::moment;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::search;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::session::Method;
use bootledger_aggregates::user::{Role, SignIn};
use bootledger_aggregates::values::ids::PasswordId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, Receipt};
use bootledger_projections::rows::accounts::{self, LockedOut, UserView};
use bootledger_projections::rows::catalogue::{self, Entry, Item};
use bootledger_projections::rows::timeline;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/settings/users").get(index).post(create))
        .service(resource("/settings/users/new").get(new))
        .service(resource("/settings/users/{name}").get(show))
        .service(resource("/settings/users/{name}/role").post(change_role))
        .service(resource("/settings/users/{name}/password").get(confirm_reset).post(reset_password))
        .service(resource("/settings/users/{name}/disable").get(confirm_disable).post(disable))
        .service(resource("/settings/users/{name}/enable").post(enable))
        .service(resource("/settings/users/{name}/unlock").post(unlock));
}

async fn index(_: Auditor, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: ListQuery = page_context.query()?;
    let found = items(&mut snapshot, "user", &query).await?;
    let users = found.items.into_iter().map(Item::read_as).collect::<Result<Vec<Entry<UserView, UserName>>, _>>()?;
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let content = html! {
        (heading(&[], &html! { "Users" }, &link("new-user", "/settings/users/new", Look::Primary, "plus-lg", "Create user", &allowed)))
        (tabs_of("/settings/users"))
        (search(&page_context, "/settings/users", "Name"))
        (table(&users))
        (pager(&page_context, users.len(), found.next.as_deref()))
    };
    let json = Some(json(&page_context, "/api/v1/users"));
    let page = Page { json, ..Page::new("Users", Section::Settings, content) };
    page_context.answer(snapshot, page).await
}

fn state(retired: bool) -> Markup {
    if retired { badge(Tone::Bad, "Disabled") } else { badge(Tone::Good, "Enabled") }
}

fn signs_in(sign_in: SignIn) -> &'static str {
    match sign_in {
        SignIn::Password { one_time: false, .. } => "with a password",
        SignIn::Password { one_time: true, .. } => "with a one-time password, which must be changed at the next sign-in",
        SignIn::OpenidConnect => "through OpenID Connect",
    }
}

fn table(users: &[Entry<UserView, UserName>]) -> Markup {
    if users.is_empty() {
        return empty("No results.", &html! { a href="/settings/users" { "Show all users" } });
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Users" {
            table.cards {
                thead { tr { th scope="col" { "User name" } th scope="col" { "Name" } th scope="col" { "Role" } th scope="col" { "State" } th scope="col" { "Sign-in" } th scope="col" { "Created" } } }
                tbody {
                    @for user in users {
                        tr {
                            th scope="row" { a href=(format!("/settings/users/{}", user.key.in_url())) { (user.key) } }
                            td data-label="Name" { (user.spec.display_name) }
                            td data-label="Role" { (user.spec.role) }
                            td data-label="State" { (state(user.retired)) }
                            td data-label="Sign-in" { (signs_in(user.spec.sign_in)) }
                            td data-label="Created" { (moment(user.spec.created_at)) }
                        }
                    }
                }
            }
        }
    }
}

fn roles() -> Vec<(String, String)> {
    let words = [
        (Role::Viewer, "Viewer: reads everything except for accounts"),
        (Role::Auditor, "Auditor: also reads users, tokens and sessions, changes nothing"),
        (Role::Operator, "Operator: reads what a viewer reads, registers, verifies, deploys, cancels"),
        (Role::Administrator, "Administrator: also changes the catalogue, tokens and users"),
    ];
    words.into_iter().map(|(role, words)| (role.to_string(), words.to_owned())).collect()
}

async fn new(_: Administrator, page_context: PageContext, application: Data<Application>) -> Result<HttpResponse, Error> {
    let page = Page::new("Create user", Section::Settings, form(&Fields::default()));
    Ok(page_context.shown(*application.position.borrow(), page))
}

fn form(fields: &Fields) -> Markup {
    let errors = fields.broken();
    let field = |name, label, hint| Field { name, label, hint, value: fields.text(name), errors, ..Field::default() };
    let role = if fields.text("role").is_empty() { "viewer" } else { fields.text("role") };
    let methods =
        [("password", "With a password: a one-time password is created and shown"), ("openid_connect", "Through OpenID Connect")];
    let methods = methods.map(|(value, words)| (value.to_owned(), words.to_owned()));
    html! {
        (heading(&[("Users", "/settings/users")], &html! { "Create user" }, &html! {}))
        (summary(errors, &["name", "display_name", "role", "sign_in"]))
        form.form method="post" action="/settings/users" {
            (once())
            (Field { required: true, ..field("name", "User name", "For example ada or ada@example.org. Events show this name as the actor.") }.text())
            (field("display_name", "Name", "The display name of the user.").text())
            (Field { required: true, value: role, ..field("role", "Role", "") }.select(None, &roles()))
            (Field { required: true, ..field("sign_in", "Sign-in", "") }.select(None, &methods))
            button.primary type="submit" { "Create user" }
        }
    }
}

async fn create(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let name: Option<UserName> = fields.required("name", "The user name");
    let display_name: Text = fields.read("display_name").unwrap_or_default();
    let role: Option<Role> = fields.required("role", "The role");
    let method = if fields.text("sign_in") == "openid_connect" { Method::OpenidConnect } else { Method::Password };
    let mut generated = None;
    if let (Some(name), Some(role), []) = (name, role, fields.broken()) {
        let (password, show_once) = match method {
            Method::Password => {
                let (password, show_once) = made(None, true, &name).await?;
                generated = Some(password.id);
                (Some(password), show_once)
            }
            Method::OpenidConnect => (None, None),
        };
        let command = Command::Account(AccountAction::CreateUser { name: name.clone(), display_name, role, password });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) if receipt.repeated && !is_own(&mut backend, receipt.position, &name, generated).await? => {
                return Ok(shown_before(page_context, &backend, &name));
            }
            Ok(receipt) => match show_once {
                Some(password) => {
                    return Ok(
                        show_password(page_context, &mut backend, &receipt, &name, "The user was created", &password).await
                    );
                }
                None => return Ok(done(&mut backend, &receipt, &format!("/settings/users/{}", name.in_url())).await),
            },
            Err(error) => fields.refused(error)?,
        }
    }
    let page = Page::new("Create user", Section::Settings, form(&fields));
    Ok(page_context.refused(backend.position(), page))
}

/// Whether a user has the password that was generated for this request, although the request's key was used before: the service
/// repeats a command if it does not know whether the database has stored it. If the views do not show the password yet, it may be
/// that of an earlier request with the same form.
async fn is_own(backend: &mut Backend, position: i64, name: &UserName, generated: Option<PasswordId>) -> Result<bool, Error> {
    // Without a generated password, the page shows no secret.
    let Some(generated) = generated else { return Ok(true) };
    backend.reach(position).await;
    let mut snapshot = backend.read_now().await?;
    let found = accounts::credentials(snapshot.connection(), name).await?;
    Ok(found.is_some_and(|found| matches!(found.user.sign_in, SignIn::Password { password, .. } if password == generated)))
}

/// The answer to a form with a generated password that was sent again.
fn shown_before(page_context: PageContext, backend: &Backend, name: &UserName) -> HttpResponse {
    let path = format!("/settings/users/{}", name.in_url());
    let content = html! {
        (heading(&[("Users", "/settings/users")], &html! { "User " (name) }, &html! {}))
        (secret::shown_before(
            &html! { "This form was sent before: the user " strong { (name) } " has a one-time password." },
            "If the password is lost, create another one-time password on the user's page.",
            ("Back to the user", &path),
        ))
    };
    page_context.shown(backend.position(), Page::new("One-time password", Section::Settings, content))
}

/// The page with a generated password.
async fn show_password(
    page_context: PageContext,
    backend: &mut Backend,
    receipt: &Receipt,
    name: &UserName,
    what: &str,
    password: &str,
) -> HttpResponse {
    let advice = "Send it to the user over a private channel. It must be changed at the first sign-in.";
    let path = format!("/settings/users/{}", name.in_url());
    let what = html! { (what) ". The one-time password of " strong { (name) } ":" };
    let show_once = secret::show_once(backend, receipt, &what, (password, advice), ("Back to the user", &path)).await;
    let content = html! {
        (heading(&[("Users", "/settings/users")], &html! { "User " (name) }, &html! {}))
        (show_once)
    };
    page_context.shown(backend.position(), Page::new("One-time password", Section::Settings, content))
}

async fn show(
    _: Auditor,
    page_context: PageContext,
    Path(name): Path<UserName>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let content = view(&page_context, &name, &mut snapshot, &[]).await?;
    let page =
        Page { json: Some(format!("/api/v1/users/{}", name.in_url())), ..Page::new(name.as_str(), Section::Settings, content) };
    page_context.about("user", &name).answer(snapshot, page).await
}

async fn view(
    page_context: &PageContext,
    name: &UserName,
    snapshot: &mut Snapshot<'_>,
    errors: &[ProblemError],
) -> Result<Markup, Error> {
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), "user", name.as_str(), at).await?;
    let user: Entry<UserView, UserName> = item.ok_or_else(|| Error::NotFound(format!("there is no user {name}")))?.read_as()?;
    let live = accounts::sessions(snapshot.connection(), Some(name), true, at, None, 100).await?;
    let administrators = accounts::administrators(snapshot.connection()).await?;
    let attempts = timeline::Filter {
        aggregate_type: Some("user".to_owned()),
        aggregate_id: Some(name.as_str().to_owned()),
        event_types: ["UserSignInsFailed", "UserLockedOut", "UserUnlocked"].map(str::to_owned).to_vec(),
        before: Some(snapshot.position + 1),
        ..timeline::Filter::default()
    };
    let attempts = timeline::list(snapshot.connection(), &attempts, timeline::Order::NewestFirst, 10).await?;
    let allowed = page_context.may_change(snapshot, Role::Administrator);
    let others = administrators.iter().filter(|(other, _)| other != name).count();
    let last = user.spec.role == Role::Administrator && !user.retired && others == 0;
    let own = page_context.caller.principal.user().map(|user| user.session);
    Ok(html! {
        (heading(&[("Users", "/settings/users")], &html! { "User " (name) }, &actions(&user, last, &allowed)))
        (summary(errors, &["role"]))
        (facts(&[
            ("Name", html! { (user.spec.display_name) }),
            ("State", state(user.retired)),
            ("Role", html! { (user.spec.role) }),
            ("Sign-in", html! { (signs_in(user.spec.sign_in)) }),
            ("Created", moment(user.spec.created_at)),
            ("Last lock-out", locked_out(user.spec.locked_out)),
        ]))
        (card("role", "Role", &role(&user, &allowed, errors)))
        (card("sign-ins", "Failed sign-ins and lock-outs", &html! {
            @if attempts.is_empty() { p { "None" } } @else { (lines(&attempts)) }
            p { a href=(format!("/timeline?object=user/{}", name.in_url())) { "All events of this user" } }
        }))
        (card("sessions", "Live sessions", &sessions::table(&live, own, &allowed, (at, snapshot.moment()), false)))
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
        Ok(()) if last => {
            Err("This is the last administrator who can sign in. Make another user an administrator first.".to_owned())
        }
        other => other.clone(),
    };
    let reset = match (allowed, user.spec.sign_in) {
        (Ok(()), SignIn::OpenidConnect) => Err("The provider manages this password.".to_owned()),
        (other, _) => other.clone(),
    };
    html! {
        (link("reset", &path("password"), Look::Usual, "key", "Create one-time password", &reset))
        @if user.spec.locked_out.is_some() { (post("unlock", &path("unlock"), Look::Usual, "", "Unlock", allowed, &html! {})) }
        @if user.retired { (post("enable", &path("enable"), Look::Usual, "", "Enable user", allowed, &html! {})) }
        @else { (link("disable", &path("disable"), Look::Usual, "lock-fill", "Disable user", &disable)) }
    }
}

fn role(user: &Entry<UserView, UserName>, allowed: &Allowed, errors: &[ProblemError]) -> Markup {
    let field = Field { name: "role", label: "Role", value: user.spec.role.as_str(), required: true, errors, ..Field::default() };
    html! {
        @match allowed {
            Ok(()) => form.form method="post" action=(format!("/settings/users/{}/role", user.key.in_url())) {
                (once())
                (field.select(None, &roles()))
                button type="submit" { "Set role" }
            },
            Err(reason) => p.quiet { (reason) },
        }
    }
}

/// Runs one action on a user, and shows the user again, even if the action is refused.
async fn act(
    caller: &Administrator,
    page_context: PageContext,
    backend: &mut Backend,
    name: &UserName,
    mut fields: Fields,
    command: Command,
) -> Result<HttpResponse, Error> {
    match backend.execute(command, fields.context(caller)).await {
        Ok(receipt) => Ok(done(backend, &receipt, &format!("/settings/users/{}", name.in_url())).await),
        Err(error) => {
            fields.refused(error)?;
            refuse(page_context, backend, name, fields.broken()).await
        }
    }
}

async fn refuse(
    page_context: PageContext,
    backend: &mut Backend,
    name: &UserName,
    errors: &[ProblemError],
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let content = view(&page_context, name, &mut snapshot, errors).await?;
    Ok(page_context.refused(snapshot.position, Page::new(name.as_str(), Section::Settings, content)))
}

async fn change_role(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(name): Path<UserName>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let Some(role) = fields.required("role", "The role") else {
        return refuse(page_context, &mut backend, &name, fields.broken()).await;
    };
    act(
        &caller,
        page_context,
        &mut backend,
        &name,
        fields,
        Command::Account(AccountAction::ChangeUserRole { user: name.clone(), role }),
    )
    .await
}

async fn reset_password(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(name): Path<UserName>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let (password, show_once) = made(None, true, &name).await?;
    let generated = Some(password.id);
    let command = Command::Account(AccountAction::SetPassword { user: name.clone(), password, keep: None });
    match backend.execute(command, fields.context(&caller)).await {
        Ok(receipt) if receipt.repeated && !is_own(&mut backend, receipt.position, &name, generated).await? => {
            Ok(shown_before(page_context, &backend, &name))
        }
        Ok(receipt) => {
            let what = "The password was set, and all sessions of the user were ended";
            Ok(show_password(page_context, &mut backend, &receipt, &name, what, &show_once.unwrap_or_default()).await)
        }
        Err(error) => {
            fields.refused(error)?;
            refuse(page_context, &mut backend, &name, fields.broken()).await
        }
    }
}

async fn confirm_reset(
    _: Administrator,
    page_context: PageContext,
    Path(name): Path<UserName>,
    backend: Backend,
) -> Result<HttpResponse, Error> {
    let effects = [
        html! { "The user gets a new one-time password. The next page shows it once, for you to send to the user." },
        html! { "The current password stops working, and all sessions of the user end." },
        html! { "The user must choose another password at the next sign-in." },
    ];
    confirmation(page_context, backend, &name, ("Create one-time password for", "password", "Create one-time password"), &effects)
        .await
}

async fn confirm_disable(
    _: Administrator,
    page_context: PageContext,
    Path(name): Path<UserName>,
    backend: Backend,
) -> Result<HttpResponse, Error> {
    let effects = [
        html! { "The user can no longer sign in, and all sessions of the user end now." },
        html! { "Access tokens are not affected: revoke those that the user knows under " a href="/settings/tokens" { "Access tokens" } "." },
        html! { "The user and everything that the user did stay in the record. An administrator can enable the user again." },
    ];
    confirmation(page_context, backend, &name, ("Disable user", "disable", "Disable user and end sessions"), &effects).await
}

/// The page before an action on a user: the beginning of its title, the action's path below the user, its button.
async fn confirmation(
    page_context: PageContext,
    mut backend: Backend,
    name: &UserName,
    (what, path, button): (&str, &str, &str),
    effects: &[Markup],
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), "user", name.as_str(), at).await?;
    item.ok_or_else(|| Error::NotFound(format!("there is no user {name}")))?;
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let back = format!("/settings/users/{}", name.in_url());
    let title = format!("{what} {name}");
    let content = confirm::view(&Confirmation {
        crumbs: &[("Users", "/settings/users"), (name.as_str(), back.as_str())],
        title: &title,
        effects,
        path: &format!("{back}/{path}"),
        button,
        fields: html! {},
        allowed: &allowed,
        back: &back,
    });
    page_context.answer(snapshot, Page::new(&title, Section::Settings, content)).await
}

async fn disable(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(name): Path<UserName>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    act(&caller, page_context, &mut backend, &name, fields, Command::Account(AccountAction::DisableUser(name.clone()))).await
}

async fn unlock(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(name): Path<UserName>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    act(&caller, page_context, &mut backend, &name, fields, Command::Account(AccountAction::UnlockUser(name.clone()))).await
}

async fn enable(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(name): Path<UserName>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    act(&caller, page_context, &mut backend, &name, fields, Command::Account(AccountAction::EnableUser(name.clone()))).await
}
