//! Signing in through an OpenID Connect provider.

use crate::support::person::{Page, Person};
use crate::support::provider::Provider;
use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::PathBuf;

const CLIENT_SECRET: &str = "the-secret-of-the-client";

/// A service that trusts the provider at this URL.
pub(crate) async fn start(issuer: &str) -> Result<Service> {
    let options = ["--openid-issuer", issuer, "--openid-client-id", "bootledger", "--openid-client-secret", "oidc"];
    let roles = ["--openid-role", "dc-ops=operator", "--openid-role", "dc-admins=administrator"];
    let options = options.into_iter().chain(roles).map(str::to_owned).collect();
    let service = Service::start_with(Ipv4Addr::LOCALHOST, PathBuf::from(env!("CARGO_BIN_EXE_bootledger")), options).await?;
    service.write_secret("oidc", CLIENT_SECRET)?;
    Ok(service)
}

/// The path and query of a URL.
fn path(url: &str) -> Result<&str> {
    let rest = url.split_once("://").context("no URL")?.1;
    Ok(&rest[rest.find('/').context("no path")?..])
}

/// Signs in at the provider as this subject and returns to the service. Returns the final page and the path of the callback.
async fn through(person: &mut Person, provider: &Provider, subject: Option<&str>) -> Result<(Page, String)> {
    let away = person.look("/sign-in/openid?to=/settings").await?;
    ensure!(away.status == StatusCode::SEE_OTHER && away.location.starts_with(provider.url()), "{away:?}");
    for part in ["code_challenge_method=S256", "state=", "nonce=", "scope=openid+profile"] {
        ensure!(away.location.contains(part), "{part} is not in {}", away.location);
    }
    let back = provider.visited(&away.location, subject).await?;
    let back = path(&back)?.to_owned();
    Ok((person.look(&back).await?, back))
}

fn refused(page: &Page, words: &str) -> Result<()> {
    ensure!(page.status == StatusCode::UNAUTHORIZED && page.text.contains(words), "not {words:?}: {page:?}");
    Ok(())
}

#[tokio::test]
async fn a_provider_identifies_users_and_sets_their_role() -> Result<()> {
    let provider = Provider::start().await?;
    let service = start(provider.url()).await?;
    let of_ada = |groups: &[&str]| json!({"preferred_username": "ada", "name": "Ada Lovelace", "groups": groups});
    provider.knows("sub-1", &of_ada(&["staff", "dc-ops"])).await?;
    let mut ada = Person::new(&service)?;
    let page = ada.look("/sign-in").await?.text;
    let link = page.split("href=\"/sign-in/openid").nth(1).and_then(|rest| rest.split("</a>").next());
    ensure!(link.is_some_and(|link| link.contains("127.0.0.1")), "the link does not name the provider: {page}");
    let (page, callback) = through(&mut ada, &provider, Some("sub-1")).await?;
    ensure!((page.status, page.location.as_str()) == (StatusCode::SEE_OTHER, "/settings"), "{page:?}");
    let settings = ada.look("/settings").await?;
    ensure!(settings.text.contains("Ada Lovelace") && settings.text.contains("through OpenID Connect"), "{settings:?}");
    ensure!(ada.look("/settings/users").await?.status == StatusCode::FORBIDDEN, "an operator sees users");

    // A callback works only once, in this browser and in any other.
    ensure!(ada.look(&callback).await?.status == StatusCode::UNAUTHORIZED, "a callback counts twice");
    let mut thief = Person::new(&service)?;
    refused(&thief.look(&callback).await?, "was not started here")?;
    thief.look("/sign-in/openid").await?;
    refused(&thief.look(&callback).await?, "was not started here")?;
    ensure!(thief.look("/settings").await?.location.starts_with("/sign-in"));

    // The role follows what the provider reports at each sign-in.
    provider.knows("sub-1", &of_ada(&["dc-admins"])).await?;
    let mut again = Person::new(&service)?;
    through(&mut again, &provider, Some("sub-1")).await?;
    ensure!(again.look("/settings/users").await?.status == StatusCode::OK, "the new role does not count");
    provider.knows("sub-1", &of_ada(&["staff"])).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("sub-1")).await?;
    refused(&page, "you have no role in Bootledger")?;

    // A name does not identify a user: neither the name of another user at the provider, nor that of a user with a password
    // here.
    provider.knows("sub-2", &of_ada(&["dc-admins"])).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("sub-2")).await?;
    refused(&page, "linked to another account of the provider")?;
    provider.knows("sub-3", &json!({"preferred_username": "admin", "groups": ["dc-admins"]})).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("sub-3")).await?;
    refused(&page, "signs in with a password")?;
    provider.knows("sub-4", &json!({"preferred_username": "x@evil.example/../", "groups": ["dc-admins"]})).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("sub-4")).await?;
    refused(&page, "is not a valid user name")?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, None).await?;
    // This provider's error does not say which sign-in it belongs to.
    refused(&page, "was not started here")?;

    // A user who is disabled here can no longer sign in, regardless of the provider.
    provider.knows("sub-1", &of_ada(&["dc-ops"])).await?;
    service.post("/api/v1/users/ada/disable", &json!({})).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("sub-1")).await?;
    refused(&page, "user is disabled")?;

    let (export, log) = (service.run(&["export"]).await?, service.log()?);
    ensure!(export.contains("UserLinked") && export.contains("sub-1"), "the log does not contain the provider's subject of ada");
    let code = callback.split(['?', '&']).find_map(|part| part.strip_prefix("code=")).context("no code")?;
    for secret in [CLIENT_SECRET, code] {
        ensure!(!export.contains(secret) && !log.contains(secret), "{secret} is on record");
    }
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_password_still_works_while_the_provider_is_unavailable() -> Result<()> {
    let provider = Provider::start().await?;
    let service = start(provider.url()).await?;
    let ada = json!({"name": "ada", "role": "viewer", "password": "correct horse battery", "must_change_password": false});
    service.post("/api/v1/users", &ada).await?;
    drop(provider);
    let mut person = Person::new(&service)?;
    refused(&person.look("/sign-in/openid").await?, "sign in with a password")?;
    Person::signed_in(&service, "ada", "correct horse battery").await?;
    Ok(())
}

/// User names as Entra, Okta and others have them, on every page and path that contains them.
#[tokio::test]
async fn users_with_the_names_of_real_providers_sign_in_and_are_managed() -> Result<()> {
    let provider = Provider::start().await?;
    let service = start(provider.url()).await?;
    let known = async |subject: &str, name: &str, groups: &[&str]| {
        provider.knows(subject, &json!({"preferred_username": name, "given_name": "Ada", "groups": groups})).await
    };
    for (subject, name, stored, segment) in [
        ("s-1", "Ada@Corp.Example", "ada@corp.example", "ada@corp.example"),
        ("s-2", "CORP\\Ada", "corp\\ada", "corp%5Cada"),
        (
            "s-3",
            "ada_partner.example#EXT#@corp.example",
            "ada_partner.example#ext#@corp.example",
            "ada_partner.example%23ext%23@corp.example",
        ),
        ("s-4", "Ada M. O'Neil+dc", "ada m. o'neil+dc", "ada%20m.%20o%27neil%2Bdc"),
    ] {
        known(subject, name, &["dc-ops"]).await?;
        let mut person = Person::new(&service)?;
        let (page, _) = through(&mut person, &provider, Some(subject)).await?;
        ensure!((page.status, page.location.as_str()) == (StatusCode::SEE_OTHER, "/settings"), "{name}: {page:?}");
        let user = service.get(&format!("/api/v1/users/{segment}")).await?;
        ensure!(user["name"] == stored, "{user}");
        // The user's actions are recorded under that name.
        service.post(&format!("/api/v1/users/{segment}/disable"), &json!({})).await?;
        let (page, _) = through(&mut Person::new(&service)?, &provider, Some(subject)).await?;
        refused(&page, "user is disabled")?;
        service.post(&format!("/api/v1/users/{segment}/enable"), &json!({})).await?;
        ensure!(service.run(&["user", "list"]).await?.contains(stored), "the command line lists {stored}");
    }
    // An administrator's pages link to each user.
    known("s-9", "root@corp.example", &["dc-admins"]).await?;
    let mut root = Person::new(&service)?;
    through(&mut root, &provider, Some("s-9")).await?;
    let list = root.look("/settings/users").await?.text;
    for segment in ["ada@corp.example", "corp%5Cada", "ada_partner.example%23ext%23@corp.example", "ada%20m.%20o%27neil%2Bdc"] {
        ensure!(list.contains(&format!("href=\"/settings/users/{segment}\"")), "{segment}: {list}");
        ensure!(root.look(&format!("/settings/users/{segment}")).await?.status == StatusCode::OK, "{segment}");
    }

    // A renamed user stays the same user; a user with another one's name is refused.
    known("s-1", "ada.lovelace@corp.example", &["dc-ops"]).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("s-1")).await?;
    ensure!(page.status == StatusCode::SEE_OTHER, "{page:?}");
    let renamed = service.get("/api/v1/users?q=ada.lovelace").await?;
    ensure!(renamed["items"].as_array().is_some_and(Vec::is_empty), "{renamed}");
    known("s-5", "ADA@corp.example", &["dc-ops"]).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("s-5")).await?;
    refused(&page, "linked to another account of the provider")?;

    // The message names the missing claims, and contains none of their values.
    provider.knows("s-6", &json!({"email": "secret@corp.example", "groups": ["dc-ops"]})).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("s-6")).await?;
    refused(&page, "does not send the claim preferred_username")?;
    ensure!(page.text.contains("--openid-name-claim") && !page.text.contains("secret@corp"), "{page:?}");
    provider.knows("s-7", &json!({"preferred_username": "bob", "_claim_names": {"groups": "src1"}})).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("s-7")).await?;
    refused(&page, "you are in more groups than the provider puts into a token")?;
    known("s-8", "carol", &["secret-group"]).await?;
    let (page, _) = through(&mut Person::new(&service)?, &provider, Some("s-8")).await?;
    refused(&page, "you have no role in Bootledger: the one value of its claim groups gives none")?;
    ensure!(!page.text.contains("secret-group"), "{page:?}");
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}
