//! Every kind of caller.

use super::fixtures::Fixtures;
use crate::support::{TestSite, now};
use base64::Engine;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::SessionId;
use serde_json::json;
use uuid::Uuid;

/// A kind of caller; the order is that of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Anonymous,
    ViewerToken,
    AuditorToken,
    OperatorToken,
    AdministratorToken,
    OwnAgent,
    OtherAgent,
    Puppet,
    PuppetBasic,
    ViewerPerson,
    AuditorPerson,
    OperatorPerson,
    AdministratorPerson,
    OneTimePassword,
    CrossSite,
    EndedSession,
    DisabledUser,
    RevokedToken,
    ExpiredToken,
    BootToken,
}

/// All kinds, in the order of the columns.
pub(super) fn kinds() -> [Kind; 20] {
    use Kind::{
        AdministratorPerson, AdministratorToken, Anonymous, AuditorPerson, AuditorToken, BootToken, CrossSite, DisabledUser,
        EndedSession, ExpiredToken, OneTimePassword, OperatorPerson, OperatorToken, OtherAgent, OwnAgent, Puppet, PuppetBasic,
        RevokedToken, ViewerPerson, ViewerToken,
    };
    [
        Anonymous,
        ViewerToken,
        AuditorToken,
        OperatorToken,
        AdministratorToken,
        OwnAgent,
        OtherAgent,
        Puppet,
        PuppetBasic,
        ViewerPerson,
        AuditorPerson,
        OperatorPerson,
        AdministratorPerson,
        OneTimePassword,
        CrossSite,
        EndedSession,
        DisabledUser,
        RevokedToken,
        ExpiredToken,
        BootToken,
    ]
}

impl Kind {
    /// The kind's name in the legend.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Anonymous => "no credentials",
            Self::ViewerToken => "viewer's token",
            Self::AuditorToken => "auditor's token",
            Self::OperatorToken => "operator's token",
            Self::AdministratorToken => "administrator's token",
            Self::OwnAgent => "DHCP agent's token, of the server in the path",
            Self::OtherAgent => "DHCP agent's token, of another server",
            Self::Puppet => "Puppet reports' token, as Bearer",
            Self::PuppetBasic => "Puppet reports' token, as Basic",
            Self::ViewerPerson => "viewer, signed in",
            Self::AuditorPerson => "auditor, signed in",
            Self::OperatorPerson => "operator, signed in",
            Self::AdministratorPerson => "administrator, signed in",
            Self::OneTimePassword => "administrator, signed in with a one-time password",
            Self::CrossSite => "administrator's cookie, from a page of another site",
            Self::EndedSession => "administrator's session that has ended",
            Self::DisabledUser => "session of a disabled administrator",
            Self::RevokedToken => "administrator's token, revoked",
            Self::ExpiredToken => "administrator's token, expired",
            Self::BootToken => "a deployment's boot token, as Bearer",
        }
    }
}

/// A caller: the headers that it sends, and its own session.
pub(super) struct Caller {
    pub(super) kind: Kind,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) session: Option<SessionId>,
}

impl Caller {
    /// Whether this caller represents the others where no route is registered.
    pub(super) fn is_representative(&self) -> bool {
        matches!(self.kind, Kind::Anonymous | Kind::AdministratorToken | Kind::AdministratorPerson)
    }

    fn bearer(kind: Kind, token: &str) -> Self {
        Self { kind, headers: vec![("authorization", format!("Bearer {token}"))], session: None }
    }

    fn person(kind: Kind, (session, cookie): (SessionId, String)) -> Self {
        let site = if kind == Kind::CrossSite { "cross-site" } else { "same-origin" };
        Self { kind, headers: vec![("cookie", cookie), ("sec-fetch-site", site.to_owned())], session: Some(session) }
    }
}

/// A scope that is added must become a kind of caller here; otherwise this does not compile.
fn kind_of(scope: &TokenScope) -> Kind {
    match scope {
        TokenScope::Viewer => Kind::ViewerToken,
        TokenScope::Auditor => Kind::AuditorToken,
        TokenScope::Operator => Kind::OperatorToken,
        TokenScope::Administrator => Kind::AdministratorToken,
        TokenScope::DhcpServer(server) if server.as_str() == super::fixtures::DHCP_SERVER => Kind::OwnAgent,
        TokenScope::DhcpServer(_) => Kind::OtherAgent,
        TokenScope::PuppetReports => Kind::Puppet,
    }
}

/// One caller of each kind, in the order of [`kinds`].
pub(super) async fn all(site: &TestSite, fixtures: &Fixtures) -> Vec<Caller> {
    let mut callers = vec![Caller { kind: Kind::Anonymous, headers: vec![], session: None }];
    let servers = [super::fixtures::DHCP_SERVER, "kea-2"].map(|name| TokenScope::DhcpServer(name.parse().expect("a name")));
    let scopes =
        [TokenScope::Viewer, TokenScope::Auditor, TokenScope::Operator, TokenScope::Administrator, TokenScope::PuppetReports];
    for scope in scopes.into_iter().chain(servers) {
        let kind = kind_of(&scope);
        let token = site.bearer(scope).await;
        if kind == Kind::Puppet {
            let basic = base64::engine::general_purpose::STANDARD.encode(format!("puppet:{token}"));
            let headers = vec![("authorization", format!("Basic {basic}"))];
            callers.push(Caller { kind: Kind::PuppetBasic, headers, session: None });
        }
        callers.push(Caller::bearer(kind, &token));
    }
    for (kind, name, role) in [
        (Kind::ViewerPerson, "vera", Role::Viewer),
        (Kind::AuditorPerson, "aude", Role::Auditor),
        (Kind::OperatorPerson, "otto", Role::Operator),
        (Kind::AdministratorPerson, "ada", Role::Administrator),
        (Kind::CrossSite, "carl", Role::Administrator),
        (Kind::EndedSession, "enno", Role::Administrator),
        (Kind::DisabledUser, "dora", Role::Administrator),
    ] {
        site.user(name, role).await;
        let session = site.session(name).await;
        match kind {
            Kind::EndedSession => {
                site.append("session", &session.0.to_string(), json!({"type": "SessionEnded", "reason": "revoked"})).await;
            }
            Kind::DisabledUser => {
                site.append("user", name, json!({"type": "UserDisabled"})).await;
            }
            _ => {}
        }
        callers.push(Caller::person(kind, session));
    }
    let sign_in = json!({"password": {"password": Uuid::now_v7(), "one_time": true}});
    let created = json!({"type": "UserCreated", "display_name": "", "role": "administrator", "sign_in": sign_in});
    site.append("user", "olga", created).await;
    callers.push(Caller::person(Kind::OneTimePassword, site.session("olga").await));

    let (revoked, text) = site.token(TokenScope::Administrator, None).await;
    site.append("token", &revoked.to_string(), json!({"type": "TokenRevoked"})).await;
    callers.push(Caller::bearer(Kind::RevokedToken, &text));
    let (_, expired) = site.token(TokenScope::Administrator, Some(now().plus_seconds(-1))).await;
    callers.push(Caller::bearer(Kind::ExpiredToken, &expired));
    callers.push(Caller::bearer(Kind::BootToken, &fixtures.boot_token));

    let order = kinds();
    callers.sort_by_key(|caller| order.iter().position(|kind| *kind == caller.kind));
    let found: Vec<Kind> = callers.iter().map(|caller| caller.kind).collect();
    assert_eq!(found, order, "one caller of each kind");
    callers
}
