//! `POST /api/identity/user/v1.0/resend-code`

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Fault;
use super::user::{Property, User};
use crate::domain::invitation::Channel;
use crate::domain::scenario::Scenario;
use crate::http::State;
use crate::http::auth::{Authorized, ResendCode};
use crate::http::extract::{Body, object, objects};
use crate::http::idempotency::{Answer, IdempotencyKey, try_once};
use crate::service::issue::Issued;
use crate::service::reinvite::Reinvite;
use crate::service::{Refusal, ServiceError};

/// The property that says what is resent.
const SCENARIO: &str = "RecoveryScenario";

/// To whom what is resent.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "user": {"username": "alex", "realm": "PRIMARY"}, "properties": [{"key": "RecoveryScenario", "value": "ASK_PASSWORD"}]
}))]
pub(in crate::http) struct ResendCodeRequest {
    #[serde(deserialize_with = "object")]
    user: User,
    /// One of them is `RecoveryScenario`.
    #[serde(deserialize_with = "objects")]
    properties: Vec<Property>,
}

impl ResendCodeRequest {
    fn command(&self) -> Result<Reinvite, Fault> {
        let (realm, username) = self.user.named("/user")?;
        let scenario = self.scenario()?;
        let (purpose, method) = scenario.invitation().ok_or_else(nothing_to_resend)?;
        // That of a tenant's first administrator is only ever resent.
        Ok(Reinvite { realm, username, purpose, method, anew: scenario != Scenario::TenantAdminAskPassword })
    }

    /// The scenario, by its exact name. Without one, or with two, the original resends a self-registration's.
    fn scenario(&self) -> Result<Scenario, Fault> {
        let mut named = self.properties.iter().filter(|property| property.key == SCENARIO);
        let name = match (named.next(), named.next()) {
            (Some(property), None) => property.value.as_deref().filter(|name| !name.trim().is_empty()),
            _ => None,
        };
        let name = name.ok_or_else(|| Fault::bad_request("20021", "Self sign up feature is disabled."))?;
        Scenario::parse(name).ok_or_else(|| {
            Fault::bad_request("unknown_scenario", "The RecoveryScenario is not one of those that the original knows.")
        })
    }
}

/// Resend an invitation or a forced reset
///
/// By the scenario: `ASK_PASSWORD`, `ASK_PASSWORD_VIA_EMAIL_OTP`, `ASK_PASSWORD_VIA_SMS_OTP`, `TENANT_ADMIN_ASK_PASSWORD`, and
/// `ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK`, `_VIA_OTP`, `_VIA_SMS_OTP`. It has to be the one that was sent, run out or not. Whoever
/// still waits for a first password and has nothing live is invited anew by the method of an `ASK_PASSWORD` scenario;
/// `ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK` for somebody who was invited resends the invitation as a link. With notifications managed
/// externally the answer is the code, or the link's token. Needs the scope `invitations:write` or `internal_user_code_mgt_create`.
#[utoipa::path(
    tag = "wso2",
    request_body = ResendCodeRequest,
    params(IdempotencyKey),
    security(("accessToken" = ["invitations:write"]), ("accessToken" = ["internal_user_code_mgt_create"])),
    responses(
        (status = 201, description = "Sent. No body; or the code, for the caller to send.", body = String, content_type = "text/plain"),
        (status = 400, description = "`recovery_data_not_found`, also for a user who does not exist; 18018 or 18021: no e-mail address or \
            mobile number; 20021: no scenario, or two; `unknown_scenario`; the body can't be used; a rule refuses it.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 409, description = "`accept_in_progress` or `feature_disabled`.", body = Fault),
        (status = 422, description = "", body = Fault),
        (status = 429, description = "`resend_too_soon`, with `Retry-After`, or `resend_limit`.", body = Fault),
        (status = 503, description = "`directory_unavailable`: nothing was done.", body = Fault),
    )
)]
#[post("/api/identity/user/v1.0/resend-code")]
pub(in crate::http) async fn resend_code(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<ResendCode>,
    body: Body<ResendCodeRequest>,
) -> Result<HttpResponse, Fault> {
    let command = body.0.command()?;
    let done = try_once(&request, &state.service, authorized.caller, answer, |service, caller, alongside| async move {
        service.reinvite(&caller, command, alongside).await
    });
    done.await.map_err(|error| error.worded(refused))
}

fn answer(issued: &Issued) -> Answer {
    let code = issued.secret.as_ref().map(|secret| Answer::created_with_text(secret.code()));
    code.unwrap_or_else(Answer::created).about(issued.snapshot.invitation.account)
}

fn refused(error: ServiceError) -> Fault {
    match error {
        ServiceError::Refused(Refusal::NothingToResend) => nothing_to_resend(),
        ServiceError::Refused(Refusal::RecipientMissing(Channel::Sms)) => {
            Fault::bad_request("18021", "The user has no mobile number that can be written to.")
        }
        ServiceError::Refused(Refusal::RecipientMissing(_)) => {
            Fault::bad_request("18018", "The user has no e-mail address that can be written to.")
        }
        error => Fault::refused(error, "Unable to resend the code."),
    }
}

/// Says the same of everybody, whether they exist or not.
fn nothing_to_resend() -> Fault {
    let message = "User recovery data is not found. Please re-initiate the recovery flow.";
    Fault::new(
        StatusCode::BAD_REQUEST,
        "recovery_data_not_found",
        message,
        "There is nothing of this scenario to resend.",
    )
}
