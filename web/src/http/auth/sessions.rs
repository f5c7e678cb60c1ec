//! Checks the sessions of signed-in users, and regularly replaces their secrets.
//!
//! A new secret reaches the browser with an answer, which may be lost. So the previous secret stays valid until the browser has
//! used the new one, and for one more minute, because requests overtake each other.

use super::principal::{Principal, SignedIn};
use super::recent_passwords::RecentPasswords;
use super::token::Secret;
use super::tokens::in_time;
use crate::http::application::Application;
use crate::http::error::Error;
use actix_web::HttpRequest;
use bootledger_aggregates::session::{GRACE_SECONDS, IDLE_SECONDS, ROTATED_SECONDS};
use bootledger_aggregates::user::SignIn;
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::rows::accounts::{self, Live};
use subtle::ConstantTimeEq;

/// How precisely the time of a session's last use is recorded, in seconds.
const SEEN_SECONDS: i64 = 60;

/// A live session.
pub(super) struct Opened {
    pub(super) user: SignedIn,
    /// The new secret, for the browser to store.
    pub(super) next: Option<Secret>,
}

/// The secret that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Newest,
    Before,
}

/// Opens the session that a request presents; `None` if it is unknown, wrong or has ended. `keeps` is whether the browser
/// certainly stores the answer's cookie: it does for a page, but the answer for a part of a page may be discarded.
pub(super) async fn open(
    request: &HttpRequest,
    application: &Application,
    known: Option<&RecentPasswords>,
    (id, secret): (SessionId, Secret),
    keeps: bool,
) -> Result<Option<Opened>, Error> {
    let key = (id.0, secret.sha256());
    let position = *application.position.borrow();
    if let Some(Principal::User(user)) = known.and_then(|known| known.find(key, position)) {
        return Ok(Some(Opened { user, next: None }));
    }
    let Some(live) = look_up(request, application, id).await? else { return Ok(None) };
    let now = (application.now)();
    let Some(which) = which(&live, key.1, now) else { return Ok(None) };
    let due = is_due(&live, which, now);
    let next = if keeps && due { replace(application, id, key.1).await } else { None };
    let unconfirmed = which == Which::Newest && !live.confirmed;
    if next.is_none() && (unconfirmed || now >= live.last_seen.plus_seconds(SEEN_SECONDS)) {
        let noted = application.commands.unguarded().saw_session(id, which == Which::Newest).await;
        if let Err(error) = noted {
            tracing::warn!("cannot record the use of a session: {error}");
        }
    }
    let user = signed_in(id, live);
    // A session whose secret is due for replacement is looked up each time, so that the next page replaces it.
    if let Some(known) = known.filter(|_| !due) {
        known.remember(key, Principal::User(user.clone()), position);
    }
    Ok(Some(Opened { user, next }))
}

/// Looks the session up again, whatever its secret is now; for answers that take long.
pub(super) async fn still(request: &HttpRequest, application: &Application, id: SessionId) -> Result<Option<SignedIn>, Error> {
    let live = look_up(request, application, id).await?.filter(|live| !is_over(live, (application.now)()));
    Ok(live.map(|live| signed_in(id, live)))
}

/// The user of a session, which may have ended, if a request presents one of its secrets. The session admits no one then, but the
/// secret proves which browser had it.
pub(super) async fn owner(
    request: &HttpRequest,
    application: &Application,
    (id, secret): (SessionId, Secret),
) -> Result<Option<UserName>, Error> {
    let live = look_up(request, application, id).await?;
    Ok(live.filter(|live| is_of(live, secret.sha256())).map(|live| live.name))
}

async fn look_up(request: &HttpRequest, application: &Application, id: SessionId) -> Result<Option<Live>, Error> {
    in_time(request, application, async |mut connection| accounts::live(&mut connection, id).await).await
}

fn signed_in(session: SessionId, live: Live) -> SignedIn {
    let one_time = matches!(live.user.sign_in, SignIn::Password { one_time: true, .. });
    SignedIn { name: live.name, display_name: live.user.display_name, role: live.user.role, session, one_time }
}

fn is_over(live: &Live, now: Timestamp) -> bool {
    !live.admitted || now >= live.expires || now >= live.last_seen.plus_seconds(IDLE_SECONDS)
}

/// Which of the session's secrets was presented; `None` if it is neither.
fn which(live: &Live, presented: Sha256, now: Timestamp) -> Option<Which> {
    let same = |stored: Sha256| bool::from(stored.bytes().ct_eq(presented.bytes()));
    let newest = same(live.sha256);
    let before = live.previous.is_some_and(same) && (!live.confirmed || live.previous_until.is_some_and(|until| now < until));
    if is_over(live, now) {
        return None;
    }
    if newest { Some(Which::Newest) } else { before.then_some(Which::Before) }
}

/// Whether a secret is or was the session's, regardless of whether it still opens it.
fn is_of(live: &Live, presented: Sha256) -> bool {
    let same = |stored: Sha256| bool::from(stored.bytes().ct_eq(presented.bytes()));
    let (newest, previous) = (same(live.sha256), live.previous.is_some_and(same));
    newest || previous
}

/// Whether to replace the secret: the newest is old, or the browser never got it.
fn is_due(live: &Live, which: Which, now: Timestamp) -> bool {
    match which {
        Which::Newest => now >= live.rotated_at.plus_seconds(ROTATED_SECONDS),
        Which::Before => !live.confirmed && now >= live.rotated_at.plus_seconds(GRACE_SECONDS),
    }
}

async fn replace(application: &Application, id: SessionId, presented: Sha256) -> Option<Secret> {
    let next = Secret::random();
    match application.commands.unguarded().rotate_session(id, presented, next.sha256()).await {
        Ok(true) => Some(next),
        // Another request at the same moment was faster.
        Ok(false) => None,
        Err(error) => {
            tracing::warn!("cannot replace the secret of a session: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::session::LONGEST_SECONDS;
    use bootledger_aggregates::user::Role;
    use bootledger_aggregates::values::text::Text;
    use bootledger_projections::rows::accounts::UserView;

    fn sha(byte: u8) -> Sha256 {
        Sha256::new([byte; 32])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_seconds(seconds)
    }

    /// A session with the secret 2, previously 1, that got its secret and was used at 0.
    fn live(confirmed: bool) -> Live {
        Live {
            name: "ada".parse().expect("a name"),
            user: UserView {
                display_name: Text::default(),
                role: Role::Viewer,
                sign_in: SignIn::OpenidConnect,
                link: None,
                created_at: at(0),
                locked_out: None,
                unlocked: None,
            },
            admitted: true,
            sha256: sha(2),
            previous: Some(sha(1)),
            previous_until: confirmed.then(|| at(GRACE_SECONDS)),
            confirmed,
            rotated_at: at(0),
            last_seen: at(0),
            expires: at(LONGEST_SECONDS),
        }
    }

    #[test]
    fn the_previous_secret_is_accepted_until_a_minute_after_the_first_use_of_the_new_one() {
        assert_eq!(which(&live(false), sha(1), at(3000)), Some(Which::Before), "the answer was lost");
        assert_eq!(which(&live(true), sha(1), at(59)), Some(Which::Before));
        assert_eq!(which(&live(true), sha(1), at(60)), None);
        assert_eq!(which(&live(true), sha(2), at(60)), Some(Which::Newest));
        assert_eq!(which(&live(true), sha(3), at(0)), None);
    }

    #[test]
    fn a_session_is_over_when_it_is_ended_not_used_or_too_old() {
        assert_eq!(which(&Live { admitted: false, ..live(true) }, sha(2), at(0)), None);
        assert_eq!(which(&live(true), sha(2), at(IDLE_SECONDS - 1)), Some(Which::Newest));
        assert_eq!(which(&live(true), sha(2), at(IDLE_SECONDS)), None);
        let used = Live { last_seen: at(LONGEST_SECONDS - 1), ..live(true) };
        assert_eq!(which(&used, sha(2), at(LONGEST_SECONDS - 1)), Some(Which::Newest));
        assert_eq!(which(&used, sha(2), at(LONGEST_SECONDS)), None);
    }

    #[test]
    fn a_secret_belongs_to_its_session_even_after_its_end() {
        let ended = Live { admitted: false, ..live(true) };
        assert!(is_of(&ended, sha(2)) && is_of(&ended, sha(1)));
        assert!(!is_of(&ended, sha(3)) && !is_of(&Live { previous: None, ..ended }, sha(1)));
    }

    #[test]
    fn a_secret_is_replaced_when_it_is_old_or_never_arrived() {
        assert!(!is_due(&live(true), Which::Newest, at(ROTATED_SECONDS - 1)));
        assert!(is_due(&live(true), Which::Newest, at(ROTATED_SECONDS)));
        assert!(!is_due(&live(false), Which::Before, at(1)), "the answer with the new one may be on its way");
        assert!(is_due(&live(false), Which::Before, at(GRACE_SECONDS)));
        assert!(!is_due(&live(true), Which::Before, at(GRACE_SECONDS)), "a client has the new one");
    }
}
