//! Users. A password that is made here is shown once and never again.

use crate::api::catalogue::CatalogueQuery;
use crate::auth::caller::{Administrator, Caller};
use crate::auth::password::Password;
use crate::commands::{Command, NewPassword};
use crate::error::Error;
use crate::request::answer::Change;
use crate::request::backend::Backend;
use crate::request::body::{Json, OptionalJson};
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use crate::request::reading::{Reading, name_position};
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::session::Method;
use bootledger_aggregates::user::{Role, SignIn};
use bootledger_aggregates::values::ids::PasswordId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::accounts::{LockedOut, UserView};
use bootledger_projections::catalogue::{self, Item};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/users").get(index).post(create))
        .service(resource("/api/v1/users/{name}").get(show).patch(change))
        .service(resource("/api/v1/users/{name}/password").post(set_password))
        .service(resource("/api/v1/users/{name}/disable").post(disable))
        .service(resource("/api/v1/users/{name}/enable").post(enable))
        .service(resource("/api/v1/users/{name}/unlock").post(unlock));
}

/// A user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    /// What the user signs in as; the actor's name in events.
    name: String,
    /// For people.
    display_name: Text,
    /// What the user may do.
    role: Role,
    /// How the user signs in.
    sign_in: Method,
    /// Whether the password has to be changed at the next sign-in.
    must_change_password: bool,
    /// Whether the user is let in.
    enabled: bool,
    /// When the user was made.
    created_at: Timestamp,
    /// The last lock-out after failed attempts to sign in; null where there was none, or the user was unlocked since.
    locked_out: Option<LockedOut>,
}

impl UserAnswer {
    fn of(item: Item) -> Result<Self, Error> {
        let view: UserView = serde_json::from_value(item.spec).map_err(bootledger_projections::Error::from)?;
        let (sign_in, must_change_password) = match view.sign_in {
            SignIn::Password { one_time, .. } => (Method::Password, one_time),
            SignIn::OpenidConnect => (Method::OpenidConnect, false),
        };
        let UserView { display_name, role, created_at, locked_out, .. } = view;
        let (name, enabled) = (item.key, !item.retired);
        Ok(Self { name, display_name, role, sign_in, must_change_password, enabled, created_at, locked_out })
    }
}

/// A user to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What the user signs in as.
    name: UserName,
    /// For people.
    #[serde(default)]
    display_name: Text,
    /// What the user may do.
    role: Role,
    /// Through which the user signs in: `password`, where it is left out.
    #[serde(default = "with_password")]
    sign_in: Method,
    #[serde(flatten)]
    password: WantedPassword,
}

fn with_password() -> Method {
    Method::Password
}

/// A password to be set.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct WantedPassword {
    /// At least 12 characters; where it is left out, one is made.
    #[schema(format = Password)]
    password: Option<String>,
    /// Whether it has to be changed at the next sign-in; it has, where this is left out.
    must_change_password: Option<bool>,
}

impl std::fmt::Debug for WantedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WantedPassword(…)")
    }
}

/// A change of a user.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// What the user may do from now on.
    role: Role,
}

/// A user whose password was set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasswordMade {
    /// Whose it is.
    name: UserName,
    /// The password that was made; it is shown this once. Null where one was given.
    one_time_password: Option<String>,
}

/// The users; disabled ones are among them.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(CatalogueQuery),
    responses((status = 200, body = Page<UserAnswer>)))]
pub(crate) async fn index(
    _: Administrator,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let (limit, at) = (limit(query.limit)?, reading.at);
    let (after, q) = (query.after.as_deref(), query.q.as_deref());
    let found = catalogue::list(reading.connection(), "user", at, after, i64::from(limit) + 1, q).await?;
    let Page { items, next } = Page::of(found, limit, |item| item.key.clone());
    let items = items.into_iter().map(UserAnswer::of).collect::<Result<Vec<_>, _>>()?;
    Ok(reading.answer(&Page { items, next }))
}

async fn find(reading: &mut Reading<'_>, name: &UserName) -> Result<UserAnswer, Error> {
    let at = reading.at;
    let item = catalogue::find(reading.connection(), "user", name.as_str(), at).await?;
    UserAnswer::of(item.ok_or_else(|| Error::NotFound(format!("there is no user {name}")))?)
}

/// One user.
#[utoipa::path(get, path = "/api/v1/users/{name}", tag = "users", params(("name" = UserName, Path, description = "The user")),
    responses((status = 200, body = UserAnswer)))]
pub(crate) async fn show(_: Administrator, Path(name): Path<UserName>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let body = find(&mut reading, &name).await?;
    Ok(reading.answer(&body))
}

/// A password that is wanted, as a command is given it, and its text where it was made here.
pub(crate) async fn made(wanted: Option<&str>, one_time: bool, name: &UserName) -> Result<(NewPassword, Option<String>), Error> {
    let password = match wanted {
        Some(text) => Password::chosen(text, name.as_str())?,
        None => Password::one_time(),
    };
    let new = NewPassword { id: PasswordId(Uuid::now_v7()), hash: password.hash().await?, one_time };
    Ok((new, wanted.is_none().then(|| password.expose().to_owned())))
}

fn without_key(caller: &Caller) -> Result<(), Error> {
    if caller.idempotency_key().is_none() {
        return Ok(());
    }
    let message = "a password is shown once, so this cannot be repeated; leave the key out, and set the password again where \
                   an answer was lost";
    Err(Error::rejected("Idempotency-Key", "idempotency_key_not_taken", message))
}

/// Makes a user. A password that is made is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser, responses((status = 201, body = PasswordMade)))]
pub(crate) async fn create(caller: Administrator, mut backend: Backend, Json(new): Json<NewUser>) -> Result<HttpResponse, Error> {
    without_key(&caller)?;
    let NewUser { name, display_name, role, sign_in, password } = new;
    let (password, told) = match (sign_in, &password.password) {
        (Method::Password, wanted) => {
            let one_time = password.must_change_password.unwrap_or(true);
            let (password, told) = made(wanted.as_deref(), one_time, &name).await?;
            (Some(password), told)
        }
        (Method::OpenidConnect, None) => (None, None),
        (Method::OpenidConnect, Some(_)) => {
            let message = "who signs in through OpenID Connect has no password here; leave it out";
            return Err(Error::rejected("password", "password_elsewhere", message));
        }
    };
    let command = Command::CreateUser { name: name.clone(), display_name, role, password };
    let receipt = backend.execute(command, caller.context()).await?;
    let shown = backend.reach(receipt.position).await;
    let location = format!("/api/v1/users/{}", name.in_url());
    let body = PasswordMade { name, one_time_password: told };
    let mut response = HttpResponse::Created().insert_header((LOCATION, location)).json(body);
    if shown {
        name_position(&mut response, receipt.position);
    }
    Ok(response)
}

/// Sets a user's password and ends the user's sessions. A password that is made is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/users/{name}/password", tag = "users", request_body = WantedPassword,
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = PasswordMade)))]
pub(crate) async fn set_password(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
    OptionalJson(wanted): OptionalJson<WantedPassword>,
) -> Result<HttpResponse, Error> {
    without_key(&caller)?;
    let one_time = wanted.must_change_password.unwrap_or(true);
    let (password, told) = made(wanted.password.as_deref(), one_time, &name).await?;
    let command = Command::SetPassword { user: name.clone(), password, keep: None };
    let receipt = backend.execute(command, caller.context()).await?;
    let shown = backend.reach(receipt.position).await;
    let mut response = HttpResponse::Ok().json(PasswordMade { name, one_time_password: told });
    if shown {
        name_position(&mut response, receipt.position);
    }
    Ok(response)
}

async fn changed(caller: &Caller, backend: &mut Backend, name: &UserName, command: Command) -> Result<HttpResponse, Error> {
    let change = Change::make(backend, caller, command).await?;
    match change.shown(backend).await {
        Ok(mut reading) => {
            let body = find(&mut reading, name).await?;
            Ok(change.answer(reading, &body))
        }
        Err(accepted) => Ok(accepted),
    }
}

/// Gives a user another role. The last administrator keeps it.
#[utoipa::path(patch, path = "/api/v1/users/{name}", tag = "users", request_body = UserChange,
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn change(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
    Json(UserChange { role }): Json<UserChange>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::ChangeUserRole { user: name.clone(), role }).await
}

/// Lets a user in no longer, and ends the user's sessions. The last administrator stays.
#[utoipa::path(post, path = "/api/v1/users/{name}/disable", tag = "users",
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn disable(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::DisableUser(name.clone())).await
}

/// Lets a user in again.
#[utoipa::path(post, path = "/api/v1/users/{name}/enable", tag = "users",
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn enable(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::EnableUser(name.clone())).await
}

/// Ends a lock-out: attempts to sign in as the user need not wait any more.
#[utoipa::path(post, path = "/api/v1/users/{name}/unlock", tag = "users",
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn unlock(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::UnlockUser(name.clone())).await
}
