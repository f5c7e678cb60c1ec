//! Routes for users. A password that Bootledger generates is returned once and never again.

use crate::api::catalogue::{CatalogueQuery, page};
use crate::http::auth::caller::{Administrator, Auditor, Caller};
use crate::http::auth::password::Password;
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::{Json, OptionalJson};
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::{Snapshot, name_position};
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::session::Method;
use bootledger_aggregates::user::{Role, SignIn};
use bootledger_aggregates::values::ids::PasswordId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, NewPassword};
use bootledger_projections::rows::accounts::{LockedOut, UserView};
use bootledger_projections::rows::catalogue::{self, Item};
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

/// A user, who signs in with a browser.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    /// The name that the user signs in with. Events name the actor by it.
    name: String,
    /// The name that pages show for the user.
    display_name: Text,
    /// The user's role, which determines what the user may do.
    role: Role,
    /// How the user signs in.
    sign_in: Method,
    /// Whether the user must change the password at the next sign-in.
    must_change_password: bool,
    /// Whether the user may sign in.
    enabled: bool,
    /// When the user was created.
    created_at: Timestamp,
    /// The last lock-out after failed attempts to sign in; null if there was none, or if the user has been unlocked since.
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

/// A user to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name that the user signs in with.
    name: UserName,
    /// The name that pages show for the user.
    #[serde(default)]
    display_name: Text,
    /// The user's role, which determines what the user may do.
    role: Role,
    /// How the user signs in; `password` by default.
    #[serde(default = "with_password")]
    sign_in: Method,
    #[serde(flatten)]
    password: WantedPassword,
}

fn with_password() -> Method {
    Method::Password
}

/// A password to set.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct WantedPassword {
    /// The password, at least 12 characters. If it is left out, one is generated.
    #[schema(format = Password)]
    password: Option<String>,
    /// Whether the user must change the password at the next sign-in; true by default.
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
    /// The user's new role.
    role: Role,
}

/// The result of setting a user's password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasswordMade {
    /// The name of the user.
    name: UserName,
    /// The generated password. It is shown only in this response. Null if the request contained a password.
    one_time_password: Option<String>,
}

/// Lists users, including disabled ones.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(CatalogueQuery),
    responses((status = 200, body = Page<UserAnswer>)))]
pub(crate) async fn index(
    _: Auditor,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let Page { items, next } = page("user", &query, &mut snapshot).await?;
    let items = items.into_iter().map(UserAnswer::of).collect::<Result<Vec<_>, _>>()?;
    Ok(snapshot.answer(&Page { items, next }))
}

async fn find(snapshot: &mut Snapshot<'_>, name: &UserName) -> Result<UserAnswer, Error> {
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), "user", name.as_str(), at).await?;
    UserAnswer::of(item.ok_or_else(|| Error::NotFound(format!("there is no user {name}")))?)
}

/// Returns one user.
#[utoipa::path(get, path = "/api/v1/users/{name}", tag = "users", params(("name" = UserName, Path, description = "The user")),
    responses((status = 200, body = UserAnswer)))]
pub(crate) async fn show(_: Auditor, Path(name): Path<UserName>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let body = find(&mut snapshot, &name).await?;
    Ok(snapshot.answer(&body))
}

/// The password for a command: the requested one, or a generated one, whose text is returned too.
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
    let message = "a password is shown only once, so this request cannot be repeated; remove the idempotency key. If the response was lost, set the password again";
    Err(Error::rejected("Idempotency-Key", Rule::IdempotencyKeyNotTaken, message))
}

/// Creates a user. If a password is generated, only this response contains it.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser, responses((status = 201, body = PasswordMade)))]
pub(crate) async fn create(caller: Administrator, mut backend: Backend, Json(new): Json<NewUser>) -> Result<HttpResponse, Error> {
    without_key(&caller)?;
    let NewUser { name, display_name, role, sign_in, password } = new;
    let (password, reported) = match (sign_in, &password.password) {
        (Method::Password, wanted) => {
            let one_time = password.must_change_password.unwrap_or(true);
            let (password, reported) = made(wanted.as_deref(), one_time, &name).await?;
            (Some(password), reported)
        }
        (Method::OpenidConnect, None) => (None, None),
        (Method::OpenidConnect, Some(_)) => {
            let message = "users who sign in through OpenID Connect have no password here; remove it";
            return Err(Error::rejected("password", Rule::PasswordElsewhere, message));
        }
    };
    let command = Command::Account(AccountAction::CreateUser { name: name.clone(), display_name, role, password });
    let receipt = backend.execute(command, caller.context()).await?;
    let shown = backend.reach(receipt.position).await;
    let location = format!("/api/v1/users/{}", name.in_url());
    let body = PasswordMade { name, one_time_password: reported };
    let mut response = HttpResponse::Created().insert_header((LOCATION, location)).json(body);
    if shown {
        name_position(&mut response, receipt.position);
    }
    Ok(response)
}

/// Sets a user's password and ends the user's sessions. If a password is generated, only this response contains it.
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
    let (password, reported) = made(wanted.password.as_deref(), one_time, &name).await?;
    let command = Command::Account(AccountAction::SetPassword { user: name.clone(), password, keep: None });
    let receipt = backend.execute(command, caller.context()).await?;
    let shown = backend.reach(receipt.position).await;
    let mut response = HttpResponse::Ok().json(PasswordMade { name, one_time_password: reported });
    if shown {
        name_position(&mut response, receipt.position);
    }
    Ok(response)
}

async fn changed(caller: &Caller, backend: &mut Backend, name: &UserName, command: Command) -> Result<HttpResponse, Error> {
    let change = Change::make(backend, caller, command).await?;
    match change.shown(backend).await {
        Shown::Now(mut snapshot) => {
            let body = find(&mut snapshot, name).await?;
            Ok(change.answer(snapshot, &body))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

/// Changes a user's role. The last administrator's role cannot be changed.
#[utoipa::path(patch, path = "/api/v1/users/{name}", tag = "users", request_body = UserChange,
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn change(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
    Json(UserChange { role }): Json<UserChange>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::Account(AccountAction::ChangeUserRole { user: name.clone(), role })).await
}

/// Disables a user: the user can no longer sign in, and the user's sessions end. The last administrator cannot be disabled.
#[utoipa::path(post, path = "/api/v1/users/{name}/disable", tag = "users",
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn disable(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::Account(AccountAction::DisableUser(name.clone()))).await
}

/// Enables a user: the user can sign in again.
#[utoipa::path(post, path = "/api/v1/users/{name}/enable", tag = "users",
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn enable(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::Account(AccountAction::EnableUser(name.clone()))).await
}

/// Ends a lock-out: attempts to sign in as the user no longer have to wait.
#[utoipa::path(post, path = "/api/v1/users/{name}/unlock", tag = "users",
    params(("name" = UserName, Path, description = "The user")), responses((status = 200, body = UserAnswer)))]
pub(crate) async fn unlock(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<UserName>,
) -> Result<HttpResponse, Error> {
    changed(&caller, &mut backend, &name, Command::Account(AccountAction::UnlockUser(name.clone()))).await
}
