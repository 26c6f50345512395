//! `/v1/redemptions`: what the invited person does, without a credential but a secret.

pub(super) mod decline;
pub(super) mod redeem;
pub(super) mod request_new;
pub(super) mod set_password;

use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

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
