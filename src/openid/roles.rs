//! Which role the provider's words give.

use anyhow::{Context, Result, ensure};
use bootledger_aggregates::user::Role;
use serde_json::{Map, Value};

/// Which values of which claim give which role. Whoever has several of them has the highest; whoever has none has no role.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    claim: String,
    /// A value, and its role.
    values: Vec<(String, Role)>,
}

impl Roles {
    /// Of `VALUE=ROLE` each.
    pub(super) fn new(claim: String, mapping: &[String]) -> Result<Self> {
        let pair = |text: &String| {
            let (value, role) = text.rsplit_once('=').with_context(|| format!("--openid-role {text:?} is not VALUE=ROLE"))?;
            let role = role.trim().parse().with_context(|| format!("--openid-role {text:?}"))?;
            Ok((value.trim().to_owned(), role))
        };
        let values = mapping.iter().map(pair).collect::<Result<Vec<_>>>()?;
        ensure!(!values.is_empty(), "without --openid-role VALUE=ROLE, nobody who signs in through the provider has a role");
        Ok(Self { claim, values })
    }

    /// The claim that is looked at.
    pub(super) fn claim(&self) -> &str {
        &self.claim
    }

    /// The role of somebody with these claims.
    pub(super) fn of(&self, claims: &Map<String, Value>) -> Option<Role> {
        let said: Vec<&str> = match claims.get(&self.claim)? {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        self.values.iter().filter(|(value, _)| said.contains(&value.as_str())).map(|(_, role)| *role).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn role(groups: &Value) -> Option<Role> {
        let mapping = ["ops=operator", "cn=dc,ou=it=administrator", "staff=viewer"].map(str::to_owned);
        let claims = json!({ "groups": groups }).as_object().cloned().expect("an object");
        Roles::new("groups".to_owned(), &mapping).expect("roles").of(&claims)
    }

    #[test]
    fn the_highest_role_counts_and_nothing_gives_none() {
        assert_eq!(role(&json!(["staff", "ops"])), Some(Role::Operator));
        assert_eq!(role(&json!("cn=dc,ou=it")), Some(Role::Administrator));
        for nothing in [json!([]), json!(["Ops", "ops ", "guests"]), json!("staffs"), json!(7), json!({"ops": true}), json!(null)]
        {
            assert_eq!(role(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_mapping_that_gives_nothing_is_told() {
        for wrong in [vec![], vec!["ops".to_owned()], vec!["ops=root".to_owned()]] {
            assert!(Roles::new("groups".to_owned(), &wrong).is_err(), "{wrong:?}");
        }
    }
}
