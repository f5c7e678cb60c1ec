//! Tests with tokens and responses that providers send by default, at their limits, and that an attacker would send.

use super::*;
use openidconnect::PrivateSigningKey;
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreRsaPrivateSigningKey};
use serde_json::json;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A provider's response to a path: status, additional headers, body.
type Answers = Arc<dyn Fn(&str, &str) -> (u16, String, String) + Send + Sync>;

/// A key, created once for all tests with OpenSSL.
fn pem(arguments: &'static [&'static str]) -> String {
    let made = Command::new("openssl").args(arguments).output().expect("openssl");
    String::from_utf8(made.stdout).expect("a PEM")
}

fn rsa() -> CoreRsaPrivateSigningKey {
    static KEY: OnceLock<String> = OnceLock::new();
    let pem = KEY.get_or_init(|| pem(&["genrsa", "-traditional", "2048"]));
    CoreRsaPrivateSigningKey::from_pem(pem, None).expect("a key")
}

fn ed() -> CoreEdDsaPrivateSigningKey {
    static KEY: OnceLock<String> = OnceLock::new();
    let pem = KEY.get_or_init(|| pem(&["genpkey", "-algorithm", "ed25519"]));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(pem, None).expect("a key")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with these claims, signed with this algorithm.
fn token(algorithm: &str, key_id: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": algorithm, "typ": "JWT"});
    if let Some(id) = key_id {
        header["kid"] = id.into();
    }
    let signed = format!("{}.{}", part(&header), part(claims));
    let bytes = signed.as_bytes();
    let signature = match algorithm {
        "RS256" => rsa().sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, bytes).expect("a signature"),
        "PS256" => rsa().sign(&CoreJwsSigningAlgorithm::RsaSsaPssSha256, bytes).expect("a signature"),
        "EdDSA" => ed().sign(&CoreJwsSigningAlgorithm::EdDsa, bytes).expect("a signature"),
        "HS256" => {
            use hmac::{Hmac, KeyInit, Mac};
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"client-secret").expect("a key");
            mac.update(bytes);
            mac.finalize().into_bytes().to_vec()
        }
        _ => vec![],
    };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A test provider: its URL, and its responses.
struct Fake {
    url: String,
    /// The issuer that it states, and the token that it returns.
    sends: Arc<Mutex<Sends>>,
}

#[derive(Clone, Default)]
struct Sends {
    issuer: String,
    token: String,
    userinfo: Option<(String, String)>,
    discovery: Option<(u16, String, String)>,
}

impl Fake {
    async fn start() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let sends = Arc::new(Mutex::new(Sends { issuer: url.clone(), ..Sends::default() }));
        let (known, base) = (sends.clone(), url.clone());
        let answers: Answers = Arc::new(move |path, _| {
            let sends = known.lock().expect("no panic").clone();
            let json = |value: &Value| (200, "Content-Type: application/json\r\n".to_owned(), value.to_string());
            match path {
                "/.well-known/openid-configuration" => sends.discovery.clone().unwrap_or_else(|| {
                    let mut metadata = json!({
                        "issuer": sends.issuer, "authorization_endpoint": format!("{base}/authorize"),
                        "token_endpoint": format!("{base}/token"), "jwks_uri": format!("{base}/keys"),
                        "response_types_supported": ["code"], "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["RS256"],
                    });
                    if sends.userinfo.is_some() {
                        metadata["userinfo_endpoint"] = format!("{base}/userinfo").into();
                    }
                    json(&metadata)
                }),
                "/keys" => {
                    let keys =
                        [serde_json::to_value(rsa().as_verification_key()), serde_json::to_value(ed().as_verification_key())];
                    json(&json!({"keys": keys.map(|key| key.expect("a key"))}))
                }
                "/token" => {
                    json(&json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": sends.token}))
                }
                "/userinfo" => {
                    let (kind, body) = sends.userinfo.unwrap_or_default();
                    (200, format!("Content-Type: {kind}\r\n"), body)
                }
                _ => (404, String::new(), String::new()),
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answers = answers.clone();
                tokio::spawn(async move {
                    let (mut text, mut bytes) = (String::new(), [0; 8192]);
                    while !text.contains("\r\n\r\n") {
                        match stream.read(&mut bytes).await {
                            Ok(count) if count > 0 => text.push_str(&String::from_utf8_lossy(&bytes[..count])),
                            _ => return,
                        }
                    }
                    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                    let (status, headers, body) = answers(&path, &text);
                    let head = format!(
                        "HTTP/1.1 {status} Words\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    drop(stream.write_all(head.as_bytes()).await);
                    drop(stream.write_all(body.as_bytes()).await);
                    drop(stream.shutdown().await);
                });
            }
        });
        Self { url, sends }
    }

    fn claims(&self) -> Value {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        json!({
            "iss": self.url, "aud": "bootledger", "sub": "s-1", "nonce": "n0nce", "iat": now, "exp": now + 300,
            "preferred_username": "Ada@Corp.example", "groups": ["dc-ops"],
        })
    }

    async fn finish(&self, issuer: &str) -> Result<Identity, ProviderError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("oidc"), "client-secret").expect("a file");
        let arguments = OpenidArguments {
            openid_issuer: Some(issuer.to_owned()),
            openid_client_id: Some("bootledger".to_owned()),
            openid_client_secret: Some("oidc".parse().expect("a name")),
            openid_name_claim: "preferred_username".to_owned(),
            openid_role_claim: "groups".to_owned(),
            openid_role: vec!["dc-ops=operator".to_owned()],
            ..OpenidArguments::default()
        };
        let secrets = Secrets::new(Some(folder.path().to_owned()));
        let provider = Provider::of(&arguments, "http://127.0.0.1:8080", secrets).expect("arguments").expect("a provider");
        let pending = Pending { state: "s".to_owned(), nonce: "n0nce".to_owned(), verifier: "v".repeat(50) };
        provider.finish("c0de".to_owned(), &pending).await
    }

    async fn with(&self, token: String) -> Result<Identity, ProviderError> {
        self.sends.lock().expect("no panic").token = token;
        self.finish(&self.url).await
    }
}

/// The message of a failed sign-in, with the details that only the log contains.
fn message_of(error: &ProviderError) -> String {
    let mut message_of = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message_of = format!("{message_of}: {cause}");
        source = cause.source();
    }
    message_of
}

#[tokio::test]
async fn an_id_token_counts_only_with_a_signature_of_the_providers_own_key() {
    let fake = Fake::start().await;
    for (algorithm, kid) in [("RS256", None), ("PS256", None), ("EdDSA", None)] {
        let identity =
            fake.with(token(algorithm, kid, &fake.claims())).await.unwrap_or_else(|error| panic!("{algorithm}: {error:?}"));
        assert_eq!(
            (identity.name.as_str(), identity.role.as_ref().ok()),
            ("Ada@Corp.example", Some(&bootledger_aggregates::user::Role::Operator))
        );
    }
    let good = token("RS256", None, &fake.claims());
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let changed = format!("{}.{}", signed.split('.').next().unwrap_or_default(), part(&json!({"sub": "root"})));
    for (what, wrong) in [
        ("none", token("none", None, &fake.claims())),
        ("the client's secret", token("HS256", None, &fake.claims())),
        ("no signature", format!("{signed}.")),
        ("changed claims", format!("{changed}.{signature}")),
        ("a key that is not published", token("RS256", Some("old"), &fake.claims()).replace('.', ".x")),
        ("nonsense", "nonsense".to_owned()),
    ] {
        let error = fake.with(wrong).await.err().unwrap_or_else(|| panic!("{what} is taken"));
        assert!(error.to_string().contains("failed verification"), "{what}: {}", message_of(&error));
    }
}

#[tokio::test]
async fn an_id_token_is_for_this_client_of_this_issuer_and_of_now() {
    let fake = Fake::start().await;
    let with = |name: &str, value: Value| {
        let mut claims = fake.claims();
        claims[name] = value;
        claims
    };
    let both = |audiences: Value, party: Value| {
        let mut claims = fake.claims();
        (claims["aud"], claims["azp"]) = (audiences, party);
        claims
    };
    for good in [
        with("aud", json!(["bootledger"])),
        with("azp", json!("bootledger")),
        both(json!(["project-1", "bootledger"]), json!("bootledger")),
    ] {
        let done = fake.with(token("RS256", None, &good)).await;
        assert!(done.is_ok(), "{good}: {:?}", done.err().map(|error| message_of(&error)));
    }
    for wrong in [
        with("aud", json!("another")),
        with("aud", json!([])),
        with("aud", json!(["another", "third"])),
        with("aud", json!(["bootledger", "another"])),
        both(json!(["bootledger", "another"]), json!("another")),
        both(json!("bootledger"), json!("another")),
        both(json!("bootledger"), json!(["bootledger"])),
        with("iss", json!("https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0")),
        with("iss", json!(format!("{}/", fake.url))),
        with("exp", json!(1_700_000_000)),
        with("nonce", json!("another")),
        with("nonce", Value::Null),
    ] {
        let error = fake.with(token("RS256", None, &wrong)).await.err().unwrap_or_else(|| panic!("{wrong} is taken"));
        assert!(error.to_string().contains("failed verification"), "{wrong}: {}", message_of(&error));
    }
}

#[tokio::test]
async fn a_final_slash_of_the_issuer_makes_no_difference() {
    let fake = Fake::start().await;
    for stated in [fake.url.clone(), format!("{}/", fake.url)] {
        let mut claims = fake.claims();
        claims["iss"] = stated.clone().into();
        {
            let mut sends = fake.sends.lock().expect("no panic");
            (sends.issuer, sends.token) = (stated.clone(), token("RS256", None, &claims));
        }
        for given in [fake.url.clone(), format!("{}/", fake.url)] {
            let done = fake.finish(&given).await;
            assert!(done.is_ok(), "{stated} {given}: {:?}", done.err().map(|error| message_of(&error)));
        }
    }
    fake.sends.lock().expect("no panic").issuer = format!("{}/other", fake.url);
    let error = fake.finish(&fake.url).await.expect_err("another issuer");
    assert!(message_of(&error).contains("--openid-issuer must be the issuer that the provider states"), "{}", message_of(&error));
}

#[tokio::test]
async fn discovery_is_bounded_and_follows_no_redirects() {
    let fake = Fake::start().await;
    fake.sends.lock().expect("no panic").token = token("RS256", None, &fake.claims());
    for (what, answer) in [
        ("a redirect", (302, "Location: http://127.0.0.1:1/\r\n".to_owned(), String::new())),
        ("a huge document", (200, String::new(), format!("{{\"issuer\": \"{}\"}}", "x".repeat(2 << 20)))),
        ("a page", (200, "Content-Type: text/html\r\n".to_owned(), "<html>".to_owned())),
        ("an error", (500, String::new(), String::new())),
    ] {
        fake.sends.lock().expect("no panic").discovery = Some(answer);
        let error = fake.finish(&fake.url).await.err().unwrap_or_else(|| panic!("{what} is taken"));
        assert!(error.to_string().contains("is not available"), "{what}: {}", message_of(&error));
    }
}

#[tokio::test]
async fn userinfo_is_read_as_json_or_signed_and_only_of_the_same_person() {
    let fake = Fake::start().await;
    let mut claims = fake.claims();
    claims.as_object_mut().expect("an object").remove("groups");
    let of = |subject: &str| json!({"sub": subject, "groups": ["dc-ops"], "preferred_username": "mallory"});
    for (kind, body, done) in [
        ("application/json", of("s-1").to_string(), true),
        ("application/jwt", token("RS256", None, &of("s-1")), true),
        ("application/jwt; charset=utf-8", token("RS256", None, &of("s-1")), true),
        ("application/json", of("s-2").to_string(), false),
        ("application/jwt", token("RS256", None, &of("s-2")), false),
        ("application/jwt", "a.b.c.d.e".to_owned(), false),
        ("application/json", json!({"groups": ["dc-ops"]}).to_string(), false),
    ] {
        fake.sends.lock().expect("no panic").userinfo = Some((kind.to_owned(), body.clone()));
        match fake.with(token("RS256", None, &claims)).await {
            Ok(identity) => {
                assert!(done && identity.role.is_ok(), "{kind} {body}");
                assert_eq!(identity.name, "Ada@Corp.example", "the ID token goes first");
            }
            Err(error) => assert!(!done, "{kind} {body}: {}", message_of(&error)),
        }
    }
}

#[test]
fn an_issuer_for_every_tenant_is_refused() {
    for path in ["common/v2.0", "organizations/v2.0", "consumers/v2.0"] {
        let arguments = OpenidArguments {
            openid_issuer: Some(format!("https://login.microsoftonline.com/{path}")),
            openid_client_id: Some("bootledger".to_owned()),
            openid_role: vec!["a=viewer".to_owned()],
            ..OpenidArguments::default()
        };
        let refused = Provider::of(&arguments, "https://b.example", Secrets::new(None)).err().expect("refused").to_string();
        assert!(refused.contains("is the address for all tenants of Entra ID") && refused.contains("TENANT-ID"), "{refused}");
    }
}
