//! `/v1/redemptions`: what the invited person does, without a credential but a secret.

pub(super) mod decline;
pub(super) mod redeem;
pub(super) mod request_new;
pub(super) mod set_password;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::problem::Problem;

/// The token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"token": "inv1_…"}))]
pub(crate) struct LinkRequest {
    #[schema(max_length = 4096)]
    token: String,
}

impl LinkRequest {
    fn token(self) -> Zeroizing<String> {
        Zeroizing::new(self.token)
    }
}

/// The `Idempotency-Key` of a request: quoted or bare, 1 to 255 visible ASCII characters.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get("Idempotency-Key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = "must be 1 to 255 visible ASCII characters";
        return Err(Problem::field(StatusCode::BAD_REQUEST, "Idempotency-Key", "invalid_idempotency_key", detail));
    }
    Ok(Some(text.to_owned()))
}
