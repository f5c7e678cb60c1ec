//! Checks where secrets may be sent. Scopes are looked up in the log itself, immediately before a connection and whenever
//! something is saved that names a secret.

use super::CommandService;
use super::controllers::Looked;
use super::execute::Failure;
use crate::event_log::draft::Draft;
use crate::event_log::store::Terms as StoreTerms;
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::event::{Management, ManagementProtocol};
use bootledger_aggregates::device::management::Tls;
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::secret::{Secret, SecretCommand, SecretSpec};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Context, Receipt};
use bootledger_power::{Controller, Credentials, NOT_ALLOWED, Terms, Trouble, resolve};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use std::net::IpAddr;
use tracing::warn;

/// Why a controller's credentials cannot be used: the exact reason, and the one that all users may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    reason: String,
}

impl Denied {
    /// The validation problem for a caller: administrators get the exact reason, others the general one. Where all users can read
    /// the refusal, as in the results of a bulk action, it has the general one.
    fn broken(&self, level: Role) -> BrokenRule {
        let broken = |reason: &str| BrokenRule::new("management.credentials", Rule::SecretMissing, reason);
        if level == Role::Administrator { broken(&self.reason).or_in_general(NOT_ALLOWED) } else { broken(NOT_ALLOWED) }
    }

    /// The reason as a refusal.
    pub(super) fn refused(&self, level: Role) -> Failure {
        Refused(vec![self.broken(level)]).into()
    }
}

impl CommandService {
    /// The current scope of a secret in the log. A secret that has just been retired is no longer valid.
    async fn scope(&self, name: &Name) -> Result<Option<SecretSpec>, Failure> {
        Ok(Draft::<Secret>::load(&self.log, name.to_string()).await?.aggregate().scope().cloned())
    }

    /// What a secret is used for, other than controllers.
    async fn used_by(&self, name: &Name) -> Result<Vec<String>, Failure> {
        let mut used_by = vec![];
        if self.outbound.reserved.contains(name) {
            used_by.push("the OpenID Connect provider".to_owned());
        }
        let sites = catalogue::sites(&self.views, At::Now).await?;
        let primary =
            |site: &bootledger_aggregates::site::SiteSpec| site.dns_updates.as_ref().map(|updates| updates.key.secret.clone());
        used_by.extend(
            sites.iter().filter(|site| primary(&site.spec).as_ref() == Some(name)).map(|site| format!("site {}", site.key)),
        );
        let webhooks = catalogue::webhooks(&self.views, At::Now).await?;
        let signs = webhooks.iter().filter(|webhook| webhook.spec.spec.secret == *name);
        used_by.extend(signs.map(|webhook| format!("webhook {}", webhook.key)));
        Ok(used_by)
    }

    /// The credentials for a controller of a device in this site, if every check allows their use now.
    pub(super) async fn credentials(&self, site: &Name, management: &Management) -> Result<Result<Credentials, Denied>, Failure> {
        let (scope, used_by) = match &management.credentials {
            Some(name) => (self.scope(name).await?, self.used_by(name).await?),
            None => (None, vec![]),
        };
        let addresses = match resolve(&management.address).await {
            Ok(addresses) => addresses,
            Err(reason) => return Ok(Err(Denied { reason })),
        };
        let guard = &self.outbound.guard;
        let terms = Terms { site, scope: scope.as_ref(), used_by: &used_by, guard, addresses: &addresses };
        let credentials = Credentials::for_controller(&self.secrets, management, terms);
        Ok(credentials.map_err(|reason| Denied { reason }))
    }

    /// The controller of a device, ready to be connected to at once; `None` if the device has no management address.
    pub(crate) async fn controller(&self, device: &Device) -> Result<Option<Result<Controller, Denied>>, Failure> {
        let (Some(site), Some(management)) = (device.site(), device.management()) else { return Ok(None) };
        let denied = match self.credentials(site, management).await? {
            Ok(credentials) => match Controller::of(management, credentials) {
                Ok(controller) => return Ok(Some(Ok(controller))),
                Err(Trouble { reason, .. }) => Denied { reason },
            },
            Err(denied) => denied,
        };
        warn!(address = %management.address, reason = denied.reason, "a management controller is not contacted");
        Ok(Some(Err(denied)))
    }

    /// The validation problems of a management controller that is to be saved: those of its credentials, and others.
    pub(super) async fn management_problems(
        &self,
        site: &Name,
        device: DeviceId,
        management: Option<&Management>,
        level: Role,
    ) -> Result<Looked, Failure> {
        let Some(management) = management else { return Ok(Looked::default()) };
        let (mut broken, shared, endpoints) = self.sharing(device, management).await?;
        let plain = management.protocol == ManagementProtocol::Redfish && management.access.tls == Tls::Off;
        if plain && level != Role::Administrator {
            let message = "without TLS, the credentials can be read on the way: only an administrator can set this to off. Choose \
                           verify, or sha256: and the certificate's fingerprint";
            broken.push(BrokenRule::new("management.tls", Rule::TlsOffNotAllowed, message));
        }
        // The pinned certificate decides which machine receives the password.
        let pinned = management.protocol == ManagementProtocol::Redfish && matches!(management.access.tls, Tls::Pinned(_));
        if pinned && management.credentials.is_some() && level != Role::Administrator {
            let message = "the pinned certificate decides which machine gets the password: only an administrator can set sha256: \
                           together with credentials. Choose verify, or contact an administrator";
            broken.push(BrokenRule::new("management.tls", Rule::TlsPinNotAllowed, message));
        }
        let credentials = match &management.credentials {
            Some(_) => self.credentials(site, management).await?.err().map(|denied| denied.broken(level)),
            None => None,
        };
        // The current owner of the controller is shown only to callers who could use the controller.
        if broken.is_empty() && credentials.is_none() {
            broken.extend(shared.or(self.misplaced_controller(device, management).await?));
        }
        Ok(Looked { problems: credentials.into_iter().chain(broken).collect(), endpoints })
    }

    /// Sets the scope of a secret.
    pub(super) async fn define_secret(&self, name: &Name, spec: &SecretSpec, context: &Context) -> Result<Receipt, Failure> {
        let mut unknown_sites = vec![];
        for site in &spec.sites {
            if !super::facts::site_exists(&self.views, site).await? {
                unknown_sites.push(site.clone());
            }
        }
        let used_by = self.used_by(name).await?;
        let command = SecretCommand::DefineSecret { name: name.clone(), spec: Box::new(spec.clone()), unknown_sites, used_by };
        self.run::<Secret>(name, command, StoreTerms::default(), context).await
    }

    /// Why a secret cannot be used for a DNS primary or a webhook: it belongs to management controllers.
    pub(super) async fn controllers_problem(&self, name: &Name) -> Result<Option<String>, Failure> {
        let problem = |_| {
            format!(
                "the secret {name} is for management controllers. Choose another secret, or retire its scope under Settings, Secrets"
            )
        };
        Ok(self.scope(name).await?.map(problem))
    }

    /// Refuses an address to which the service never connects.
    pub(super) fn refuse_special(&self, field: &str, address: IpAddr) -> Result<(), Failure> {
        let refused =
            |refused: bootledger_outbound::Refused| Refused::because(field, Rule::AddressNotAllowed, refused.to_string());
        Ok(self.outbound.guard.check(address).map_err(refused)?)
    }
}
