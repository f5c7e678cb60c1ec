//! The [`Backend`]: a handler's only way to everything that it may have to wait for, such as the views, commands
//! and other systems.
//!
//! Every method takes `&mut self`, and a [`Reading`] borrows the backend for as long as it lives. So the compiler refuses a
//! handler that runs a command, queries a controller or waits for a position while it holds a reading, which is a connection to
//! the database. The body of a request is read by its extractor before the handler begins, and the extractor here acquires
//! nothing. The order is therefore always: first the body, then the command, then the reading (ADR 0025).
//!
//! ```
//! # use bootledger_web::request::backend::Backend;
//! async fn right(mut backend: Backend) {
//!     backend.reach(7).await;
//!     let reading = backend.read().await;
//!     drop(reading);
//!     backend.reach(8).await;
//! }
//! ```
//! This does not compile, because the reading would keep its connection during the wait:
//! ```compile_fail,E0499
//! # use bootledger_web::request::backend::Backend;
//! async fn wrong(mut backend: Backend) {
//!     let reading = backend.read().await;
//!     backend.reach(7).await;
//!     drop(reading);
//! }
//! ```

use super::known::{self, NO_DRY_RUN};
use super::parameters::{AT, DRY_RUN, pairs};
use super::reading::Reading;
use super::share::{Memory, Share, Shares, Who, Work};
use crate::application::Application;
use crate::auth::guard;
use crate::auth::principal::Principal;
use crate::boot::client;
use crate::boot::render;
use crate::boot::store::{Contents, StoreError};
use crate::boot::target::Target;
use crate::boot::upload::{self, Description, UploadError};
use crate::commands::{
    BootSecret, Command, CommandError, Commands, Concern, Context, Imported, NewDeployment, Ping, Power, Preview, Proposed,
    Receipt,
};
use crate::dhcp::boot_file::BootSource;
use crate::edge::position::{DEADLINE, reach};
use crate::error::Error;
use crate::library::ImageLibrary;
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use anyhow::anyhow;
use bootledger_aggregates::boot_image::BootFile;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::shortened;
use bootledger_projections::pool::Pool;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::future::{Ready, ready};
use std::sync::Arc;

/// How many of a request's commands run at the same time.
const AT_ONCE: usize = 16;

/// The connection to the domain. Handlers reach it only through a [`Backend`].
#[derive(Clone)]
pub struct Port(Arc<dyn Commands>);

impl Port {
    /// Wraps an implementation of the commands.
    pub fn new(commands: Arc<dyn Commands>) -> Self {
        Self(commands)
    }

    /// The commands themselves, for code that never holds a reading: the guard, sign-ins, and requests of machines on the boot
    /// network. A test ensures that handlers that may read do not use it.
    pub(crate) fn unguarded(&self) -> &dyn Commands {
        &*self.0
    }

    /// The conditions that limit the service at the moment. Does not wait for anything.
    pub(crate) fn concerns(&self) -> Vec<Concern> {
        self.0.concerns()
    }

    /// What is wrong with the secret of this name, if anything. Secrets are local files or variables, so this does not wait.
    pub(crate) fn secret_problem(&self, name: &Name) -> Option<String> {
        self.0.secret_problem(name)
    }

    /// The secret of this name for a boot file, or what is wrong with it.
    pub(crate) fn boot_secret(&self, name: &Name) -> Result<BootSecret, String> {
        self.0.boot_secret(name)
    }
}

/// The library of boot images and its downloads. Handlers reach it only through a [`Backend`].
#[derive(Clone)]
pub struct LibraryPort(Arc<dyn ImageLibrary>);

impl LibraryPort {
    /// Wraps an implementation of the library.
    pub fn new(library: Arc<dyn ImageLibrary>) -> Self {
        Self(library)
    }
}

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
        let application = application.ok_or_else(|| Error::Internal(anyhow!("the application is not part of this server")))?;
        // A change always applies to the present: `at` is read only for safe methods.
        let (mut at, mut dry_run) = (None, false);
        let pairs = pairs(request.query_string())?;
        known::check(request, &pairs)?;
        let mut pairs = pairs.into_iter();
        if request.method().is_safe() {
            at = pairs.find(|(name, _)| name == AT).map(|(_, value)| value);
        } else if let Some((_, value)) = pairs.find(|(name, _)| name == DRY_RUN) {
            let message = format!("dry_run: {value:?} is neither true nor false");
            let refused = || Error::bad_request(DRY_RUN, "query_malformed", shortened(message));
            dry_run = value.parse().map_err(|_| refused())?;
        }
        let views = views(&application, request).clone();
        let share = share(request, &application, &views);
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
        let share = share_of(Who::Everybody, shares.as_ref(), &views);
        Self { application, views, share, shares, at: None, dry_run: false }
    }

    /// A backend without a request, which reads through the agents' connections.
    pub(crate) fn of_nobody(application: &Application) -> Self {
        let views = application.agents.clone();
        let share = Arc::new(Share::new(Who::Unknown, connections(&views)));
        Self { application: Data::new(application.clone()), views, share, shares: None, at: None, dry_run: false }
    }

    /// Reads the views as of now, or as of the moment that `?at=` names. The reading holds a connection until it is dropped.
    ///
    /// # Errors
    /// Returns an error if `at` is not a valid moment, the caller's share is used up, or the database does not answer.
    pub async fn read(&mut self) -> Result<Reading<'_>, Error> {
        let permit = self.share.take(Work::Read).await?;
        Reading::begin(&self.views, permit, self.at.as_deref(), self.application.now).await
    }

    /// Reads the views as of now, even if the request names another moment.
    ///
    /// # Errors
    /// Returns an error if the caller's share is used up, or the database does not answer.
    pub async fn read_now(&mut self) -> Result<Reading<'_>, Error> {
        let permit = self.share.take(Work::Read).await?;
        Reading::begin(&self.views, permit, None, self.application.now).await
    }

    /// Runs a command.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn execute(&mut self, command: Command, context: Context) -> Result<Receipt, CommandError> {
        if self.dry_run {
            return Err(CommandError::Refused(vec![BrokenRule::new(DRY_RUN, "dry_run_unsupported", NO_DRY_RUN)]));
        }
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.0.execute(command, context).await
    }

    /// Whether the request is a dry run, which only checks its change.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Checks a change: returns what it would change, or why it would be refused. Nothing is changed.
    ///
    /// # Errors
    /// Returns the error that the change itself would return, or one if the caller's share is used up.
    pub async fn preview(&mut self, command: Command, context: Context) -> Result<Preview, CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.0.preview(command, context).await
    }

    /// Runs many jobs, some of them at the same time. A job is a list of commands that run one after the other until one fails.
    /// The result of a job is the result of its last command, or `None` if it has no commands.
    pub async fn execute_all(&mut self, jobs: Vec<Vec<(Command, Context)>>) -> Vec<Result<Option<Receipt>, CommandError>> {
        let this = &*self;
        let run = |job: Vec<(Command, Context)>| async move {
            let mut last = None;
            for (command, context) in job {
                let _permit = this.share.take(Work::Change).await.map_err(busy)?;
                last = Some(this.application.commands.0.execute(command, context).await?);
            }
            Ok(last)
        };
        futures::stream::iter(jobs.into_iter().map(run)).buffered(AT_ONCE).collect().await
    }

    /// Checks each of these deployments as if it were started now.
    pub async fn check_deployments(&mut self, wanted: &[NewDeployment]) -> Vec<Result<Proposed, CommandError>> {
        let this = &*self;
        let check = |wanted| async move {
            let _permit = this.share.take(Work::Change).await.map_err(busy)?;
            this.application.commands.0.check_deployment(wanted).await
        };
        futures::stream::iter(wanted.iter().map(check)).buffered(AT_ONCE).collect().await
    }

    /// Starts a deployment for every row of a CSV text, or for none.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn import(&mut self, csv: &[u8], dry_run: bool, context: Context) -> Result<Imported, CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.0.import(csv, dry_run, context).await
    }

    /// Checks a deployment as if it were started now.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn check_deployment(&mut self, wanted: &NewDeployment) -> Result<Proposed, CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.0.check_deployment(wanted).await
    }

    /// Queries a device's management controller for the power state of the server.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn power_state(&mut self, device: DeviceId, context: Context) -> Result<Power, CommandError> {
        let _permit = self.share.take(Work::Outside).await.map_err(busy)?;
        self.application.commands.0.power_state(device, context).await
    }

    /// Requests a comparison of a site's servers with the views as soon as possible.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn check_drift(&mut self, site: &Name) -> Result<(), CommandError> {
        let _permit = self.share.take(Work::Change).await.map_err(busy)?;
        self.application.commands.0.check_drift(site).await
    }

    /// Sends a test message, which is not an event, to the receiver of a webhook.
    ///
    /// # Errors
    /// Returns the domain's error, or one if the caller's share is used up.
    pub async fn ping_webhook(&mut self, webhook: &Name) -> Result<Ping, CommandError> {
        let _permit = self.share.take(Work::Outside).await.map_err(busy)?;
        self.application.commands.0.ping_webhook(webhook).await
    }

    /// Stores a boot image's file while its bytes arrive, then adds it to the image.
    ///
    /// # Errors
    /// See [`UploadError`]. After an error the image is unchanged.
    pub(crate) async fn put_file<E: Into<anyhow::Error>>(
        &mut self,
        description: Description,
        length: Option<u64>,
        body: impl Stream<Item = Result<Bytes, E>>,
        context: Context,
    ) -> Result<(BootFile, Receipt), UploadError> {
        upload::put_file(&self.application, description, length, body, context).await
    }

    /// Reads a boot file or a log from the store.
    ///
    /// # Errors
    /// Returns an error if the store has different bytes or none, or does not answer.
    pub(crate) async fn stored(&mut self, sha256: Sha256, size: u64) -> Result<Bytes, StoreError> {
        Contents::new(Arc::clone(&self.application.files)).read_whole(sha256, size).await
    }

    /// Renders a file as a server gets it, with secrets masked, and returns it with the hash of the bytes that
    /// are really served.
    ///
    /// # Errors
    /// Returns a message if the file cannot be rendered.
    pub(crate) async fn as_served(&mut self, target: &Target, name: &Name) -> Result<render::Shown, String> {
        render::as_served(&self.application, target, name).await
    }

    /// The library of boot images.
    ///
    /// # Errors
    /// Returns an error if this server has no library.
    pub fn library(&mut self) -> Result<&dyn ImageLibrary, Error> {
        let library = self.application.library.as_ref().map(|library| &*library.0);
        library.ok_or_else(|| Error::NotFound("this server has no library of boot images".to_owned()))
    }

    /// The conditions that limit the service at the moment.
    pub(crate) fn concerns(&self) -> Vec<Concern> {
        self.application.commands.concerns()
    }

    /// Waits until the views show a position. Returns whether they do so in time.
    pub async fn reach(&mut self, position: i64) -> bool {
        reach(&self.application, position, DEADLINE).await
    }

    /// What the service knows about what servers boot.
    pub(crate) fn boot_source(&self) -> BootSource {
        BootSource::of(&self.application)
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

fn connections(views: &Pool) -> u32 {
    views.connections()
}

/// The pool of connections that a request reads through. Agents and people have separate pools, so that neither can use
/// up the other's.
pub(crate) fn views<'a>(application: &'a Application, request: &HttpRequest) -> &'a Pool {
    if guard::is_for_machines(request.match_info().as_str()) { &application.agents } else { &application.views }
}

/// The share of the caller that sent a request.
fn share(request: &HttpRequest, application: &Application, views: &Pool) -> Arc<Share> {
    let who = match request.extensions().get::<Principal>() {
        Some(Principal::Token(bearer)) => Who::Token(bearer.id),
        Some(Principal::User(user)) => Who::User(user.name.clone()),
        None => address(request, application),
    };
    share_of(who, request.app_data(), views)
}

/// The share of the address that a request comes from, for reads before the caller is authenticated.
pub(crate) fn share_of_address(request: &HttpRequest, application: &Application) -> Arc<Share> {
    share_of(address(request, application), request.app_data(), views(application, request))
}

fn address(request: &HttpRequest, application: &Application) -> Who {
    client::any_address(request, &application.trusted_proxies).map_or(Who::Unknown, Who::Address)
}

fn share_of(who: Who, shares: Option<&Data<Shares>>, views: &Pool) -> Arc<Share> {
    match shares {
        Some(shares) => shares.of(who, connections(views)),
        None => Arc::new(Share::new(who, connections(views))),
    }
}

/// The memory for the body of a request, as part of its caller's share.
pub(crate) fn memory(request: &HttpRequest) -> Memory {
    let share = match request.app_data::<Data<Application>>() {
        Some(application) => share(request, application, views(application, request)),
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
