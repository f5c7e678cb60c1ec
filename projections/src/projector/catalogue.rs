//! Applies catalogue events to the views.

use super::runs::{self, Signal};
use super::state::{CatalogueRow, State};
use crate::rows::accounts::{Ended, LockedOut, SessionView, UserView};
use crate::rows::bulk::BulkView;
use crate::rows::catalogue::{
    Beginning, Confirmed, DhcpServerView, Failing, Paused, SavedViewView, TokenView, VentureView, WebhookView,
};
use crate::rows::drift::{DriftView, Ordered};
use crate::rows::parked::ParkedReason;
use crate::rows::reservations::ReservationView;
use bootledger_aggregates::boot_image::{BootImage, BootImageEvent};
use bootledger_aggregates::bulk::{Bulk, BulkCounts, BulkEvent, Started};
use bootledger_aggregates::dhcp_server::DhcpServerEvent;
use bootledger_aggregates::drift::{DriftEvent, DriftKey, Subject};
use bootledger_aggregates::event::{Event, Recorded};
use bootledger_aggregates::network::{NetworkEvent, NetworkSpec};
use bootledger_aggregates::rack::RackEvent;
use bootledger_aggregates::reservation::ReservationEvent;
use bootledger_aggregates::saved_view::SavedViewEvent;
use bootledger_aggregates::secret::SecretEvent;
use bootledger_aggregates::session::SessionEvent;
use bootledger_aggregates::site::SiteEvent;
use bootledger_aggregates::token::TokenEvent;
use bootledger_aggregates::user::{Limited, SignIn, UserEvent};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::VentureEvent;
use bootledger_aggregates::webhook::WebhookEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The kind and key of a catalogue entry.
pub(super) type Key = (&'static str, String);

/// The catalogue entry that an event belongs to.
pub(super) fn key(event: &Event) -> Option<Key> {
    match event {
        Event::Deployment(..) | Event::Device(..) => None,
        Event::Site(key, _) => Some(("site", key.to_string())),
        Event::Rack(key, _) => Some(("rack", key.to_string())),
        Event::Network(key, _) => Some(("network", key.to_string())),
        Event::DhcpServer(key, _) => Some(("dhcp_server", key.to_string())),
        Event::Venture(key, _) => Some(("venture", key.to_string())),
        Event::BootImage(key, _) => Some(("boot_image", key.to_string())),
        Event::Token(key, _) => Some(("token", key.to_string())),
        Event::User(key, _) => Some(("user", key.to_string())),
        Event::Session(key, _) => Some(("session", key.to_string())),
        Event::Drift(key, _) => Some(("drift", key.to_string())),
        Event::Webhook(key, _) => Some(("webhook", key.to_string())),
        Event::Secret(key, _) => Some(("secret", key.to_string())),
        Event::Reservation(ip, _) => Some(("reservation", ip.to_string())),
        Event::Bulk(key, _) => Some(("bulk", key.to_string())),
        Event::SavedView(key, _) => Some(("saved_view", key.to_string())),
    }
}

/// What plugins may be waiting for and this event may provide.
pub(super) fn signal(event: &Event) -> Option<Signal> {
    let Event::DhcpServer(name, event) = event else { return None };
    let (site, confirmed) = match event {
        DhcpServerEvent::DhcpServerDefined { spec } => (&spec.site, i64::MAX),
        DhcpServerEvent::ConfigurationConfirmed { site, position, .. } => (site, *position),
        DhcpServerEvent::DhcpServerRetired { site } | DhcpServerEvent::ConfigurationFailed { site, .. } => (site, i64::MAX),
    };
    Some(Signal { keys: vec![format!("dhcp-server:{name}"), format!("dhcp-site:{site}")], confirmed })
}

/// Applies the event, or changes nothing and returns why it does not fit.
pub(super) fn apply(state: &mut State, recorded: &Recorded) -> Result<(), ParkedReason> {
    let position = recorded.position;
    match &recorded.event {
        Event::Deployment(..) | Event::Device(..) => Ok(()),
        Event::Site(name, SiteEvent::SiteDefined { spec }) => {
            put(state, recorded, spec, false)?;
            state.touch_site(name, position);
            Ok(())
        }
        Event::Site(name, SiteEvent::SiteRetired {}) => {
            retire(state, recorded)?;
            state.touch_site(name, position);
            Ok(())
        }
        Event::Rack(_, RackEvent::RackDefined { spec }) => put(state, recorded, spec, false),
        Event::Network(_, NetworkEvent::NetworkDefined { spec }) => {
            let old = current::<NetworkSpec>(state, recorded).ok().map(|(old, _)| old.site);
            put(state, recorded, spec, false)?;
            for site in old.iter().chain([&spec.site]) {
                state.touch_site(site, position);
            }
            Ok(())
        }
        Event::Network(_, NetworkEvent::NetworkRetired {}) => {
            let (spec, _) = current::<NetworkSpec>(state, recorded)?;
            state.touch_site(&spec.site, position);
            retire(state, recorded)
        }
        Event::DhcpServer(_, event) => dhcp_server(state, recorded, event),
        Event::Venture(_, event) => venture(state, recorded, event),
        Event::BootImage(_, event) => boot_image(state, recorded, event),
        Event::Token(_, TokenEvent::TokenCreated { name, scope, expires }) => {
            let (name, scope) = (name.clone(), scope.clone());
            put(state, recorded, &TokenView { name, scope, expires: *expires, created_at: recorded.recorded_at }, false)
        }
        Event::User(_, event) => user(state, recorded, event),
        Event::Session(_, event) => session(state, recorded, event),
        Event::Drift(key, event) => drift(state, recorded, key, event),
        Event::Webhook(_, event) => webhook(state, recorded, event),
        Event::Bulk(_, event) => bulk(state, recorded, event),
        Event::Secret(_, SecretEvent::SecretScopeDefined { spec }) => put(state, recorded, spec, false),
        Event::SavedView(_, SavedViewEvent::ViewSaved { owner, spec }) => {
            put(state, recorded, &SavedViewView { owner: owner.clone(), spec: (**spec).clone() }, false)
        }
        Event::Reservation(_, ReservationEvent::AddressReserved { network, spec }) => {
            let (network, spec, reserved_by) = (network.clone(), spec.clone(), recorded.actor.clone());
            put(state, recorded, &ReservationView { network, spec, reserved_by, reserved_at: recorded.recorded_at }, false)
        }
        Event::Reservation(_, ReservationEvent::AddressReleased { .. } | ReservationEvent::ReservationExpired { .. })
        | Event::Rack(_, RackEvent::RackRetired {})
        | Event::Token(_, TokenEvent::TokenRevoked {})
        | Event::SavedView(_, SavedViewEvent::ViewDeleted {})
        | Event::Secret(_, SecretEvent::SecretScopeRetired {}) => retire(state, recorded),
    }
}

fn dhcp_server(state: &mut State, recorded: &Recorded, event: &DhcpServerEvent) -> Result<(), ParkedReason> {
    use DhcpServerEvent as E;
    let mut sites: Vec<Name> = vec![];
    match event {
        E::DhcpServerDefined { spec } => {
            let old = current::<DhcpServerView>(state, recorded).ok();
            sites.extend(old.iter().map(|(old, _)| old.spec.site.clone()).chain([spec.site.clone()]));
            // As in the aggregate, a server that moves to another site or kind, or that was retired and comes back, has
            // confirmed nothing yet.
            let (confirmed, failing) = match old {
                Some((old, false)) if old.spec.site == spec.site && old.spec.kind == spec.kind => (old.confirmed, old.failing),
                Some((old, false)) => (None, old.failing),
                _ => (None, None),
            };
            put(state, recorded, &DhcpServerView { spec: spec.clone(), confirmed, failing }, false)?;
        }
        E::DhcpServerRetired { site } => {
            retire(state, recorded)?;
            sites.push(site.clone());
        }
        E::ConfigurationConfirmed { revision, position, .. } => {
            let (view, retired) = current::<DhcpServerView>(state, recorded)?;
            let confirmed = Some(Confirmed { revision: *revision, position: *position, at: recorded.recorded_at });
            put(state, recorded, &DhcpServerView { confirmed, failing: None, ..view }, retired)?;
        }
        E::ConfigurationFailed { revision, message, .. } => {
            let (view, retired) = current::<DhcpServerView>(state, recorded)?;
            let failing = Some(Failing { revision: *revision, message: message.clone(), at: recorded.recorded_at });
            put(state, recorded, &DhcpServerView { failing, ..view }, retired)?;
        }
    }
    for site in &sites {
        state.touch_site(site, recorded.position);
    }
    if let Some(signal) = signal(&recorded.event) {
        runs::signal(state, &signal, recorded);
    }
    Ok(())
}

fn venture(state: &mut State, recorded: &Recorded, event: &VentureEvent) -> Result<(), ParkedReason> {
    let known = current::<VentureView>(state, recorded);
    let view = match (event, known) {
        (VentureEvent::VentureDefined { spec }, Ok((view, false))) => VentureView { spec: spec.clone(), ..view },
        (VentureEvent::VentureDefined { spec }, _) => VentureView { spec: spec.clone(), ..VentureView::default() },
        (VentureEvent::RoleDefined { role, spec }, known) => {
            let mut view = known?.0;
            view.roles.insert(role.clone(), spec.clone());
            view
        }
        (VentureEvent::RoleRetired { role }, known) => {
            let mut view = known?.0;
            view.roles.remove(role);
            view
        }
        (VentureEvent::VentureRetired {}, _) => return retire(state, recorded),
    };
    put(state, recorded, &view, false)
}

fn boot_image(state: &mut State, recorded: &Recorded, event: &BootImageEvent) -> Result<(), ParkedReason> {
    let mut image = match (event, current::<BootImage>(state, recorded)) {
        (_, Ok((image, _))) => image,
        (BootImageEvent::BootImageDefined { .. }, Err(_)) => BootImage::default(),
        (_, Err(reason)) => return Err(reason),
    };
    image.evolve(event.clone());
    put(state, recorded, &image, image.retired)
}

fn bulk(state: &mut State, recorded: &Recorded, event: &BulkEvent) -> Result<(), ParkedReason> {
    let mut view = match (event, current::<BulkView>(state, recorded)) {
        (_, Ok((view, _))) => view,
        (BulkEvent::BulkStarted { .. }, Err(_)) => BulkView {
            bulk: Bulk::default(),
            counts: BulkCounts::default(),
            started_by: recorded.actor.clone(),
            started_at: recorded.recorded_at,
            ended_at: None,
        },
        (_, Err(reason)) => return Err(reason),
    };
    view.bulk.evolve(event.clone());
    let started = view.bulk.started();
    let running = started.is_some_and(Started::is_running);
    view.counts = started.map(Started::counts).unwrap_or_default();
    view.ended_at = if running { None } else { Some(recorded.recorded_at) };
    put(state, recorded, &view, !running)
}

fn user(state: &mut State, recorded: &Recorded, event: &UserEvent) -> Result<(), ParkedReason> {
    use UserEvent as E;
    if let E::UserCreated { display_name, role, sign_in } = event {
        let (display_name, created_at) = (display_name.clone(), recorded.recorded_at);
        let view =
            UserView { display_name, role: *role, sign_in: *sign_in, link: None, created_at, locked_out: None, unlocked: None };
        return put(state, recorded, &view, false);
    }
    let (mut view, mut disabled) = current::<UserView>(state, recorded)?;
    match event {
        E::UserCreated { .. } | E::UserSignInsFailed(_) => {}
        E::UserRoleChanged { role } => view.role = *role,
        E::UserPasswordChanged { password, one_time } => {
            view.sign_in = SignIn::Password { password: *password, one_time: *one_time };
        }
        E::UserLinked { link } => view.link = Some(link.clone()),
        E::UserDisabled {} => disabled = true,
        E::UserEnabled {} => disabled = false,
        E::UserLockedOut { limited, at } => {
            let everywhere = *limited == Limited::Everywhere;
            view.locked_out = Some(LockedOut { client: limited.client(), everywhere, at: *at });
        }
        E::UserUnlocked {} => {
            view.locked_out = None;
            view.unlocked = Some(recorded.recorded_at);
        }
    }
    put(state, recorded, &view, disabled)
}

fn session(state: &mut State, recorded: &Recorded, event: &SessionEvent) -> Result<(), ParkedReason> {
    match event {
        SessionEvent::SessionStarted(spec) => {
            let view = SessionView { session: spec.clone(), started_at: recorded.recorded_at, ended: None };
            put(state, recorded, &view, false)
        }
        // No session started, so there is nothing to list: the timeline has the event.
        SessionEvent::UnknownUserSignInsFailed(_) => Ok(()),
        SessionEvent::SessionEnded { reason } => {
            let (view, _) = current::<SessionView>(state, recorded)?;
            let ended = Some(Ended { reason: *reason, at: recorded.recorded_at });
            put(state, recorded, &SessionView { ended, ..view }, true)
        }
    }
}

fn drift(state: &mut State, recorded: &Recorded, key: &DriftKey, event: &DriftEvent) -> Result<(), ParkedReason> {
    let open = current::<DriftView>(state, recorded);
    let view = match event {
        DriftEvent::DriftFound { difference } => {
            let since = open.ok().filter(|(_, ended)| !ended).map_or(recorded.recorded_at, |(view, _)| view.since);
            DriftView { difference: difference.clone(), since, ordered: None, problem: None }
        }
        DriftEvent::DriftRepairOrdered {} => {
            // The DHCP server's agent has to confirm again what the server runs, as after any change of its site.
            if let Subject::Dhcp { .. } = key.subject {
                state.touch_site(&key.site, recorded.position);
            }
            let ordered = Some(Ordered { by: recorded.actor.clone(), at: recorded.recorded_at });
            DriftView { ordered, problem: None, ..open?.0 }
        }
        DriftEvent::DriftRepairFailed { problem } => DriftView { ordered: None, problem: Some(problem.clone()), ..open?.0 },
        DriftEvent::DriftEnded { .. } => return retire(state, recorded),
    };
    put(state, recorded, &view, false)
}

fn webhook(state: &mut State, recorded: &Recorded, event: &WebhookEvent) -> Result<(), ParkedReason> {
    use WebhookEvent as E;
    let known = current::<WebhookView>(state, recorded);
    let view = match (event, known) {
        (E::WebhookDefined { spec }, Ok((view, false))) => WebhookView { spec: (**spec).clone(), ..view },
        (E::WebhookDefined { spec }, _) => {
            let begins = Beginning { after: recorded.position, set_at: recorded.position };
            WebhookView { spec: (**spec).clone(), begins, paused: None }
        }
        (E::WebhookPaused { reason }, known) => {
            let paused = Some(Paused { since: recorded.recorded_at, reason: reason.clone() });
            WebhookView { paused, ..known?.0 }
        }
        (E::WebhookResumed {}, known) => WebhookView { paused: None, ..known?.0 },
        (E::WebhookPositionSet { after, .. }, known) => {
            WebhookView { begins: Beginning { after: *after, set_at: recorded.position }, ..known?.0 }
        }
        // The webhook's courier reads the skip from the log. The new sequence number shows that there is something to read.
        (E::WebhookEventSkipped { .. }, known) => known?.0,
        (E::WebhookRetired {}, _) => return retire(state, recorded),
    };
    put(state, recorded, &view, false)
}

/// The current description, and whether the entry is retired.
fn current<T: DeserializeOwned>(state: &State, recorded: &Recorded) -> Result<(T, bool), ParkedReason> {
    let row = key(&recorded.event).and_then(|key| state.catalogue.current(&key)).ok_or(ParkedReason::Unknown {})?;
    let spec = T::deserialize(&row.spec).map_err(|error| ParkedReason::Damaged { detail: error.to_string() })?;
    Ok((spec, row.retired))
}

fn put(state: &mut State, recorded: &Recorded, spec: &impl Serialize, retired: bool) -> Result<(), ParkedReason> {
    let spec = serde_json::to_value(spec).map_err(|error| ParkedReason::Unwritable { detail: error.to_string() })?;
    let key = key(&recorded.event).ok_or(ParkedReason::Unknown {})?;
    state.catalogue.set(key, CatalogueRow { sequence: recorded.sequence, spec, retired }, recorded.position);
    Ok(())
}

fn retire(state: &mut State, recorded: &Recorded) -> Result<(), ParkedReason> {
    let key = key(&recorded.event).ok_or(ParkedReason::Unknown {})?;
    let row = state.catalogue.current(&key).ok_or(ParkedReason::Unknown {})?;
    let row = CatalogueRow { sequence: recorded.sequence, spec: row.spec.clone(), retired: true };
    state.catalogue.set(key, row, recorded.position);
    Ok(())
}
