//! `POST /api/identity/recovery/v0.9/validate-code`: whose a link's token or an OTP is, before its person is asked for a password.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::scenario::Step;
use crate::http::State;
use crate::http::auth::{Authorized, Recovery};
use crate::http::extract::{Body, optional_object, optional_objects};
use crate::http::wso2::Fault;
use crate::http::wso2::secret::{expired, fault, invalid, proof};
use crate::http::wso2::user::{Property, User};

/// A link's token; or an OTP and whose it is, as `user` or among the `properties`.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "code": "Ab3Cd4", "step": "SET_PASSWORD",
    "properties": [{"key": "username", "value": "alex"}, {"key": "realm", "value": "PRIMARY"}]
}))]
pub(in crate::http) struct ValidateCode {
    #[schema(max_length = 4096)]
    code: String,
    /// `UPDATE_PASSWORD` (a link's, and any of a forced reset) or `SET_PASSWORD` (an onboarding OTP); any when absent or empty.
    step: Option<String>,
    /// Whose OTP it is.
    #[serde(default, deserialize_with = "optional_object")]
    user: Option<User>,
    /// `username` and `realm` of an OTP that comes without `user`; the others are not looked at.
    #[serde(default, deserialize_with = "optional_objects")]
    properties: Option<Vec<Property>>,
}

/// Validate a code
///
/// Uses nothing up, any number of times. A link's token stands alone; an OTP counts only with its person. Wrong ones count in the same
/// budgets as everywhere. Needs the scope `otp:verify` or `internal_recovery_create`.
#[utoipa::path(
    tag = "wso2",
    request_body = ValidateCode,
    security(("accessToken" = ["otp:verify"]), ("accessToken" = ["internal_recovery_create"])),
    responses(
        (status = 202, description = "Whose code it is.", body = User),
        (status = 400, description = "18001: invalid, used, of another step, or an OTP of nobody; 18002: expired link; 18022: expired OTP; 18023: the link was withdrawn or replaced; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 409, description = "A genuine code that can't be used right now.", body = Fault),
        (status = 503, description = "Try again.", body = Fault),
    )
)]
#[post("/api/identity/recovery/v0.9/validate-code")]
pub(in crate::http) async fn validate_recovery_code(
    state: web::Data<State>,
    authorized: Authorized<Recovery>,
    body: Body<ValidateCode>,
) -> Result<HttpResponse, Fault> {
    let body = body.0;
    let proof = proof(&body.code, body.user.as_ref(), body.properties.as_deref());
    let examined = state.service.examine(&authorized.caller, proof).await.map_err(fault)?;
    if examined.is_expired {
        return Err(expired(examined.method));
    }
    let step = body.step.filter(|step| !step.trim().is_empty());
    let is_step = step.is_none_or(|step| step == Step::of(examined.invitation.purpose, examined.method).as_str());
    if !is_step {
        return Err(invalid());
    }
    Ok(HttpResponse::Accepted().json(User::invited(&examined.invitation)))
}
