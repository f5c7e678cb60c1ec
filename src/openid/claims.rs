//! Finds claims in a provider's response, and checks that the token is for this client.

use serde_json::{Map, Value};

/// The maximum depth of a claim, as a path of names separated by dots.
const DEEPEST: usize = 8;

/// The maximum number of claim names in a message.
const MOST_TOLD: usize = 30;

/// A claim by its name, or by its path: `realm_access.roles` is `roles` within `realm_access`. Names may contain dots
/// themselves, such as URLs and client names of Keycloak, so an exact name takes precedence over a path.
pub(super) fn find<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    within(claims, path, DEEPEST)
}

fn within<'c>(claims: &'c Map<String, Value>, path: &str, depth: usize) -> Option<&'c Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    if depth == 0 {
        return None;
    }
    let mut dots = path.match_indices('.').map(|(place, _)| place);
    dots.find_map(|place| within(claims.get(&path[..place])?.as_object()?, &path[place + 1..], depth - 1))
}

/// The names of the claims, never their values: a user can report them to the administrator of the provider.
pub(super) fn names(claims: &Map<String, Value>) -> String {
    let mut names: Vec<&str> = claims.keys().map(String::as_str).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(MOST_TOLD);
    names.truncate(MOST_TOLD);
    let listed: String = names.join(", ").chars().filter(|c| !c.is_control()).take(600).collect();
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}

/// Whether the provider omitted groups because there are too many for a token (Entra: "groups overage claim").
pub(super) fn is_overage(claims: &Map<String, Value>, claim: &str) -> bool {
    let elsewhere = claims.get("_claim_names").and_then(Value::as_object).is_some_and(|names| names.contains_key(claim));
    let hinted =
        claim == "groups" && claims.get("hasgroups").is_some_and(|has| matches!(has, Value::Bool(true)) || has == "true");
    elsewhere || hinted
}

/// Whether an ID token that names several clients is for this one: the party that it was issued to (`azp`) must be this client
/// (OpenID Connect Core, 3.1.3.7). Zitadel names all clients of a project as the audience.
pub(super) fn is_for(claims: &Map<String, Value>, client: &str) -> Result<(), String> {
    let audiences = claims.get("aud").and_then(Value::as_array).map_or(1, Vec::len);
    match claims.get("azp") {
        Some(party) if party == client => Ok(()),
        Some(_) => Err("its ID token was issued to another client (azp)".to_owned()),
        None if audiences > 1 => {
            Err("its ID token has several audiences, and does not say to which it was issued (azp)".to_owned())
        }
        None => Ok(()),
    }
}

/// Whether a claim is a name that the provider has not confirmed as the user's: an e-mail address without `email_verified`.
pub(super) fn is_unverified(claims: &Map<String, Value>, name_claim: &str) -> bool {
    let verified = claims.get("email_verified").is_some_and(|verified| *verified == true || *verified == "true");
    name_claim == "email" && !verified
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn a_claim_is_found_by_its_name_or_by_the_path_to_it() {
        let claims = claims(&json!({
            "groups": ["a"], "https://corp.example/roles": ["b"], "realm_access": {"roles": ["c"]},
            "resource_access": {"bootledger.prod": {"roles": ["d"]}}, "a.b": {"c.d": 1}, "a": {"b": {"c": {"d": 2}}},
        }));
        for (path, value) in [
            ("groups", Some(json!(["a"]))),
            ("https://corp.example/roles", Some(json!(["b"]))),
            ("realm_access.roles", Some(json!(["c"]))),
            ("resource_access.bootledger.prod.roles", Some(json!(["d"]))),
            ("a.b.c.d", Some(json!(2))),
            ("realm_access.groups", None),
            ("groups.roles", None),
            ("", None),
            (".", None),
            (&".".repeat(500), None),
        ] {
            assert_eq!(find(&claims, path), value.as_ref(), "{path}");
        }
    }

    #[test]
    fn claims_are_listed_by_name_without_values() {
        assert_eq!(names(&claims(&json!({"sub": "s3cret", "aud": "x"}))), "aud, sub");
        let many: Map<String, Value> = (0..40).map(|n| (format!("c{n:02}"), Value::Null)).collect();
        assert!(names(&many).ends_with("c29 and 10 more"));
    }
}
