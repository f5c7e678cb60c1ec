//! Limits of what each caller may use at the same time. Every caller has its own share, so that no caller can use up what
//! belongs to all.
//!
//! A caller is a user, a token or, without a sign-in, an address. A share is used only while a request reads the views, runs a
//! command or waits for another system. A request that sends its body, a long poll that waits for news, and a live page between
//! two messages use nothing of it. A request that exceeds the share waits, and is refused after [`PATIENCE`].

use crate::http::access::is_for_machines;
use crate::http::application::Application;
use crate::http::client;
use crate::http::error::Error;
use actix_web::HttpRequest;
use actix_web::web::Data;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::database::pool::Pool;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// How long a request waits for its caller's share.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many requests of a caller may wait for each part of its share. Further ones are refused immediately.
const WAITING: usize = 500;
/// How many requests to other systems (controllers, webhook receivers, mirrors) a caller may have in progress.
const OUTSIDE: usize = 8;
/// How many units of memory the bodies of a caller may fill while they arrive, and until a file is processed: 256 MiB.
const MEMORY: usize = 4_096;
/// The size of a unit, in bytes.
const UNIT: usize = 64 << 10;
/// How many files, such as exports, a caller may download at the same time. Each is on the disk until it has been sent.
const FILES: usize = 2;
/// How many such files the process keeps at the same time.
static ALL_FILES: Semaphore = Semaphore::const_new(10);
/// How many callers are remembered before those without a request are forgotten.
const REMEMBERED: usize = 1_000;

/// The owner of a share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// A token's bearer.
    Token(TokenId),
    /// A user, with all of the user's sessions.
    User(UserName),
    /// An address without a sign-in. An IPv6 address uses the share of its /64 network.
    Address(IpAddr),
    /// Work that is done once for everyone who needs it, such as a DHCP configuration or a live page. The caller who happens to
    /// be first must not make others wait for that caller's exhausted share.
    Anonymous,
    /// A request without an address, such as one in a test.
    Unknown,
}

impl Who {
    fn words(&self) -> String {
        match self {
            Self::Token(id) => format!("the token {id}"),
            Self::User(name) => format!("the user {name}"),
            Self::Address(address) => format!("the address {address}"),
            Self::Anonymous => "the anonymous clients".to_owned(),
            Self::Unknown => "a client without an address".to_owned(),
        }
    }
}

/// The kinds of work that a share limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Reading the views.
    Read,
    /// Running a command.
    Change,
    /// Waiting for another system.
    Outside,
}

/// A part of a share while it is in use.
#[derive(Debug)]
pub(crate) struct Permit {
    #[expect(dead_code, reason = "it counts until it is dropped")]
    held: OwnedSemaphorePermit,
    files: Arc<Files>,
}

impl Permit {
    /// Takes a part of the same caller's share for a file that the caller downloads. It lasts longer than the request: until the
    /// file has been sent.
    ///
    /// # Errors
    /// Returns [`Error::Busy`] if the caller downloads too many files, and [`Error::Unavailable`] if all callers together do.
    pub(crate) fn file(&self) -> Result<FilePermit, Error> {
        self.files.take(&ALL_FILES)
    }
}

/// The files that one caller downloads.
#[derive(Debug)]
struct Files {
    who: Who,
    free: Arc<Semaphore>,
}

/// A file that a caller downloads, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "it counts until it is dropped")]
pub(crate) struct FilePermit {
    own: OwnedSemaphorePermit,
    of_all: SemaphorePermit<'static>,
    /// The caller is remembered for as long as the caller's permits count.
    files: Arc<Files>,
}

impl Files {
    fn take(self: &Arc<Self>, all: &'static Semaphore) -> Result<FilePermit, Error> {
        let own = Arc::clone(&self.free).try_acquire_owned().map_err(|_| Error::Busy {
            message: format!(
                "{} already downloads {FILES} files, which the service keeps on its disk until they arrive. Wait for one of them \
                 or cancel it, then retry",
                self.who.words()
            ),
            retry_after: 30,
        })?;
        let of_all = all.try_acquire().map_err(|_| {
            Error::unavailable("other users download as many files as the service keeps on its disk; retry in a minute", 60)
        })?;
        Ok(FilePermit { own, of_all, files: Arc::clone(self) })
    }
}

/// The share of one caller.
#[derive(Debug)]
pub(crate) struct Share {
    who: Who,
    reads: Part,
    changes: Part,
    outside: Part,
    memory: Part,
    files: Arc<Files>,
}

#[derive(Debug)]
struct Part {
    most: usize,
    free: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Part {
    fn new(most: usize) -> Self {
        Self { most, free: Arc::new(Semaphore::new(most)), waiting: Arc::new(Semaphore::new(most + WAITING)) }
    }
}

impl Share {
    /// The share of a caller whose kind of callers has this many connections in total.
    pub(crate) fn new(who: Who, connections: u32) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        // A command uses a connection only briefly, and a group of commands is appended together.
        let (reads, changes) = ((connections / 3).clamp(1, 8), (connections * 2 / 3).clamp(2, 16));
        let files = Arc::new(Files { who: who.clone(), free: Arc::new(Semaphore::new(FILES)) });
        let (outside, memory) = (Part::new(OUTSIDE), Part::new(MEMORY));
        Self { who, reads: Part::new(reads), changes: Part::new(changes), outside, memory, files }
    }

    /// Takes a part of the share as soon as one is free.
    pub(crate) async fn take(&self, work: Work) -> Result<Permit, Error> {
        self.take_within(work, PATIENCE).await
    }

    async fn take_within(&self, work: Work, patience: Duration) -> Result<Permit, Error> {
        let (part, doing) = match work {
            Work::Read => (&self.reads, "read"),
            Work::Change => (&self.changes, "run commands"),
            Work::Outside => (&self.outside, "wait for other systems"),
        };
        let limit = || format!("at most {} of its requests may {doing} at the same time", part.most);
        let held = self.take_of(part, 1, patience, limit).await?;
        Ok(Permit { held, files: Arc::clone(&self.files) })
    }

    async fn take_of(
        &self,
        part: &Part,
        units: u32,
        patience: Duration,
        limit: impl Fn() -> String,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let busy = || Error::Busy {
            message: format!("{} uses its whole share: {}. Wait for the responses, then retry", self.who.words(), limit()),
            retry_after: 2,
        };
        let _waits = Arc::clone(&part.waiting).try_acquire_owned().map_err(|_| busy())?;
        let free = Arc::clone(&part.free).acquire_many_owned(units);
        let taken = tokio::time::timeout(patience, free).await.map_err(|_| busy())?;
        taken.map_err(|closed| Error::Internal(closed.into()))
    }
}

/// The memory that a body fills, as part of its caller's share.
#[derive(Debug)]
pub(crate) struct Memory {
    share: Arc<Share>,
    held: Option<OwnedSemaphorePermit>,
    units: usize,
}

impl Memory {
    /// The memory of a body that has not begun to arrive.
    pub(crate) fn of(share: Arc<Share>) -> Self {
        Self { share, held: None, units: 0 }
    }

    /// Extends the memory to this many bytes in total.
    pub(crate) async fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let more = bytes.div_ceil(UNIT).saturating_sub(self.units);
        if more > 0 {
            let units = u32::try_from(more).unwrap_or(u32::MAX);
            let limit = || format!("the bodies of its requests may fill at most {} MiB", (MEMORY * UNIT) >> 20);
            let permit = self.share.take_of(&self.share.memory, units, PATIENCE, limit).await?;
            match &mut self.held {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            }
            self.units += more;
        }
        Ok(())
    }
}

/// The shares of all callers of a process.
#[derive(Debug, Default)]
pub(crate) struct Shares(Mutex<HashMap<Who, Arc<Share>>>);

impl Shares {
    /// The share of a caller.
    pub(crate) fn of(&self, who: Who, connections: u32) -> Arc<Share> {
        let who = match who {
            Who::Address(IpAddr::V6(address)) => Who::Address(IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into())),
            other => other,
        };
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= REMEMBERED && !shares.contains_key(&who) {
            // A share that no request refers to has nothing in use, so that a new one is equal to it.
            shares.retain(|_, share| Arc::strong_count(share) > 1 || Arc::strong_count(&share.files) > 1);
        }
        Arc::clone(shares.entry(who).or_insert_with_key(|who| Arc::new(Share::new(who.clone(), connections))))
    }
}

/// The pool of connections that a request reads through. Agents and people have separate pools, so that neither can use
/// up the other's.
pub(super) fn views<'a>(application: &'a Application, request: &HttpRequest) -> &'a Pool {
    if is_for_machines(request.match_info().as_str()) { &application.agents } else { &application.views }
}

/// The share of a caller whose requests read through these connections.
pub(super) fn of(who: Who, shares: Option<&Data<Shares>>, views: &Pool) -> Arc<Share> {
    match shares {
        Some(shares) => shares.of(who, views.connections()),
        None => Arc::new(Share::new(who, views.connections())),
    }
}

/// The share of the address that a request comes from, for reads before the caller is authenticated.
pub(super) fn of_address(request: &HttpRequest, application: &Application) -> Arc<Share> {
    let address = client::any_address(request, &application.trusted_proxies);
    of(address.map_or(Who::Unknown, Who::Address), request.app_data(), views(application, request))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn user(name: &str) -> Who {
        Who::User(name.parse().expect("a name"))
    }

    #[tokio::test]
    async fn a_caller_beyond_its_share_waits_and_is_refused_with_the_limit_while_others_notice_nothing() {
        let shares = Shares::default();
        let ada = shares.of(user("ada"), 4);
        let first = ada.take(Work::Read).await.expect("a permit");
        let error = shares.of(user("ada"), 4).take_within(Work::Read, Duration::ZERO).await.expect_err("refused");
        assert_eq!(error.problem().status, 503);
        let expected = "the user ada uses its whole share: at most 1 of its requests may read at the same time. Wait for \
                        the responses, then retry";
        assert_eq!(error.to_string(), expected);
        assert!(ada.take(Work::Change).now_or_never().is_some(), "a change waits for readings");
        assert!(shares.of(user("grace"), 4).take(Work::Read).now_or_never().is_some(), "another caller waits");
        drop(first);
        assert!(ada.take(Work::Read).now_or_never().is_some());
    }

    #[tokio::test]
    async fn more_than_can_wait_are_refused_at_once() {
        let share = Share::new(user("ada"), 3);
        let _held = share.take(Work::Read).await.expect("a permit");
        let mut waiting: Vec<_> = (0..=WAITING).map(|_| Box::pin(share.take(Work::Read))).collect();
        for waits in &mut waiting {
            assert!(waits.now_or_never().is_none());
        }
        assert!(matches!(share.take(Work::Read).now_or_never(), Some(Err(Error::Busy { .. }))));
    }

    #[tokio::test]
    async fn downloads_are_limited_for_each_caller_and_for_all_until_they_end() {
        static ALL: Semaphore = Semaphore::const_new(FILES + 1);
        let shares = Shares::default();
        let [ada, bob] = ["ada", "bob"].map(|name| Arc::clone(&shares.of(user(name), 24).files));
        let mut held: Vec<_> = (0..FILES).map(|_| ada.take(&ALL).expect("a permit")).collect();
        let refused = ada.take(&ALL).expect_err("too many of one caller");
        assert!(matches!(refused, Error::Busy { .. }) && refused.to_string().contains("the user ada"), "{refused}");
        let other = bob.take(&ALL).expect("another caller");
        assert!(matches!(bob.take(&ALL), Err(Error::Unavailable { .. })), "too many of all");
        // A caller who has no request, but still downloads, is not forgotten.
        let own = Arc::downgrade(&ada);
        drop(ada);
        for number in 0..=u32::try_from(REMEMBERED).expect("a number") {
            shares.of(Who::Address(IpAddr::V4(number.into())), 24);
        }
        let again = Arc::clone(&shares.of(user("ada"), 24).files);
        assert!(own.upgrade().is_some_and(|own| Arc::ptr_eq(&own, &again)));
        drop(held.pop());
        drop(other);
        assert!(again.take(&ALL).is_ok());
    }

    #[tokio::test]
    async fn the_bodies_of_a_caller_fill_a_bounded_memory() {
        let share = Arc::new(Share::new(user("ada"), 24));
        let mut first = Memory::of(Arc::clone(&share));
        first.grow(1).await.expect("a unit");
        first.grow(MEMORY * UNIT - UNIT).await.expect("all but one");
        let mut second = Memory::of(Arc::clone(&share));
        assert!(second.grow(UNIT).now_or_never().is_some());
        assert!(Memory::of(share).grow(1).now_or_never().is_none(), "there is more than all");
        drop(first);
        assert!(second.grow(2 * UNIT).now_or_never().is_some());
    }

    #[test]
    fn callers_without_a_request_are_forgotten_and_a_network_has_one_share() {
        let shares = Shares::default();
        let kept = shares.of(user("ada"), 24);
        for number in 0..=u32::try_from(REMEMBERED).expect("a number") * 2 {
            shares.of(Who::Address(IpAddr::V4(number.into())), 24);
        }
        assert!(shares.0.lock().expect("no panic").len() <= REMEMBERED);
        assert!(Arc::ptr_eq(&kept, &shares.of(user("ada"), 24)));
        let [one, other] = ["2001:db8::1", "2001:db8::2"].map(|text| Who::Address(text.parse().expect("an address")));
        assert!(Arc::ptr_eq(&shares.of(one, 24), &shares.of(other, 24)));
    }
}
