//! `POST /api/identity/recovery/v0.9/set-password`: the password, with a link's token or an OTP as its key.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::domain::invitation::{Method, Over};
use crate::domain::secret::Password;
use crate::http::State;
use crate::http::auth::{Authorized, Recovery};
use crate::http::extract::{Body, optional_object, optional_objects};
use crate::http::wso2::Fault;
use crate::http::wso2::secret::{REUSED, expired, fault, proof};
use crate::http::wso2::user::{Property, User};
use crate::service::redeem::Proof;
use crate::service::{Refusal, ServiceError};

/// A link's token; or an OTP and whose it is, as `user` or among the `properties`. And the password as the person chose it.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "key": "Ab3Cd4", "password": "correct horse battery staple",
    "properties": [{"key": "username", "value": "alex"}, {"key": "realm", "value": "PRIMARY"}]
}))]
pub(in crate::http) struct SetPassword {
    #[schema(max_length = 4096)]
    key: String,
    #[schema(max_length = 1024, format = Password)]
    password: String,
    /// Whose OTP it is.
    #[serde(default, deserialize_with = "optional_object")]
    user: Option<User>,
    /// `username` and `realm` of an OTP that comes without `user`; the others are not looked at.
    #[serde(default, deserialize_with = "optional_objects")]
    properties: Option<Vec<Property>>,
}

/// Set the password with a code
///
/// Sets the password in the directory, and unlocks the account when the lock was waiting for that. The key is used up once the directory
/// confirmed, and not before: after any error but 18001, 18002, 18022 and 18023 it may be shown again. Of several calls with one key one
/// succeeds. Needs the scope `otp:verify` or `internal_recovery_create`.
#[utoipa::path(
    tag = "wso2",
    request_body = SetPassword,
    security(("accessToken" = ["otp:verify"]), ("accessToken" = ["internal_recovery_create"])),
    responses(
        (status = 200, description = "The password is set; whose it is.", body = User),
        (status = 400, description = "18001: invalid, used, or an OTP of nobody; 18002: expired link; 18022: expired OTP; 18023: the link was withdrawn or replaced; 20035: the password breaks a rule; 17003: locked by somebody else; 18003: no such account any more; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 409, description = "Another call with the same key sets a password right now, or the account is not ready yet.", body = Fault),
        (status = 412, description = "22001: the password was used before; `key` may be shown again.", body = Fault),
        (status = 503, description = "The directory does not answer: the key stays good.", body = Fault),
    )
)]
#[post("/api/identity/recovery/v0.9/set-password")]
pub(in crate::http) async fn set_recovery_password(
    state: web::Data<State>,
    authorized: Authorized<Recovery>,
    body: Body<SetPassword>,
) -> Result<HttpResponse, Fault> {
    let SetPassword { key, password, user, properties } = body.0;
    let (key, password) = (Zeroizing::new(key), Password::new(password));
    let proof = proof(&key, user.as_ref(), properties.as_deref());
    let is_code = matches!(proof, Proof::Code(_));
    match state.service.set_password_with_secret(&authorized.caller, proof, password).await {
        Ok(set) => Ok(HttpResponse::Ok().json(User::invited(&set.invitation))),
        Err(ServiceError::Refused(Refusal::Over(Over::Expired))) if is_code => Err(expired(Method::EmailOtp)),
        Err(error) => {
            let fault = fault(error);
            Err(if fault.code == REUSED { fault.with_key(key) } else { fault })
        }
    }
}
