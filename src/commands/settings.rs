//! Refuses plain values in settings that a boot image declares as secrets.

use super::CommandService;
use super::execute::Failure;
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::settings;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingType, SettingValue};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;

impl CommandService {
    /// Refuses plain values of settings that a boot image in use declares as secrets. No deployment could use such a value, and
    /// it would remain in the event log, from which nothing is ever removed.
    pub(super) async fn refuse_plain_secrets<'a>(
        &self,
        values: impl Iterator<Item = (&'a SettingName, &'a SettingValue)>,
    ) -> Result<(), Failure> {
        let plain: Vec<&SettingName> =
            values.filter(|(_, value)| value.secret().is_none() && !value.is_empty()).map(|(name, _)| name).collect();
        if plain.is_empty() {
            return Ok(());
        }
        let images = catalogue::boot_images(&self.views, At::Now).await?;
        let secret = |name: &SettingName| {
            let declares = |spec: &SettingSpec| spec.kind == SettingType::Secret;
            images.iter().find(|image| !image.retired && image.spec.declared().get(name).is_some_and(declares))
        };
        let broken = plain.into_iter().filter_map(|name| {
            let message = format!(
                "the boot image {} declares {name} as a secret, so its value is not stored here; put it into a secret whose name \
                 begins with boot-, and set {{\"secret\": \"boot-NAME\"}}",
                secret(name)?.key
            );
            Some(BrokenRule::new(&settings::field(name), Rule::SettingNotSecret, message))
        });
        Refused::unless_empty(broken.collect())?;
        Ok(())
    }
}
