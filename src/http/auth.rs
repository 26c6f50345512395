//! Who may do what: access tokens checked strictly, and scopes as extractor types.
//!
//! A handler that takes `Authorized<InvitationsWrite>` cannot run without that scope for that tenant. Signature, algorithm and
//! type are checked before any claim is believed; every claim must be there and of its type (RFC 9068, RFC 8725).

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::State;
use super::jwks::Jwks;
use super::problem::Problem;
use super::request::{request_id_of, tenant_of};
use crate::clock::Clock;
use crate::domain::ids::TenantId;
use crate::domain::secret::Secret;
use crate::domain::text::one_line;
use crate::domain::time::Timestamp;
use crate::service::{Actor, Caller, GRANT_TOKEN_TYPE};

/// Difference between clocks that is forgiven, in seconds.
const LEEWAY: i64 = 30;

/// What an access token must be.
pub struct Rules {
    pub issuer: String,
    pub audience: String,
    pub tenant_claim: String,
    pub scope_claim: String,
    /// The JWT type demanded; empty for any but a grant's.
    pub token_type: String,
    pub algorithms: Vec<Algorithm>,
}

/// Where the keys come from.
pub enum Keys {
    /// The issuer's published keys.
    Jwks(Box<Jwks>),
    /// One shared secret, for development.
    Shared(DecodingKey),
}

impl Keys {
    #[must_use]
    pub fn shared(secret: &Secret) -> Self {
        Self::Shared(DecodingKey::from_secret(secret.expose().as_bytes()))
    }
}

/// Checks access tokens.
pub struct Authenticator {
    rules: Rules,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

/// Why a token does not count.
#[derive(Debug, PartialEq, Eq)]
enum Rejected {
    /// It is not a valid token of ours.
    Token,
    /// It is valid, but not for this tenant or scope.
    Forbidden(&'static str),
    /// The issuer's keys can't be had.
    NoKeys,
}

impl Authenticator {
    #[must_use]
    pub fn new(rules: Rules, keys: Keys, clock: Arc<dyn Clock>) -> Self {
        Self { rules, keys, clock }
    }

    /// The subject of a valid token for this tenant with one of these scopes.
    async fn authorize(&self, jwt: &str, tenant: &TenantId, scopes: &[&str]) -> Result<String, Rejected> {
        let claims = self.verified_claims(jwt).await?;
        let subject = check_claims(&claims, &self.rules, self.clock.now()).ok_or(Rejected::Token)?;
        if !tenant.names().any(|name| names(&claims, &self.rules.tenant_claim, name)) {
            return Err(Rejected::Forbidden("tenant"));
        }
        if !scopes.iter().any(|scope| names(&claims, &self.rules.scope_claim, scope)) {
            return Err(Rejected::Forbidden("scope"));
        }
        Ok(subject)
    }

    async fn verified_claims(&self, jwt: &str) -> Result<Value, Rejected> {
        let header = jsonwebtoken::decode_header(jwt).map_err(|_| Rejected::Token)?;
        // No extension is known here, so none may be critical (RFC 7515 §4.1.11).
        let is_known = self.rules.algorithms.contains(&header.alg) && header.crit.is_none();
        if !is_known || !self.is_right_type(header.typ.as_deref()) {
            return Err(Rejected::Token);
        }
        let mut validation = Validation::new(header.alg);
        // All claims are checked by `check_claims`, more strictly and by our own clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decode = |key: &DecodingKey| {
            jsonwebtoken::decode::<Value>(jwt, key, &validation).map(|token| token.claims).map_err(|_| Rejected::Token)
        };
        match &self.keys {
            Keys::Shared(key) => decode(key),
            Keys::Jwks(jwks) => {
                let kid = header.kid.ok_or(Rejected::Token)?;
                let key = jwks.find(&kid, header.alg, self.clock.now()).await.map_err(|_| Rejected::NoKeys)?;
                decode(&*key.ok_or(Rejected::Token)?)
            }
        }
    }

    fn is_right_type(&self, typ: Option<&str>) -> bool {
        let typ = typ.map(str::to_ascii_lowercase);
        let typ = typ.as_deref().map(|typ| typ.trim_start_matches("application/"));
        if self.rules.token_type.is_empty() {
            typ != Some(GRANT_TOKEN_TYPE)
        } else {
            typ == Some(self.rules.token_type.as_str())
        }
    }
}

/// The subject, when issuer, audience and times are all there, of their type, and right.
fn check_claims(claims: &Value, rules: &Rules, now: Timestamp) -> Option<String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_issuer = text("iss") == Some(rules.issuer.as_str());
    let is_audience = match claims.get("aud")? {
        Value::String(audience) => *audience == rules.audience,
        Value::Array(audiences) => {
            audiences.iter().all(Value::is_string)
                && audiences.iter().any(|audience| audience.as_str() == Some(&rules.audience))
        }
        _ => false,
    };
    let lives = claims.get("exp")?.as_i64()? > now.seconds() - LEEWAY;
    let begun = match claims.get("nbf") {
        None => true,
        Some(not_before) => not_before.as_i64()? <= now.seconds() + LEEWAY,
    };
    let subject = text("sub").filter(|subject| one_line(subject, 255).is_ok())?;
    (is_issuer && is_audience && lives && begun).then(|| subject.to_owned())
}

/// Whether a claim, a list of texts or one text of words, names `wanted`.
fn names(claims: &Value, claim: &str, wanted: &str) -> bool {
    match claims.get(claim) {
        Some(Value::String(words)) => words.split(' ').any(|word| word == wanted),
        Some(Value::Array(list)) => list.iter().any(|item| item.as_str() == Some(wanted)),
        _ => false,
    }
}

/// A scope as a type.
pub(super) trait Scope: 'static {
    /// Its names, any of which will do; the first is ours.
    const NAMES: &'static [&'static str];
}

macro_rules! scopes {
    ($($(#[$meta:meta])* $scope:ident = $($name:literal)|+),+ $(,)?) => {
        $($(#[$meta])* pub(super) struct $scope;
        impl Scope for $scope { const NAMES: &'static [&'static str] = &[$($name),+]; })+
    };
}

scopes!(
    InvitationsRead = "invitations:read",
    InvitationsWrite = "invitations:write",
    AccountsRead = "accounts:read",
    AccountsWrite = "accounts:write",
    SettingsRead = "settings:read",
    SettingsWrite = "settings:write",
    DeliveriesWrite = "deliveries:write",
    AuditRead = "audit:read",
    OtpVerify = "otp:verify",
    WebhooksWrite = "webhooks:write",
    /// Of the compatible route that resends.
    ResendCode = "invitations:write" | "internal_user_code_mgt_create",
    /// Of the compatible route that makes links to hand over.
    OfflineInvite = "invitations:write" | "internal_offline_invite",
    /// Of the compatible recovery routes.
    Recovery = "otp:verify" | "internal_recovery_create",
    /// Of the compatible route that looks at a code.
    CodesRead = "invitations:read" | "internal_user_code_mgt_view",
    /// Of the compatible route that checks a code.
    CodesCheck = "otp:verify" | "internal_user_code_mgt_create",
    /// Of the compatible views of the settings.
    GovernanceRead = "settings:read" | "internal_idp_view",
    GovernanceWrite = "settings:write" | "internal_idp_update",
    /// Of whoever is signed in, in the original.
    PreferencesRead = "settings:read" | "internal_login",
);

/// A caller who showed a valid token with the scope `S` for the tenant of the request.
pub(super) struct Authorized<S> {
    pub(super) caller: Caller,
    scope: PhantomData<S>,
}

impl<S: Scope> FromRequest for Authorized<S> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<web::Data<State>>().cloned();
        let tenant = tenant_of(request);
        let request_id = request_id_of(request);
        let jwt = bearer(request);
        Box::pin(async move {
            let jwt = jwt.ok_or_else(|| Problem::unauthorized("Bearer", "A bearer token is needed."))?;
            let state = state.ok_or_else(|| {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
            })?;
            let name = state
                .authenticator
                .authorize(&jwt, &tenant, S::NAMES)
                .await
                .map_err(|rejected| refusal(&rejected, S::NAMES))?;
            Ok(Self { caller: Caller { tenant, actor: Actor { name, request_id } }, scope: PhantomData })
        })
    }
}

fn refusal(rejected: &Rejected, scopes: &[&str]) -> Problem {
    match rejected {
        Rejected::Token => Problem::unauthorized("Bearer error=\"invalid_token\"", "The token is not valid here."),
        Rejected::Forbidden("scope") => {
            let detail = format!("The token lacks the scope {}.", scopes.join(" or "));
            Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail)
        }
        Rejected::Forbidden(_) => {
            Problem::new(StatusCode::FORBIDDEN, "wrong_tenant", "The token is not for this tenant.")
        }
        Rejected::NoKeys => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "issuer_unavailable",
            "The token issuer's keys can't be had; try again.",
        )
        .retry_in(super::jwks::MIN_AGE),
    }
}

/// The bearer token of the request; `None` unless there is exactly one.
pub(super) fn bearer(request: &HttpRequest) -> Option<String> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_single = values.next().is_none();
    (is_single && scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 8192)
        .then(|| token.trim().to_owned())
}

/// Somebody without a credential: the invited person.
pub(super) fn person(request: &HttpRequest) -> Caller {
    let actor = Actor { name: "person".to_owned(), request_id: request_id_of(request) };
    Caller { tenant: tenant_of(request), actor }
}
