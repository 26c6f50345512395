//! The token mint of the sandbox: access tokens as an authorization server would issue them (RFC 9068), and its JWKS.
//!
//! Its key lives as long as the process. Whoever reaches it on loopback gets any token they ask for.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Bytes, Data, Query, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse, error};
use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::server::{Running, Socket};
use crate::clock::Clock;

/// Who the tokens are for: `auth.audience` of the service.
pub(super) const AUDIENCE: &str = "invited";
const LIFETIME_SECONDS: i64 = 3600;
const ALL_SCOPES: &str = "invitations:read invitations:write settings:read settings:write accounts:read accounts:write \
                          deliveries:write audit:read otp:verify webhooks:write";

/// What a mint is started with.
pub struct MintOptions {
    /// 0 for any.
    pub port: u16,
    pub clock: Arc<dyn Clock>,
}

/// What the token is to say.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenRequest {
    tenant: String,
    scope: String,
    sub: String,
}

impl Default for TokenRequest {
    fn default() -> Self {
        Self { tenant: "default".to_owned(), scope: ALL_SCOPES.to_owned(), sub: "sandbox".to_owned() }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    tenant: &'a str,
    scope: &'a str,
}

struct Mint {
    issuer: String,
    kid: String,
    key: EncodingKey,
    jwks: Value,
    clock: Arc<dyn Clock>,
}

/// Starts a mint with a new key in the background of the current runtime.
///
/// # Errors
/// When the port can't be had or no key can be made.
pub fn start(options: MintOptions) -> anyhow::Result<Running> {
    let socket = Socket::bind(options.port)?;
    let mint = Data::new(Mint::new(socket.base_url.clone(), options.clock)?);
    socket.serve(move |config: &mut ServiceConfig| {
        config.app_data(mint.clone()).route("/jwks.json", get().to(jwks)).route("/token", post().to(token));
    })
}

async fn jwks(mint: Data<Mint>) -> HttpResponse {
    HttpResponse::Ok().json(&mint.jwks)
}

/// Answers as RFC 6749 §5.1 does, or with the bare token when asked for plain text.
async fn token(mint: Data<Mint>, request: HttpRequest, body: Bytes) -> actix_web::Result<HttpResponse> {
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json");
    let wanted: TokenRequest = if is_json {
        serde_json::from_slice(&body).map_err(error::ErrorBadRequest)?
    } else {
        Query::<TokenRequest>::from_query(std::str::from_utf8(&body)?).map_err(error::ErrorBadRequest)?.into_inner()
    };
    let token = mint.sign(&wanted).map_err(error::ErrorInternalServerError)?;
    let plain = request.headers().get(header::ACCEPT).is_some_and(|value| value == "text/plain");
    Ok(if plain {
        HttpResponse::Ok().content_type("text/plain").body(token)
    } else {
        let TokenRequest { scope, .. } = wanted;
        HttpResponse::Ok().json(
            json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "scope": scope}),
        )
    })
}

impl Mint {
    fn new(issuer: String, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .context("no key could be made")?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())?;
        // An uncompressed point: 0x04, x, y.
        let point = pair.public_key().as_ref().strip_prefix(&[4]).context("the key has an unknown form")?;
        let (x, y) = point.split_at_checked(32).context("the key has an unknown size")?;
        let kid = URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<9>());
        let jwks = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]});
        Ok(Self { issuer, kid, key: EncodingKey::from_ec_der(pkcs8.as_ref()), jwks, clock })
    }

    fn sign(&self, wanted: &TokenRequest) -> jsonwebtoken::errors::Result<String> {
        let now = self.clock.now().seconds();
        let claims = Claims {
            iss: &self.issuer,
            aud: AUDIENCE,
            sub: &wanted.sub,
            client_id: &wanted.sub,
            iat: now,
            exp: now + LIFETIME_SECONDS,
            jti: URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<16>()),
            tenant: &wanted.tenant,
            scope: &wanted.scope,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, &claims, &self.key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};

    use super::super::test_client;
    use super::*;
    use crate::clock::OffsetClock;

    /// The header and claims of a token, checked against the mint's own JWKS.
    async fn verified(mint: &Running, token: &str) -> (Header, Value) {
        let jwks: JwkSet =
            test_client().get(format!("{}/jwks.json", mint.base_url)).send().await.unwrap().json().await.unwrap();
        let header = decode_header(token).unwrap();
        let key = DecodingKey::from_jwk(jwks.find(header.kid.as_deref().unwrap()).unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[&mint.base_url]);
        rules.validate_exp = false;
        (header, decode(token, &key, &rules).unwrap().claims)
    }

    #[actix_web::test]
    async fn a_token_says_what_was_asked_for_at_the_sandbox_time() {
        let clock = Arc::new(OffsetClock::default());
        let mint = start(MintOptions { port: 0, clock: clock.clone() }).unwrap();
        clock.advance(Duration::from_hours(24));
        let asked = [("tenant", "north"), ("scope", "invitations:read"), ("sub", "portal")];
        let reply: Value = test_client()
            .post(format!("{}/token", mint.base_url))
            .form(&asked)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let (header, claims) = verified(&mint, reply["access_token"].as_str().unwrap()).await;

        assert_eq!((header.typ.as_deref(), &reply["expires_in"]), (Some("at+jwt"), &json!(3600)));
        assert_eq!([&claims["tenant"], &claims["scope"], &claims["sub"]], ["north", "invitations:read", "portal"]);
        let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lifetime, 3600);
        assert!((clock.now().seconds() - claims["iat"].as_i64().unwrap()).abs() < 60);
    }

    #[actix_web::test]
    async fn asking_for_nothing_gives_everything_in_plain_text() {
        let mint = start(MintOptions { port: 0, clock: Arc::new(OffsetClock::default()) }).unwrap();
        let request = test_client().post(format!("{}/token", mint.base_url)).header("Accept", "text/plain");
        let token = request.send().await.unwrap().text().await.unwrap();
        let (_, claims) = verified(&mint, &token).await;
        assert_eq!([&claims["tenant"], &claims["scope"]], ["default", ALL_SCOPES]);
    }

    #[actix_web::test]
    async fn a_misspelt_wish_is_refused() {
        let mint = start(MintOptions { port: 0, clock: Arc::new(OffsetClock::default()) }).unwrap();
        let request = test_client().post(format!("{}/token", mint.base_url)).json(&json!({"scopes": "x"}));
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
}
