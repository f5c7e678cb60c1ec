//! Users: the first start, signing in, one-time passwords, sessions that end, and no secret in the log or the events.

use crate::support::person::Person;
use crate::support::process::wait_for;
use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use reqwest::StatusCode;
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;

const CHOSEN: &str = "correct horse battery";

/// The line of the service's output after one that contains `before`.
fn line_after(log: &str, before: &str) -> Result<String> {
    let mut lines = log.lines().skip_while(|line| !line.contains(before));
    lines.next().with_context(|| format!("nothing says {before}"))?;
    Ok(lines.next().context("it is the last line")?.to_owned())
}

/// Signs in for the first time and chooses a password.
async fn first_sign_in(service: &Service, name: &str, one_time: &str, chosen: &str) -> Result<Person> {
    let mut person = Person::new(service)?;
    let led = person.look("/devices?q=a").await?;
    ensure!(led.location == "/sign-in?to=%2Fdevices%3Fq%3Da", "{led:?}");
    let page = person.send("/sign-in", &[("user", name), ("password", one_time), ("to", "/settings")]).await?;
    ensure!((page.status, page.location.as_str()) == (StatusCode::SEE_OTHER, "/settings/password?to=%2Fsettings"), "{page:?}");
    let held = person.look("/").await?;
    ensure!(held.location == "/settings/password", "{held:?}");
    let fields = [("current", one_time), ("password", chosen), ("again", chosen), ("to", "/settings")];
    let changed = person.send("/settings/password", &fields).await?;
    ensure!((changed.status, changed.location.as_str()) == (StatusCode::SEE_OTHER, "/settings"), "{changed:?}");
    let settings = person.look("/settings").await?;
    ensure!(settings.status == StatusCode::OK && settings.text.contains("id=\"sessions\""), "{settings:?}");
    Ok(person)
}

#[tokio::test]
async fn the_first_administrator_signs_in_and_adds_others_whose_sessions_end_when_they_should() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let one_time = line_after(&service.log()?, "sign in as admin with this one-time password")?;
    let mut admin = first_sign_in(&service, "admin", &one_time, CHOSEN).await?;
    let mut secrets = vec![one_time.clone(), CHOSEN.to_owned(), admin.secret()?];
    ensure!(Person::signed_in(&service, "admin", &one_time).await.is_err(), "a one-time password is for one time");

    // Another browser of the same user; the first browser ends its session.
    let mut other = Person::signed_in(&service, "admin", CHOSEN).await?;
    secrets.push(other.secret()?);
    let page = admin.look("/settings").await?;
    let end = page.text.split('"').find(|part| part.starts_with("/settings/sessions/")).context("no other session")?.to_owned();
    ensure!(admin.send(&end, &[("to", "/settings")]).await?.location == "/settings");
    ensure!(other.look("/settings").await?.location.starts_with("/sign-in"), "an ended session still opens pages");

    // A new user, with the role viewer.
    let fields = [("name", "ada"), ("display_name", "Ada Lovelace"), ("role", "viewer"), ("sign_in", "password")];
    let made = admin.send("/settings/users", &fields).await?;
    let one_time = made.text.split(['<', '>']).find(|part| part.len() == 23 && part.split('-').count() == 4);
    let one_time = one_time.with_context(|| format!("no password: {made:?}"))?.to_owned();
    let mut ada = first_sign_in(&service, "ada", &one_time, "a password of Ada's").await?;
    secrets.extend([one_time, "a password of Ada's".to_owned(), ada.secret()?]);
    ensure!(ada.look("/settings/users").await?.status == StatusCode::FORBIDDEN);
    ensure!(ada.send("/settings/users", &fields).await?.status == StatusCode::FORBIDDEN);

    // A new password, set from the command line, ends all sessions.
    let reset = service.run(&["user", "passwd", "ada"]).await?.trim().to_owned();
    gone(&mut ada).await?;
    let mut ada = first_sign_in(&service, "ada", &reset, "another one of Ada's").await?;
    secrets.extend([reset, "another one of Ada's".to_owned(), ada.secret()?]);
    service.run(&["user", "disable", "ada"]).await?;
    gone(&mut ada).await?;
    ensure!(Person::signed_in(&service, "ada", "another one of Ada's").await.is_err(), "a disabled user signs in");
    let listed = service.run(&["user", "list"]).await?;
    let of_ada = listed.lines().find(|line| line.starts_with("ada ")).context("ada is not in the list")?;
    ensure!(of_ada.split_whitespace().take(3).eq(["ada", "disabled", "viewer"]), "{listed}");

    // The last administrator stays, regardless of which command would remove it.
    for arguments in [["user", "disable", "admin"].as_slice(), &["user", "role", "admin", "viewer"]] {
        let refused = service.run(arguments).await.err().context("the last administrator is gone")?.to_string();
        ensure!(refused.contains("administrator"), "{refused}");
    }
    for refused in [
        service.post("/api/v1/users/admin/disable", &json!({})).await,
        service.patch("/api/v1/users/admin", &json!({ "role": "viewer" })).await,
    ] {
        let refused = refused.err().context("the last administrator is gone")?.to_string();
        ensure!(refused.contains("last_administrator"), "{refused}");
    }
    let listed = service.run(&["user", "list"]).await?;
    let of_admin = listed.lines().find(|line| line.starts_with("admin ")).context("admin is not in the list")?;
    ensure!(of_admin.split_whitespace().take(3).eq(["admin", "enabled", "administrator"]), "{listed}");
    ensure!(admin.send("/sign-out", &[]).await?.location == "/sign-in");
    ensure!(admin.cookie.is_none(), "the browser keeps the cookie");

    // No secret is on record, but the sign-ins and the browsers are.
    let export = service.run(&["export"]).await?;
    let log = service.log()?;
    let log = log.replace(&secrets[0], "");
    for secret in &secrets {
        ensure!(!export.contains(secret.as_str()), "an event holds {secret}");
        ensure!(!log.contains(secret.as_str()), "the log holds {secret}");
    }
    ensure!(!export.contains("argon2") && !log.contains("argon2"), "a hash is on record");
    let timeline = service.get("/api/v1/events?aggregate=session&limit=1000").await?.to_string();
    ensure!(timeline.contains("user admin") && timeline.contains("Test browser"), "{timeline}");
    service.run(&["verify"]).await?;
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}

/// Waits until the user's session is refused: the service notices a command that ran beside it a moment later.
async fn gone(person: &mut Person) -> Result<()> {
    let person = tokio::sync::Mutex::new(person);
    let turned_away = async || {
        let page = person.lock().await.look("/settings").await.ok()?;
        page.location.starts_with("/sign-in").then_some(())
    };
    wait_for("the session is over", Duration::from_secs(20), turned_away).await
}

#[tokio::test]
async fn a_sessions_secret_is_rotated_without_interrupting_the_user() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service
        .post("/api/v1/users", &json!({"name": "ada", "role": "viewer", "password": CHOSEN, "must_change_password": false}))
        .await?;
    let ada = Person::signed_in(&service, "ada", CHOSEN).await?;
    let pool = service.database().pool(1).await?;
    let change = async |change: &str| sqlx::query(&format!("UPDATE session_secrets SET {change}")).execute(&pool).await.map(drop);
    let opens = async |cookie: &Option<String>| -> Result<bool> {
        Ok(Person::with(&service, cookie.clone())?.look("/settings").await?.status == StatusCode::OK)
    };
    // The new secret that the service gives to a browser that sends this one. The service caches sessions for some seconds.
    let renewed = async |cookie: &Option<String>| {
        let requested = async || {
            let mut person = Person::with(&service, cookie.clone()).ok()?;
            let answer = person.look("/settings").await.ok()?;
            (answer.status == StatusCode::OK && person.cookie != *cookie).then_some(person.cookie)
        };
        wait_for("the secret is replaced", Duration::from_secs(30), requested).await
    };
    let old = ada.cookie;
    change("rotated_at = rotated_at - interval '1 hour'").await?;
    let new = renewed(&old).await?;

    // The service still accepts the old secret for requests that were under way, and for a minute after the new one was first
    // used.
    ensure!(opens(&old).await? && opens(&new).await?);
    change("previous_until = previous_until - interval '1 minute'").await?;
    let refused = async || {
        let location = Person::with(&service, old.clone()).ok()?.look("/settings").await.ok()?.location;
        location.starts_with("/sign-in").then_some(())
    };
    wait_for("the old secret opens nothing", Duration::from_secs(30), refused).await?;
    ensure!(opens(&new).await?);

    // When an answer is lost, the browser still has the previous secret and gets another new one.
    change("rotated_at = rotated_at - interval '1 hour'").await?;
    let lost = renewed(&new).await?;
    change("rotated_at = rotated_at - interval '1 minute'").await?;
    let again = renewed(&new).await?;
    ensure!(again != lost && opens(&again).await?);
    Ok(())
}

/// Sends a wrong password from this address; the test acts as a trusted proxy.
async fn guesses(
    service: &Service,
    client: &reqwest::Client,
    address: Ipv4Addr,
    name: &str,
    password: &str,
) -> Result<StatusCode> {
    let request = client.post(service.url("/sign-in")).header("X-Forwarded-For", address.to_string());
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("user", name).append_pair("password", password);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded").header("Origin", service.url(""));
    Ok(request.header("Accept", "text/html").body(body.finish()).send().await?.status())
}

#[tokio::test]
async fn failed_sign_ins_use_no_memory_and_lock_no_user_out_of_a_known_address() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let user = json!({"name": "ada", "role": "viewer", "password": CHOSEN, "must_change_password": false});
    service.post("/api/v1/users", &user).await?;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let home = Ipv4Addr::new(192, 0, 2, 7);
    ensure!(guesses(&service, &client, home, "ada", CHOSEN).await? == StatusCode::SEE_OTHER);

    let before = service.memory("VmRSS")?;
    let others = (0..360_u32).map(|number| {
        // First many names, each of which costs a password hash, and then one that becomes locked.
        let name = if number < 60 { format!("user{number}") } else { "ada".to_owned() };
        let (service, client) = (&service, &client);
        async move { guesses(service, client, Ipv4Addr::from(0x0a00_0000 + number * 256), &name, "wrong").await }
    });
    let statuses: Vec<StatusCode> = futures::stream::iter(others).buffer_unordered(32).try_collect().await?;
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    ensure!(statuses.iter().all(|status| refused.contains(status)), "{statuses:?}");
    let grown = service.memory("VmHWM")?.saturating_sub(before) / 1024;
    ensure!(grown < 60, "the service took {grown} MB more for failed sign-ins");

    // The name is locked for new addresses; from the address where she signed in before, she still can.
    let mut elsewhere = vec![];
    for number in 1..=3 {
        // The lock may have expired for the first attempt, which starts it again.
        elsewhere.push(guesses(&service, &client, Ipv4Addr::new(198, 51, 100, number), "ada", "wrong").await?);
    }
    ensure!(elsewhere.contains(&StatusCode::TOO_MANY_REQUESTS), "{elsewhere:?}");
    ensure!(guesses(&service, &client, home, "ada", CHOSEN).await? == StatusCode::SEE_OTHER);
    let locked = async || {
        let user = service.get("/api/v1/users/ada").await.ok()?;
        (user["locked_out"]["everywhere"] == true).then_some(())
    };
    wait_for("the lock-out is on record", Duration::from_secs(20), locked).await?;
    let events = service.get("/api/v1/events?aggregate=user&limit=1000").await?.to_string();
    ensure!(events.matches(r#""type":"UserLockedOut","version""#).count() == 1 && !events.contains("user59"), "{events}");
    service.run(&["user", "unlock", "ada"]).await?;
    let unlocked = async || {
        let status = guesses(&service, &client, Ipv4Addr::new(198, 51, 100, 1), "ada", CHOSEN).await.ok()?;
        (status == StatusCode::SEE_OTHER).then_some(())
    };
    wait_for("she signs in from anywhere", Duration::from_secs(20), unlocked).await?;
    ensure!(service.get("/api/v1/users/ada").await?["locked_out"].is_null());
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}
