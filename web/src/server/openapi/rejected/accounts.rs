//! Users, their sessions, and access tokens.

use super::groups::Groups;
use bootledger_aggregates::rules::Rule;

/// A password, and how the user signs in.
const PASSWORD: &[Rule] = &[Rule::PasswordElsewhere, Rule::PasswordLong, Rule::PasswordShort, Rule::PasswordWeak];

pub(super) fn rules(method: &str, path: &str) -> Option<Groups> {
    let groups: Groups = match (method, path.strip_prefix("/api/v1/")?) {
        ("post", "users") => &[PASSWORD, &[Rule::UserExists]],
        ("post", "users/{name}/password") => &[PASSWORD],
        ("patch", "users/{name}") | ("post", "users/{name}/disable") => &[&[Rule::LastAdministrator]],
        ("post", "tokens") => &[&[Rule::ExpiresInPast, Rule::NameEmpty]],
        ("post", "users/{name}/enable" | "users/{name}/unlock") | ("delete", "sessions/{id}" | "tokens/{id}") => &[],
        _ => return None,
    };
    Some(groups)
}
