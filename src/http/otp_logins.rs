//! `POST /v1/otp-logins`: the login of the IAM platform asks whether what was typed as the password is an invitation's code.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::State;
use super::auth::{Authorized, OtpVerify};
use super::extract::{Body, realm, username};
use super::idempotency;
use super::problem::Problem;
use crate::domain::otp::Otp;
use crate::service::otp_login::OtpLogin;
use crate::service::redeem::Code;

/// What was typed into the login.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"username": "alex", "realm": "PRIMARY", "otp": "Ab3Cd4"}))]
pub(super) struct OtpLoginRequest {
    #[schema(max_length = 255)]
    username: String,
    /// `PRIMARY` when absent.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    realm: Option<String>,
    /// What was typed as the password.
    #[schema(max_length = 1024)]
    otp: String,
}

/// What the login should do.
#[derive(Serialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[schema(example = json!({"outcome": "rejected"}))]
pub(super) enum OtpLoginAnswer {
    /// The code is right: send the person to `setupUrl`.
    PasswordSetupRequired { grant: String, grant_expires_at: String, setup_url: String },
    /// The code is wrong, or used up.
    Rejected,
    /// The account has no live OTP invitation: go on with the login.
    NotApplicable,
}

/// Check a code that was typed as the password
///
/// Needs the scope `otp:verify`. The same budgets as redeeming; the answer is a grant to set the password, never a session.
#[utoipa::path(
    tag = "login",
    request_body = OtpLoginRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and code are answered again")),
    security(("accessToken" = ["otp:verify"])),
    responses(
        (status = 200, description = "What the login should do.", body = OtpLoginAnswer),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 503, description = "Try again.", body = Problem),
    )
)]
#[post("/v1/otp-logins")]
pub(super) async fn check_otp_login(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<OtpVerify>,
    body: Body<OtpLoginRequest>,
) -> Result<HttpResponse, Problem> {
    let body = body.0;
    let code = Code {
        username: username("/username", &body.username)?,
        realm: realm("/realm", body.realm.as_deref())?,
        otp: Otp::typed(&zeroize::Zeroizing::new(body.otp)),
        idempotency_key: idempotency::key(&request)?,
    };
    let answer = match state.service.otp_login(&authorized.caller, code).await? {
        OtpLogin::PasswordSetupRequired { redeemed, setup_url } => OtpLoginAnswer::PasswordSetupRequired {
            grant: redeemed.grant.to_string(),
            grant_expires_at: redeemed.grant_expires_at.to_rfc3339(),
            setup_url,
        },
        OtpLogin::Rejected => OtpLoginAnswer::Rejected,
        OtpLogin::NotApplicable => OtpLoginAnswer::NotApplicable,
    };
    Ok(HttpResponse::Ok().json(answer))
}
