//! `/api/identity/user/v1.0`: looking at a code, and checking it; neither uses it up.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Fault;
use super::secret::{expired, fault, proof};
use super::user::{Property, User};
use crate::domain::scenario::{Scenario, Step};
use crate::http::State;
use crate::http::auth::{Authorized, CodesCheck, CodesRead};
use crate::http::extract::{Body, optional_object, optional_objects};
use crate::service::examine::Examined;
use crate::service::redeem::Proof;

/// A link's token; or an OTP and whose it is, as `user` or among the `properties`.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "code": "Ab3Cd4", "user": {"username": "alex", "realm": "PRIMARY"},
    "verifiedChannel": {"type": "EMAIL", "claim": "http://wso2.org/claims/emailaddress"}, "properties": []
}))]
pub(in crate::http) struct CodeRequest {
    #[schema(max_length = 4096)]
    code: String,
    /// Whose OTP it is.
    #[serde(default, deserialize_with = "optional_object")]
    user: Option<User>,
    /// `username` and `realm` of an OTP that comes without `user`; the others are not looked at.
    #[serde(default, deserialize_with = "optional_objects")]
    properties: Option<Vec<Property>>,
    /// Not looked at: a channel counts as verified when the password is set.
    #[serde(default, rename = "verifiedChannel", deserialize_with = "optional_object")]
    _verified_channel: Option<VerifiedChannel>,
}

impl CodeRequest {
    fn proof(&self) -> Proof {
        proof(&self.code, self.user.as_ref(), self.properties.as_deref())
    }
}

/// The channel that the caller takes for verified.
#[derive(Deserialize, ToSchema)]
struct VerifiedChannel {
    #[serde(rename = "type")]
    _kind: Option<String>,
    #[serde(rename = "claim")]
    _claim: Option<String>,
}

/// What a code is for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "user": {"username": "alex", "realm": "PRIMARY", "tenant-domain": "carbon.super", "userId": "2819c223"},
    "recoveryScenario": "ASK_PASSWORD_VIA_EMAIL_OTP", "recoveryStep": "SET_PASSWORD", "isExpired": false
}))]
pub(in crate::http) struct CodeAnswer {
    user: User,
    recovery_scenario: &'static str,
    recovery_step: &'static str,
    is_expired: bool,
}

impl From<&Examined> for CodeAnswer {
    fn from(examined: &Examined) -> Self {
        let purpose = examined.invitation.purpose;
        Self {
            user: User::invited(&examined.invitation),
            recovery_scenario: Scenario::of(purpose, examined.method).as_str(),
            recovery_step: Step::of(purpose, examined.method).as_str(),
            is_expired: examined.is_expired,
        }
    }
}

/// Look at a code
///
/// Whose a genuine code is, what it is for, and whether its time is over; any number of times. The original refuses a link's; here it is
/// told like the others. Wrong codes count as everywhere. Needs the scope `invitations:read` or `internal_user_code_mgt_view`.
#[utoipa::path(
    tag = "wso2",
    request_body = CodeRequest,
    security(("accessToken" = ["invitations:read"]), ("accessToken" = ["internal_user_code_mgt_view"])),
    responses(
        (status = 202, description = "What the code is for.", body = CodeAnswer),
        (status = 400, description = "18001: invalid, used, or an OTP of nobody; 18023: the link was withdrawn or replaced; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 409, description = "A genuine code that can't be used right now.", body = Fault),
        (status = 503, description = "Try again.", body = Fault),
    )
)]
#[post("/api/identity/user/v1.0/introspect-code")]
pub(in crate::http) async fn introspect_code(
    state: web::Data<State>,
    authorized: Authorized<CodesRead>,
    body: Body<CodeRequest>,
) -> Result<HttpResponse, Fault> {
    let examined = state.service.examine(&authorized.caller, body.0.proof()).await.map_err(fault)?;
    Ok(HttpResponse::Accepted().json(CodeAnswer::from(&examined)))
}

/// Check a code
///
/// Whose it is, when it is the OTP of an onboarding invitation and good still. Unlike the original this neither uses it up nor unlocks the
/// account: both happen when the password is set. A code of the step `UPDATE_PASSWORD` (a link's, and any of a forced reset) is refused
/// with USR-10001, as by the original: the recovery API checks those. Needs the scope `otp:verify` or `internal_user_code_mgt_create`.
#[utoipa::path(
    tag = "wso2",
    request_body = CodeRequest,
    security(("accessToken" = ["otp:verify"]), ("accessToken" = ["internal_user_code_mgt_create"])),
    responses(
        (status = 202, description = "Whose code it is.", body = User),
        (status = 400, description = "18001: invalid, used, or an OTP of nobody; 18002, 18022: expired; 18023: the link was withdrawn or replaced; USR-10001: not a code for here; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 409, description = "A genuine code that can't be used right now.", body = Fault),
        (status = 503, description = "Try again.", body = Fault),
    )
)]
#[post("/api/identity/user/v1.0/validate-code")]
pub(in crate::http) async fn validate_user_code(
    state: web::Data<State>,
    authorized: Authorized<CodesCheck>,
    body: Body<CodeRequest>,
) -> Result<HttpResponse, Fault> {
    let examined = state.service.examine(&authorized.caller, body.0.proof()).await.map_err(fault)?;
    if examined.is_expired {
        return Err(expired(examined.method));
    }
    if Step::of(examined.invitation.purpose, examined.method) == Step::UpdatePassword {
        let description = "User specified communication channel is not supported by the server.";
        return Err(Fault::bad_request("USR-10001", description));
    }
    Ok(HttpResponse::Accepted().json(User::invited(&examined.invitation)))
}
