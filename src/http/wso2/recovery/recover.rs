//! `POST /api/identity/recovery/v0.9/recover-password`: refused to those who have an invitation to complete; nothing else is ours.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::account::{AccountState, Hold, LockReason};
use crate::http::State;
use crate::http::auth::{Authorized, Recovery};
use crate::http::extract::{Body, object};
use crate::http::wso2::Fault;
use crate::http::wso2::user::User;
use crate::service::{Refusal, ServiceError};

/// Whose password is forgotten.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"user": {"username": "alex", "realm": "PRIMARY"}, "properties": []}))]
pub(in crate::http) struct RecoverPassword {
    #[serde(deserialize_with = "object")]
    user: User,
}

/// Ask to recover a forgotten password
///
/// Ordinary recovery is the platform's own. Answered here is what the original answers for somebody who has an invitation or a forced
/// reset to complete first: 400 with the code 17006, or 17003 when somebody else locked the account. Needs the scope `otp:verify` or
/// `internal_recovery_create`.
#[utoipa::path(
    tag = "wso2",
    request_body = RecoverPassword,
    security(("accessToken" = ["otp:verify"]), ("accessToken" = ["internal_recovery_create"])),
    responses(
        (status = 400, description = "The body can't be used, or 17006: a password must be set first, or 17003: locked.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 501, description = "The account is none of our affair: ask the platform.", body = Fault),
        (status = 503, description = "Try again.", body = Fault),
    )
)]
#[post("/api/identity/recovery/v0.9/recover-password")]
pub(in crate::http) async fn recover_password(
    state: web::Data<State>,
    authorized: Authorized<Recovery>,
    body: Body<RecoverPassword>,
) -> Result<HttpResponse, Fault> {
    let (realm, username) = body.0.user.named("/user")?;
    let found = match state.service.get_account(&authorized.caller, &realm, &username).await {
        Ok(found) => found,
        Err(ServiceError::Refused(Refusal::AccountNotFound)) => return Err(not_ours()),
        Err(error) => return Err(error.into()),
    };
    let account = &found.account;
    let is_somebody_elses = account.lock_reason == Some(LockReason::AdminInitiated) || account.hold == Hold::Foreign;
    Err(match account.state() {
        _ if is_somebody_elses => locked(),
        AccountState::PendingAskPassword | AccountState::PendingReset => {
            Fault::bad_request("17006", "Password reset is not yet completed.")
        }
        AccountState::Locked => locked(),
        AccountState::Unlocked => not_ours(),
    })
}

fn locked() -> Fault {
    Fault::bad_request("17003", "The account is locked.")
}

fn not_ours() -> Fault {
    let description = "Recovery of forgotten passwords is the platform's own.";
    Fault::new(StatusCode::NOT_IMPLEMENTED, "recovery_not_offered", "Not Implemented", description)
}
