//! The issuer's published keys: fetched when needed, kept, followed when they rotate, and nobody else's believed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{Reply, Settings, TestApp, token};

/// A token issuer that publishes keys.
struct Issuer {
    server: MockServer,
    answer: Arc<Mutex<ResponseTemplate>>,
}

impl Issuer {
    async fn publishing(keys: &[Value]) -> Self {
        let issuer = Self { server: MockServer::start().await, answer: Arc::new(Mutex::new(set_of(keys))) };
        let answer = Arc::clone(&issuer.answer);
        let respond = move |_: &Request| answer.lock().unwrap().clone();
        Mock::given(any()).respond_with(respond).mount(&issuer.server).await;
        issuer
    }

    fn publish(&self, keys: &[Value]) {
        *self.answer.lock().unwrap() = set_of(keys);
    }

    fn fail(&self) {
        *self.answer.lock().unwrap() = ResponseTemplate::new(500);
    }

    /// How often the keys were fetched.
    async fn fetches(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }

    /// A service that believes this issuer.
    async fn service(&self, more: &str) -> TestApp {
        let keys = format!("jwks_url = \"{}/keys\"\n{more}", self.server.uri());
        TestApp::with(Settings { keys: Some(keys), ..Settings::default() }).await
    }
}

fn set_of(keys: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"keys": keys}))
}

/// A signing key on P-256.
struct Key {
    kid: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y})
    }

    /// A token that would be right if its key were believed.
    fn sign(&self, app: &TestApp, header: &Value) -> String {
        let mut whole = json!({"typ": "at+jwt", "alg": "ES256", "kid": self.kid});
        whole.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        jws(app, &whole, |input| self.pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec())
    }
}

fn jws(app: &TestApp, header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let now = invited::clock::Clock::now(&*app.clock).seconds();
    let claims = token::claims("default", "accounts:read", now);
    let input = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = BASE64.encode(sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// Knocks at a route that says "404" to whoever is let in.
async fn knock(app: &TestApp, token: &str) -> Reply {
    app.send(app.request("GET", "/v1/accounts/PRIMARY/nobody").bearer_auth(token)).await
}

async fn let_in(app: &TestApp, key: &Key) {
    knock(app, &key.sign(app, &json!({}))).await.problem(404, "account_not_found");
}

async fn refused(app: &TestApp, token: &str) {
    knock(app, token).await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_once_and_again_after_an_hour() {
    let key = Key::new("k1");
    let issuer = Issuer::publishing(&[key.jwk()]).await;
    let app = issuer.service("").await;
    assert_eq!(issuer.fetches().await, 0);
    for _ in 0..3 {
        let_in(&app, &key).await;
    }
    assert_eq!(issuer.fetches().await, 1);
    app.advance(Duration::from_mins(61));
    for _ in 0..2 {
        let_in(&app, &key).await;
    }
    assert_eq!(issuer.fetches().await, 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_found_at_once_and_a_withdrawn_one_is_dead() {
    let (old, new) = (Key::new("k1"), Key::new("k2"));
    let issuer = Issuer::publishing(&[old.jwk()]).await;
    let app = issuer.service("").await;
    let_in(&app, &old).await;
    app.advance(Duration::from_secs(11));
    issuer.publish(&[new.jwk(), json!({"kty": "unheard-of", "kid": "k3"}), json!(7)]);
    let_in(&app, &new).await;
    assert_eq!(issuer.fetches().await, 2);
    refused(&app, &old.sign(&app, &json!({}))).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_key_ids_do_not_make_us_ask_all_the_time() {
    let (key, unknown) = (Key::new("k1"), Key::new("k9"));
    let issuer = Issuer::publishing(&[key.jwk()]).await;
    let app = issuer.service("").await;
    let_in(&app, &key).await;
    for fetches in [1, 2, 3] {
        for _ in 0..3 {
            refused(&app, &unknown.sign(&app, &json!({}))).await;
        }
        assert_eq!(issuer.fetches().await, fetches);
        app.advance(Duration::from_secs(11));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_issuers_keys_nobody_is_judged() {
    let key = Key::new("k1");
    let issuer = Issuer::publishing(&[key.jwk()]).await;
    issuer.fail();
    let app = issuer.service("").await;
    for _ in 0..2 {
        let reply = knock(&app, &key.sign(&app, &json!({}))).await;
        assert_eq!(reply.header("retry-after"), "10");
        reply.problem(503, "issuer_unavailable");
    }
    assert_eq!(issuer.fetches().await, 1, "the issuer is left in peace for a moment");
    issuer.publish(&[key.jwk()]);
    app.advance(Duration::from_secs(11));
    let_in(&app, &key).await;

    issuer.fail();
    app.advance(Duration::from_hours(2));
    let_in(&app, &key).await;
    assert_eq!(issuer.fetches().await, 3, "it was asked, and the keys known from before still count");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_algorithms_agreed_on_count() {
    let key = Key::new("k1");
    let mut of_another_algorithm = key.jwk();
    (of_another_algorithm["kid"], of_another_algorithm["alg"]) = (json!("k2"), json!("ES384"));
    let issuer = Issuer::publishing(&[key.jwk(), of_another_algorithm]).await;
    let app = issuer.service("").await;
    let_in(&app, &key).await;
    let point = key.pair.public_key().as_ref().to_vec();
    for secret in [point.clone(), BASE64.encode(&point).into_bytes(), key.jwk().to_string().into_bytes(), Vec::new()] {
        let mac_key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": "k1"});
        let forged = jws(&app, &header, |input| aws_lc_rs::hmac::sign(&mac_key, input).as_ref().to_vec());
        refused(&app, &forged).await;
    }
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "RS256"}),
        json!({"alg": "ES384"}),
        json!({"kid": "k2"}),
        json!({"kid": null}),
        json!({"kid": 1}),
        json!({"typ": "JWT"}),
    ] {
        refused(&app, &key.sign(&app, &header)).await;
    }
    refused(&app, &jws(&app, &json!({"typ": "at+jwt", "alg": "none", "kid": "k1"}), |_| Vec::new())).await;
    app.finish().await;

    let rsa_only = issuer.service("algorithms = [\"RS256\"]").await;
    refused(&rsa_only, &key.sign(&rsa_only, &json!({}))).await;
    rsa_only.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edwards_key_counts_too() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = BASE64.encode(pair.public_key().as_ref());
    let issuer = Issuer::publishing(&[json!({"kty": "OKP", "crv": "Ed25519", "kid": "e1", "x": x})]).await;
    let app = issuer.service("").await;
    let sign = |input: &[u8]| pair.sign(input).as_ref().to_vec();
    let token = jws(&app, &json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "e1"}), sign);
    knock(&app, &token).await.problem(404, "account_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_says_of_its_own_key_is_not_looked_at() {
    let (key, foreign) = (Key::new("k1"), Key::new("k9"));
    let elsewhere = Issuer::publishing(&[foreign.jwk()]).await;
    let issuer = Issuer::publishing(&[key.jwk()]).await;
    let app = issuer.service("").await;
    let url = format!("{}/keys", elsewhere.server.uri());
    for header in [
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"jwk": foreign.jwk()}),
        json!({"kid": "k1", "jku": url, "jwk": foreign.jwk()}),
        json!({"kid": url}),
    ] {
        refused(&app, &foreign.sign(&app, &header)).await;
    }
    assert_eq!(elsewhere.fetches().await, 0);
    let_in(&app, &key).await;
    app.finish().await;
}
