//! The [`Backend`]: a handler's only way to everything that it may have to wait for, such as the views, commands
//! and other systems.
//!
//! Every method takes `&mut self`, and a [`Snapshot`] borrows the backend for as long as it lives. So the compiler refuses a
//! handler that runs a command, queries a controller or waits for a position while it holds a snapshot, which is a connection to
//! the database. The body of a request is read by its extractor before the handler begins, and the extractor here acquires
//! nothing. The order is therefore always: first the body, then the command, then the snapshot (ADR 0025).
//!
//! ```
//! # use bootledger_web::http::request::backend::Backend;
//! async fn right(mut backend: Backend) {
//!     backend.reach(7).await;
//!     let snapshot = backend.read().await;
//!     drop(snapshot);
//!     backend.reach(8).await;
//! }
//! ```
//! This does not compile, because the snapshot would keep its connection during the wait:
//! ```compile_fail,E0499
//! # use bootledger_web::http::request::backend::Backend;
//! async fn wrong(mut backend: Backend) {
//!     let snapshot = backend.read().await;
//!     backend.reach(7).await;
//!     drop(snapshot);
//! }
//! ```

use super::parameters::{AT, DRY_RUN, pairs};
use super::snapshot::Snapshot;
use super::unknown_parameters::{self, NO_DRY_RUN};
use crate::http::application::Application;
use crate::http::auth::principal::Principal;
use crate::http::edge::position::{DEADLINE, reach};
use crate::http::error::Error;
use crate::http::ports::LibraryPort;
use crate::http::share::{self, Memory, Share, Shares, Who, Work};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use anyhow::anyhow;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::shortened;
use bootledger_port::library::ImageLibrary;
use bootledger_port::{
    CatalogueAction, Command, CommandError, Concern, Context, DeviceAction, Imported, NewDeployment, Ping, Power, Preview,
    Proposed, Receipt,
};
use bootledger_projections::database::pool::Pool;
use futures::StreamExt;
use std::future::{Ready, ready};
use std::sync::Arc;

/// How many of a request's commands run at the same time.
const AT_ONCE: usize = 16;

/// The object through which a handler reads, makes changes and queries other systems, one at a time.
pub struct Backend {
    application: Data<Application>,
    views: Pool,
    share: Arc<Share>,
    shares: Option<Data<Shares>>,
    /// The moment that the request wants to read: the value of its `at` parameter.
    at: Option<String>,
    /// Whether the request is a dry run, which only checks its change.
    dry_run: bool,
}

impl Backend {
    /// The backend of a request.
    ///
    /// # Errors
    /// Returns an error if the query string cannot be parsed.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Error> {
        let application = request.app_data::<Data<Application>>().cloned();
        let application =
            application.ok_or_else(|| Error::Internal(anyhow!("the application is not configured in this server")))?;
        // A change always applies to the present: `at` is read only for safe methods.
        let (mut at, mut dry_run) = (None, false);
        let pairs = pairs(request.query_string())?;
        unknown_parameters::check(request, &pairs)?;
        let mut pairs = pairs.into_iter();
        if request.method().is_safe() {
            at = pairs.find(|(name, _)| name == AT).map(|(_, value)| value);
        } else if let Some((_, value)) = pairs.find(|(name, _)| name == DRY_RUN) {
            let message = format!("dry_run: {value:?} is neither true nor false");
            let refused = || Error::bad_request(DRY_RUN, Rule::QueryMalformed, shortened(message));
            dry_run = value.parse().map_err(|_| refused())?;
        }
        let views = share::views(&application, request).clone();
        let share = share_of_caller(request, &application);
        Ok(Self { application, views, share, shares: request.app_data().cloned(), at, dry_run })
    }

    /// The same backend for a live page that is rendered once for all viewers. It uses no caller's share.
    #[must_use]
    pub(crate) fn for_everybody(&self) -> Self {
        self.over(self.views.clone())
    }

    /// The same backend for content that is rendered once for all machines, whichever requests it first.
    #[must_use]
    pub(crate) fn for_machines(&self) -> Self {
        self.over(self.application.agents.clone())
    }

    fn over(&self, views: Pool) -> Self {
        let (application, shares) = (self.application.clone(), self.shares.clone());
        let share = share::of(Who::Anonymous, shares.as_ref(), &views);
        Self { application, views, share, shares, at: None, dry_run: false }
    }

    /// A backend without a request, which reads through the agents' connections.
    pub(crate) fn without_request(application: &Application) -> Self {
        let views = application.agents.clone();
        let share = Arc::new(Share::new(Who::Unknown, views.connections()));
        Self { application: Data::new(application.clone()), views, share, shares: None, at: None, dry_run: false }
    }

    /// Reads the views as of now, or as of the moment that `?at=` names. The snapshot holds a connection until it is dropped.
    ///
    /// # Errors
    /// Returns an error if `at` is not a valid moment, the caller's share is used up, or the database does not answer.
    pub async fn read(&mut self) -> Result<Snapshot<'_>, Error> {
        let permit = self.share.take(Work::Read).await?;
        Snapshot::begin(&self.views, permit, self.at.as_deref(), self.application.now).await
    }

    /// Reads the views as of now, even if the request names another moment.
    ///
    /// # Errors
    /// Returns an error if the caller's share is used up, or the database does not answer.
    pub async fn read_now(&mut self) -> Result<Snapshot<'_>, Error> {
        let permit = self.share.take(Work::Read).await?;
        Snapshot::begin(&self.views, permit, None, self.application.now).await
    }

    /// Runs a command.
    ///
    /// # Errors
    /// Returns the domain's error, [`CommandError::Busy`] if the caller's share is used up, and [`CommandError::Refused`] if the
    /// request is a dry run.
    pub async fn execute(&mut self, command: Command, context: Context) -> Result<Receipt, CommandError> {
        if self.dry_run {
            return Err(CommandError::Refused(vec![BrokenRule::new(DRY_RUN, Rule::DryRunUnsupported, NO_DRY_RUN)]));
        }
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.unguarded().execute(command, context).await
    }

    /// Whether the request is a dry run, which only checks its change.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Checks a change of a device: returns what it would change, or why it would be refused. Nothing is changed.
    ///
    /// # Errors
    /// Returns the error that the change itself would return, or one if the caller's share is used up.
    pub async fn preview_device(&mut self, action: DeviceAction, context: Context) -> Result<Preview, CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.unguarded().preview_device(action, context).await
    }

    /// Checks a change of the catalogue like [`Backend::preview_device`].
    ///
    /// # Errors
    /// The same.
    pub async fn preview_catalogue(&mut self, action: CatalogueAction, context: Context) -> Result<Preview, CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.unguarded().preview_catalogue(action, context).await
    }

    /// Checks each of these deployments as if it were started now.
    pub async fn check_deployments(&mut self, wanted: &[NewDeployment]) -> Vec<Result<Proposed, CommandError>> {
        let this = &*self;
        let check = |wanted| async move {
            let _permit = this.share.take(Work::Change).await.map_err(busy)?;
            this.application.commands.unguarded().check_deployment(wanted).await
        };
        futures::stream::iter(wanted.iter().map(check)).buffered(AT_ONCE).collect().await
    }

    /// Starts a deployment for every row of a CSV text, or for none. If `rack` is given, all rows are for that rack.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn import(
        &mut self,
        csv: &[u8],
        dry_run: bool,
        rack: Option<&Name>,
        context: Context,
    ) -> Result<Imported, CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.unguarded().import(csv, dry_run, rack, context).await
    }

    /// Checks a deployment as if it were started now.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn check_deployment(&mut self, wanted: &NewDeployment) -> Result<Proposed, CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.unguarded().check_deployment(wanted).await
    }

    /// Queries a device's management controller for the power state of the server.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn power_state(&mut self, device: DeviceId, context: Context) -> Result<Power, CommandError> {
        let _permit = self.share.take(Work::Outside).await.map_err(busy)?;
        self.application.commands.unguarded().power_state(device, context).await
    }

    /// Requests a comparison of a site's servers with the views as soon as possible.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn check_drift(&mut self, site: &Name) -> Result<(), CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.unguarded().check_drift(site).await
    }

    /// Starts to verify the log in the background.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn verify_log(&mut self, whole: bool, context: Context) -> Result<(), CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.unguarded().verify_log(whole, context).await
    }

    /// Sends a test message, which is not an event, to the receiver of a webhook.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn ping_webhook(&mut self, webhook: &Name) -> Result<Ping, CommandError> {
        let _permit = self.share.take(Work::Outside).await.map_err(busy)?;
        self.application.commands.unguarded().ping_webhook(webhook).await
    }

    /// The library of boot images.
    ///
    /// # Errors
    /// Returns an error if this server has no library.
    pub fn library(&mut self) -> Result<&dyn ImageLibrary, Error> {
        let library = self.application.library.as_ref().map(LibraryPort::library);
        library.ok_or_else(|| Error::NotFound("this server has no boot image library".to_owned()))
    }

    /// The application, for code outside of this module that waits. Like every other method, this one needs that no reading is
    /// held.
    pub(crate) fn application(&mut self) -> &Application {
        &self.application
    }

    /// The conditions that limit the service at the moment.
    pub(crate) fn concerns(&self) -> Vec<Concern> {
        self.application.commands.concerns()
    }

    /// Waits until the views show a position. Returns whether they do so in time.
    pub async fn reach(&mut self, position: i64) -> bool {
        reach(&self.application, position, DEADLINE).await
    }

    /// The position that the views show now.
    pub fn position(&self) -> i64 {
        *self.application.position.borrow()
    }
}

fn busy(error: Error) -> CommandError {
    match error {
        Error::Busy { message, .. } => CommandError::Busy(message),
        other => CommandError::Internal(other.into()),
    }
}

/// The share of the caller that sent a request.
fn share_of_caller(request: &HttpRequest, application: &Application) -> Arc<Share> {
    let who = match request.extensions().get::<Principal>() {
        Some(Principal::Token(bearer)) => Who::Token(bearer.id),
        Some(Principal::User(user)) => Who::User(user.name.clone()),
        None => return share::of_address(request, application),
    };
    share::of(who, request.app_data(), share::views(application, request))
}

/// The memory for the body of a request, as part of its caller's share.
pub(crate) fn memory(request: &HttpRequest) -> Memory {
    let share = match request.app_data::<Data<Application>>() {
        Some(application) => share_of_caller(request, application),
        None => Arc::new(Share::new(Who::Unknown, 1)),
    };
    Memory::of(share)
}

impl FromRequest for Backend {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
