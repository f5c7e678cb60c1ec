//! Changes of the catalogue: sites, racks, networks, DHCP servers, ventures, roles, boot images and secrets.

use super::CommandService;
use super::execute::Failure;
use super::facts::site_exists;
use super::site_files::Change;
use crate::event_log::append::Precondition;
use crate::event_log::store::Terms;
use crate::nearest::nearest;
use bootledger_aggregates::boot_image::{BootImage, BootImageCommand};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::dhcp_server::{DhcpServer, DhcpServerCommand};
use bootledger_aggregates::network::{Network, NetworkCommand, NetworkSpec};
use bootledger_aggregates::rack::{Rack, RackCommand};
use bootledger_aggregates::rules::{Refused, Rule};
use bootledger_aggregates::secret::{Secret, SecretCommand};
use bootledger_aggregates::settings::{self, SecretProblems};
use bootledger_aggregates::site::rules::ZoneFacts;
use bootledger_aggregates::site::{Site, SiteCommand, SiteSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::reverse_zone::reversed;
use bootledger_aggregates::venture::{RoleSpec, Venture, VentureCommand, VentureSpec};
use bootledger_aggregates::webhook::{Webhook, WebhookCommand};
use bootledger_aggregates::zone::rules::OwnRecord;
use bootledger_aggregates::zone::{Zone, holding};
use bootledger_port::{CatalogueAction, Context, Kind, Receipt};
use bootledger_projections::questions::site_uses;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, dns_records, holdings};

impl CommandService {
    pub(super) async fn catalogue_command(
        &self,
        action: &CatalogueAction,
        preconditions: Vec<Precondition>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let terms = Terms { preconditions, ..Terms::default() };
        match action {
            CatalogueAction::DefineSite(key, spec) => {
                self.refuse_plain_secrets(spec.settings.iter()).await?;
                let secret = spec.dns_updates.as_ref().map(|updates| &updates.key.secret);
                let secret_problem = match secret {
                    Some(secret) => self.secrets.problem(secret).or(self.controllers_problem(secret).await?),
                    None => None,
                };
                if let Some(updates) = &spec.dns_updates {
                    self.refuse_special("dns_updates.primary", updates.primary)?;
                }
                let command = SiteCommand::DefineSite {
                    spec: spec.clone(),
                    secret_problem,
                    setting_secrets: self.secret_problems(settings::secrets(&spec.settings)),
                    zones: self.zone_facts(key, spec).await?,
                };
                if Site::default().decide(command.clone()).is_ok() {
                    self.check_site_files(Change::Site(key, spec)).await?;
                }
                self.run::<Site>(key, command, terms, context).await
            }
            CatalogueAction::DefineRack(key, spec) => {
                let site_exists = site_exists(&self.views, &spec.site).await?;
                self.run::<Rack>(key, RackCommand::DefineRack { spec: spec.clone(), site_exists }, terms, context).await
            }
            CatalogueAction::DefineNetwork(key, spec) => {
                let command = self.define_network(key, spec).await?;
                // The rules' own messages are better than a checker's, so the files are checked only if the rules accept the
                // command.
                if Network::default().decide(command.clone()).is_ok() {
                    self.check_site_files(Change::Network(key, spec)).await?;
                }
                self.run::<Network>(key, command, terms, context).await
            }
            CatalogueAction::DefineDhcpServer(key, spec) => {
                let site_exists = site_exists(&self.views, &spec.site).await?;
                let command = DhcpServerCommand::DefineDhcpServer { spec: spec.clone(), site_exists };
                if site_exists {
                    self.check_site_files(Change::Server(spec)).await?;
                }
                self.run::<DhcpServer>(key, command, terms, context).await
            }
            CatalogueAction::DefineVenture(key, spec) => {
                self.run::<Venture>(key, self.define_venture(key, spec).await?, terms, context).await
            }
            CatalogueAction::DefineRole { venture, role, spec } => {
                self.run::<Venture>(venture, self.define_role(venture, role, spec).await?, terms, context).await
            }
            CatalogueAction::RetireRole { venture, role } => {
                self.run::<Venture>(venture, VentureCommand::RetireRole { role: role.clone() }, terms, context).await
            }
            CatalogueAction::DefineBootImage(key, spec) => {
                let secrets = spec.settings.values().filter_map(|declared| declared.default.as_ref()?.secret());
                let secret_problems = self.secret_problems(secrets);
                let command = BootImageCommand::DefineBootImage { spec: spec.clone(), secret_problems };
                self.run::<BootImage>(key, command, terms, context).await
            }
            CatalogueAction::PutBootFile { image, name, file } => {
                let command = BootImageCommand::PutFile { name: name.clone(), file: file.clone() };
                self.run::<BootImage>(image, command, terms, context).await
            }
            CatalogueAction::RemoveBootFile { image, name } => {
                self.run::<BootImage>(image, BootImageCommand::RemoveFile { name: name.clone() }, terms, context).await
            }
            CatalogueAction::ReplaceBootImage { image, spec, files, revision } => {
                let secrets = spec.settings.values().filter_map(|declared| declared.default.as_ref()?.secret());
                let secret_problems = self.secret_problems(secrets);
                let (spec, files, revision) = ((**spec).clone(), files.clone(), *revision);
                let command = BootImageCommand::ReplaceBootImage { spec, files, revision, secret_problems };
                self.run::<BootImage>(image, command, terms, context).await
            }
            CatalogueAction::DefineSecret(name, spec) => self.define_secret(name, spec, context).await,
            CatalogueAction::Retire(kind, key) => self.retire(*kind, key, terms, context).await,
        }
    }

    /// The facts that a site's zones have to agree with.
    async fn zone_facts(&self, key: &Name, spec: &SiteSpec) -> Result<ZoneFacts, Failure> {
        let sites = catalogue::sites(&self.views, At::Now).await?;
        let others = sites.into_iter().filter(|site| site.key != *key);
        let elsewhere: Vec<(Name, Zone)> =
            others.flat_map(|site| site.spec.zones.into_iter().map(move |zone| (site.key.clone(), zone))).collect();
        let all = || spec.zones.iter().chain(elsewhere.iter().map(|(_, zone)| zone));
        let mut own = vec![];
        // Only extra records can contradict the records of devices.
        for zone in spec.zones.iter().filter(|zone| !zone.records.is_empty()) {
            for record in dns_records::of_zone(&self.views, &zone.above(), At::Now).await? {
                let reverse = if record.r#type == "PTR" { reversed(&record.name) } else { None };
                let Some((holder, name)) = holding(all(), &record.name, reverse) else { continue };
                if holder.name == zone.name {
                    let (kind, value, holder) = (record.r#type, record.value, Holder::Device(record.device).to_string());
                    own.push((zone.name.clone(), OwnRecord { name, kind, value, holder }));
                }
            }
        }
        Ok(ZoneFacts { elsewhere, own })
    }

    /// The problems of these secrets.
    pub(super) fn secret_problems<'a>(&self, secrets: impl Iterator<Item = &'a Name>) -> SecretProblems {
        secrets.filter_map(|secret| Some((secret.clone(), self.secrets.problem(secret)?))).collect()
    }

    async fn define_venture(&self, key: &Name, spec: &VentureSpec) -> Result<VentureCommand, Failure> {
        self.refuse_plain_secrets(spec.settings.iter()).await?;
        let present = catalogue::venture(&self.views, key, At::Now).await?.filter(|entry| !entry.retired);
        let present = present.and_then(|entry| entry.spec.spec.default_boot_image);
        self.refuse_unknown_image(spec.default_boot_image.as_ref(), present.as_ref()).await?;
        Ok(VentureCommand::DefineVenture {
            name: key.clone(),
            spec: spec.clone(),
            ancestors: self.ancestors(spec).await?,
            secret_problems: self.secret_problems(settings::secrets(&spec.settings)),
        })
    }

    async fn define_role(&self, venture: &Name, role: &Name, spec: &RoleSpec) -> Result<VentureCommand, Failure> {
        self.refuse_plain_secrets(spec.settings.iter()).await?;
        let present = catalogue::venture(&self.views, venture, At::Now).await?.filter(|entry| !entry.retired);
        let present = present.and_then(|entry| entry.spec.roles.get(role)?.default_boot_image.clone());
        self.refuse_unknown_image(spec.default_boot_image.as_ref(), present.as_ref()).await?;
        Ok(VentureCommand::DefineRole {
            role: role.clone(),
            spec: spec.clone(),
            secret_problems: self.secret_problems(settings::secrets(&spec.settings)),
        })
    }

    /// Refuses a default boot image that is not in use. A default that is already set is not checked again: catalogues from
    /// before this rule are loaded as they are.
    async fn refuse_unknown_image(&self, image: Option<&Name>, present: Option<&Name>) -> Result<(), Failure> {
        let Some(image) = image.filter(|image| present != Some(*image)) else { return Ok(()) };
        let known = catalogue::boot_images(&self.views, At::Now).await?;
        let message = match known.iter().find(|entry| entry.key == *image) {
            Some(entry) if !entry.spec.retired => return Ok(()),
            Some(_) => format!("the boot image {image} is retired; choose another"),
            None => {
                let names: Vec<&str> = known.iter().filter(|entry| !entry.spec.retired).map(|entry| entry.key.as_str()).collect();
                let near = nearest(image.as_str(), &names);
                let near = near.map_or_else(|| "; create it first".to_owned(), |near| format!("; did you mean {near}?"));
                format!("there is no boot image {image}{near}")
            }
        };
        Err(Refused::because("default_boot_image", Rule::BootImageUnknown, message).into())
    }

    async fn define_network(&self, key: &Name, spec: &NetworkSpec) -> Result<NetworkCommand, Failure> {
        let others = catalogue::networks(&self.views, At::Now).await?;
        let shares = |other: &NetworkSpec| other.cidr.contains(&spec.cidr) || spec.cidr.contains(&other.cidr);
        let overlaps = others.into_iter().filter(|entry| !entry.retired && entry.key != *key && shares(&entry.spec));
        let mut foreign_racks = vec![];
        for rack in &spec.racks {
            if !super::facts::rack_exists(&self.views, rack, &spec.site).await? {
                foreign_racks.push(rack.clone());
            }
        }
        Ok(NetworkCommand::DefineNetwork {
            spec: Box::new(spec.clone()),
            site_exists: site_exists(&self.views, &spec.site).await?,
            foreign_racks,
            overlaps: overlaps.map(|entry| entry.key).collect(),
            reservations: self.reservations_of(key).await?,
        })
    }

    /// The known ancestors of a venture, nearest first. A cycle ends the list.
    async fn ancestors(&self, spec: &VentureSpec) -> Result<Vec<Name>, Failure> {
        let mut ancestors: Vec<Name> = vec![];
        let mut next = spec.parent.clone();
        while let Some(name) = next.filter(|name| !ancestors.contains(name)) {
            let Some(entry) = catalogue::venture(&self.views, &name, At::Now).await?.filter(|entry| !entry.retired) else {
                break;
            };
            ancestors.push(name);
            next = entry.spec.spec.parent;
        }
        Ok(ancestors)
    }

    async fn retire(&self, kind: Kind, key: &Name, terms: Terms, context: &Context) -> Result<Receipt, Failure> {
        match kind {
            Kind::Site => {
                let mut connection = self.views.acquire().await?;
                let uses = site_uses::of(&mut connection, key, At::Now).await?;
                drop(connection);
                let used_by = uses.iter().map(ToString::to_string).collect();
                let command = SiteCommand::RetireSite { used_by };
                self.run::<Site>(key, command, terms, context).await
            }
            Kind::Rack => self.run::<Rack>(key, RackCommand::RetireRack, terms, context).await,
            Kind::Network => {
                let network = catalogue::network(&self.views, key, At::Now).await?;
                let used = match network {
                    Some(entry) => holdings::ips_in(&self.views, entry.spec.cidr, At::Now).await?.len() as u64,
                    None => 0,
                };
                self.run::<Network>(key, NetworkCommand::RetireNetwork { used }, terms, context).await
            }
            Kind::DhcpServer => self.run::<DhcpServer>(key, DhcpServerCommand::RetireDhcpServer, terms, context).await,
            Kind::Venture => self.run::<Venture>(key, VentureCommand::RetireVenture, terms, context).await,
            Kind::Secret => self.run::<Secret>(key, SecretCommand::RetireSecret, terms, context).await,
            Kind::Webhook => self.run::<Webhook>(key, WebhookCommand::RetireWebhook, terms, context).await,
            Kind::BootImage => self.run::<BootImage>(key, BootImageCommand::RetireBootImage, terms, context).await,
        }
    }
}
