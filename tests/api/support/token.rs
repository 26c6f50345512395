use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "a-secret-of-the-tests-with-at-least-32-bytes";
pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "invited";

/// The claims of a good token.
pub(crate) fn claims(tenant: &str, scope: &str, now_seconds: i64) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "hr-portal", "client_id": "hr-portal", "jti": "1", "iat": now_seconds,
        "exp": now_seconds + 3600, "tenant": tenant, "scope": scope
    })
}

/// Signs any claims as any type.
pub(crate) fn sign(claims: &Value, typ: &str) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(typ.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}
