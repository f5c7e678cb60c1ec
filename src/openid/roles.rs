//! Maps the values of a provider's claim to roles.

use super::claims::{find, is_overage, names};
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::user::Role;
use serde_json::{Map, Value};

/// Claims whose text is a space-separated list: OAuth's `scope` (RFC 8693) and similar ones.
const LISTS: [&str; 5] = ["scope", "scp", "roles", "permissions", "entitlements"];

/// The maximum number of values in a log line.
const MOST_LOGGED: usize = 20;

/// The mapping from a claim's values to roles. A user with several of the values gets the role that may change the most; a
/// user with none has no role.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    claim: String,
    /// The values, each with its role.
    values: Vec<(String, Role)>,
}

impl Roles {
    /// Parses a mapping of `VALUE=ROLE` items.
    pub(super) fn new(claim: String, mapping: &[String]) -> Result<Self> {
        let pair = |text: &String| {
            let (value, role) = text.rsplit_once('=').with_context(|| format!("--openid-role {text:?} is not VALUE=ROLE"))?;
            let role = role.trim().parse().with_context(|| format!("--openid-role {text:?}"))?;
            Ok((value.trim().to_owned(), role))
        };
        let values = mapping.iter().map(pair).collect::<Result<Vec<_>>>()?;
        ensure!(!values.is_empty(), "without --openid-role VALUE=ROLE, users who sign in through the provider get no role");
        ensure!(values.iter().all(|(value, _)| !value.is_empty()), "--openid-role has an empty VALUE");
        Ok(Self { claim, values })
    }

    /// The claim that holds the values.
    pub(super) fn claim(&self) -> &str {
        &self.claim
    }

    /// The role of a user with these claims. The error says why there is none and what to do, for the user and the
    /// administrator of the provider.
    pub(super) fn of(&self, claims: &Map<String, Value>) -> Result<Role, String> {
        let claim = &self.claim;
        let found = find(claims, claim);
        let said = found.map(|found| self.said(found)).unwrap_or_default();
        let given = self.values.iter().filter(|(value, _)| said.iter().any(|said| is_same(value, said))).map(|(_, role)| *role);
        if let Some(role) = given.max_by_key(|role| rank(*role)) {
            return Ok(role);
        }
        if is_overage(claims, claim) {
            return Err(format!(
                "you are in more groups than the provider puts into a token, so it sends none in the claim {claim}. Have it send app roles (--openid-role-claim roles), or only the groups that are assigned to the application"
            ));
        }
        match found {
            None => Err(format!(
                "it does not send the claim {claim}; it sends {}. Have it send {claim}, or name another claim with --openid-role-claim",
                names(claims)
            )),
            Some(_) if said.is_empty() => Err(format!("its claim {claim} has no values")),
            Some(_) => {
                let some: Vec<&str> = said.iter().take(MOST_LOGGED).map(String::as_str).collect();
                tracing::info!(claim, values = ?some, count = said.len(), "no value of the role claim gives a role");
                let count =
                    if said.len() == 1 { "the one value".to_owned() } else { format!("none of the {} values", said.len()) };
                let verb = if said.len() == 1 { "gives none" } else { "gives one" };
                Err(format!("{count} of its claim {claim} {verb}. Which values give a role is set with --openid-role"))
            }
        }
    }

    /// The values of a claim: a list, or a text, which may be a space-separated list.
    fn said(&self, found: &Value) -> Vec<String> {
        match found {
            Value::String(one) => {
                let words: Vec<&str> = one.split_whitespace().collect();
                let list = LISTS.contains(&self.claim.rsplit('.').next().unwrap_or_default());
                // A group's name may contain spaces. A text is a list only if all of its words are values of the mapping.
                let known = |word: &&str| self.values.iter().any(|(value, _)| is_same(value, word));
                let mut said = vec![one.trim().to_owned()];
                if words.len() > 1 && (list || words.iter().all(known)) {
                    said.extend(words.into_iter().map(str::to_owned));
                }
                said.retain(|value| !value.is_empty());
                said
            }
            Value::Array(several) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec![],
        }
    }
}

/// The order of roles for a user with several: no role includes both operator and auditor, so the role that may
/// deploy wins. Someone who needs both has to be an administrator.
fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Auditor => 1,
        Role::Operator => 2,
        Role::Administrator => 3,
    }
}

/// Whether a value is the one in the mapping, compared exactly. Keycloak writes a group as a path from the top, so `/dc-ops`
/// equals `dc-ops`; and ids of Entra's groups are compared case-insensitively.
fn is_same(value: &str, said: &str) -> bool {
    let top = said.strip_prefix('/').filter(|name| !name.contains('/'));
    let id = value.len() == 36 && uuid::Uuid::try_parse(value).is_ok() && value.eq_ignore_ascii_case(said);
    value == said || top == Some(value) || id
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(claim: &str, mapping: &[&str], claims: &Value) -> Result<Role, String> {
        let mapping: Vec<String> = mapping.iter().map(|text| (*text).to_owned()).collect();
        let claims = claims.as_object().cloned().expect("an object");
        Roles::new(claim.to_owned(), &mapping).expect("roles").of(&claims)
    }

    fn role(groups: &Value) -> Option<Role> {
        of("groups", &["ops=operator", "cn=dc,ou=it=administrator", "staff=viewer"], &json!({ "groups": groups })).ok()
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
    fn someone_with_the_values_of_operator_and_auditor_is_an_operator() {
        let of_values = |values: &Value| of("groups", &["ops=operator", "audit=auditor"], &json!({ "groups": values })).ok();
        assert_eq!(of_values(&json!(["ops", "audit"])), Some(Role::Operator));
        assert_eq!(of_values(&json!(["audit"])), Some(Role::Auditor));
    }

    #[test]
    fn an_invalid_mapping_is_an_error() {
        for wrong in [vec![], vec!["ops".to_owned()], vec!["ops=root".to_owned()], vec!["=viewer".to_owned()]] {
            assert!(Roles::new("groups".to_owned(), &wrong).is_err(), "{wrong:?}");
        }
    }

    /// The ID token contents of Entra, Okta, Keycloak, Google and Authentik, as in their documentation.
    #[test]
    fn roles_of_every_provider_are_read() {
        let guid = "3FA85F64-5717-4562-B3FC-2C963F66AFA6";
        let guids = [format!("{guid}=operator")];
        let entra = json!({"oid": "o", "tid": "t", "preferred_username": "ada@corp.example", "groups": [guid.to_lowercase()]});
        assert_eq!(of("groups", &[&guids[0]], &entra), Ok(Role::Operator));
        let app_roles = json!({"preferred_username": "ada@corp.example", "roles": ["Bootledger.Operator"]});
        assert_eq!(of("roles", &["Bootledger.Operator=operator"], &app_roles), Ok(Role::Operator));
        let okta = json!({"preferred_username": "ada@corp.example", "groups": ["Everyone", "DC Ops"]});
        assert_eq!(of("groups", &["DC Ops=operator"], &okta), Ok(Role::Operator));
        let keycloak = json!({
            "preferred_username": "ada", "groups": ["/dc-ops", "/it/dc-admins"], "realm_access": {"roles": ["dc-staff"]},
            "resource_access": {"boot.ledger": {"roles": ["administrator"]}},
        });
        assert_eq!(of("groups", &["dc-ops=operator", "dc-admins=administrator"], &keycloak), Ok(Role::Operator));
        assert_eq!(of("groups", &["/it/dc-admins=administrator"], &keycloak), Ok(Role::Administrator));
        assert_eq!(of("realm_access.roles", &["dc-staff=viewer"], &keycloak), Ok(Role::Viewer));
        let by_client = of("resource_access.boot.ledger.roles", &["administrator=administrator"], &keycloak);
        assert_eq!(by_client, Ok(Role::Administrator));
        let authentik = json!({"preferred_username": "ada", "groups": ["authentik Admins", "dc-ops"], "email_verified": false});
        assert_eq!(of("groups", &["dc-ops=operator"], &authentik), Ok(Role::Operator));
        for (claim, value) in
            [("scope", "openid dc-ops"), ("roles", "x dc-ops"), ("groups", "dc-ops dc-staff"), ("a.scp", "dc-ops y")]
        {
            let claims = if claim == "a.scp" { json!({"a": {"scp": value}}) } else { json!({ claim: value }) };
            assert_eq!(of(claim, &["dc-ops=operator", "dc-staff=viewer"], &claims), Ok(Role::Operator), "{claim}");
        }
        // A single group name, as AD FS sends it, is not a list.
        assert!(of("groups", &["dc-ops=operator"], &json!({"groups": "dc-ops interns"})).is_err());
        assert!(of("groups", &["dc-ops=operator"], &json!({"groups": ["dc-ops interns"]})).is_err());
    }

    #[test]
    fn the_error_for_a_missing_role_names_the_claims_but_no_values() {
        let google = json!({"sub": "1", "hd": "corp.example", "email": "ada@corp.example", "email_verified": true});
        let message = of("groups", &["dc-ops=operator"], &google).expect_err("no groups");
        assert!(message.contains("email, email_verified, hd, sub") && !message.contains("corp"), "{message}");
        let mut messages = vec![message];
        for overage in [
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}),
            json!({"hasgroups": true}),
            json!({"hasgroups": "true"}),
        ] {
            let message = of("groups", &["dc-ops=operator"], &overage).expect_err("overage");
            assert!(message.contains("--openid-role-claim roles"), "{message}");
            messages.push(message);
        }
        let message = of("groups", &["dc-ops=operator"], &json!({"groups": ["s3cret", "b"]})).expect_err("others");
        assert!(message.contains("groups") && !message.contains("s3cret"), "{message}");
        messages.push(message);
        messages.push(of("groups", &["dc-ops=operator"], &json!({"groups": []})).expect_err("none"));
        insta::assert_snapshot!("missing_roles", messages.join("\n"));
    }
}
