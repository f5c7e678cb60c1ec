//! Users of a test's site, and their requests.

use crate::support::{Answer, TestSite};
use actix_web::test::TestRequest;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::SessionId;
use bootledger_web::http::auth::cookie;
use bootledger_web::http::auth::password::Password;
use bootledger_web::http::auth::token::Secret;
use serde_json::json;
use uuid::Uuid;

impl TestSite {
    /// Creates a user with this role and without a password.
    pub(crate) async fn user(&self, name: &str, role: Role) {
        let sign_in = json!({"password": {"password": Uuid::now_v7(), "one_time": false}});
        let created = json!({"type": "UserCreated", "display_name": "", "role": role, "sign_in": sign_in});
        self.append("user", name, created).await;
    }

    /// Creates a user with this password, which is a one-time password or not.
    pub(crate) async fn user_with(&self, name: &str, password: &str, one_time: bool) {
        let id = Uuid::now_v7();
        let hash = Password::chosen(password, name).expect("a password").hash().await.expect("a hash");
        sqlx::query("INSERT INTO user_passwords (password, user_name, phc) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(name)
            .bind(hash.phc())
            .execute(&self.pool)
            .await
            .expect("a password");
        let sign_in = json!({"password": {"password": id, "one_time": one_time}});
        let created = json!({"type": "UserCreated", "display_name": "", "role": "viewer", "sign_in": sign_in});
        self.append("user", name, created).await;
    }

    /// Creates a session of a user. Returns its id and its cookie.
    pub(crate) async fn session(&self, name: &str) -> (SessionId, String) {
        let (id, secret) = (SessionId(Uuid::now_v7()), Secret::random());
        sqlx::query(
            "INSERT INTO session_secrets (session, sha256, rotated_at, last_seen, expires)
             VALUES ($1, $2, clock_timestamp(), clock_timestamp(), clock_timestamp() + interval '1 day')",
        )
        .bind(id.0)
        .bind(secret.sha256().bytes().as_slice())
        .execute(&self.pool)
        .await
        .expect("a secret");
        let started =
            json!({"type": "SessionStarted", "user": name, "method": "password", "client": "10.0.0.7", "user_agent": "Firefox"});
        self.append("session", &id.to_string(), started).await;
        (id, format!("{}={}", cookie::name(false), cookie::text(id, &secret)))
    }

    /// Creates a user with this role and a session, and returns the session's cookie.
    pub(crate) async fn signed_in(&self, role: Role) -> String {
        let name = format!("the-{role}");
        self.user(&name, role).await;
        self.session(&name).await.1
    }

    /// Sends a request as a browser does from one of our own pages, with this cookie.
    pub(crate) async fn browse(&self, cookie: &str, request: TestRequest) -> Answer {
        let request = request.insert_header(("cookie", cookie)).insert_header(("sec-fetch-site", "same-origin"));
        self.request(request.insert_header(("accept", "text/html,application/xhtml+xml"))).await
    }
}
