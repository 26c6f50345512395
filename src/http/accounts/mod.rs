//! `/v1/accounts/{realm}/{username}`: the state that we own of an account, and an administrator's override.

pub(super) mod diagnosis;
pub(super) mod erase;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::auth::{AccountsRead, AccountsWrite, Authorized};
use super::extract::{realm, username};
use super::idempotency::{Answer, IdempotencyKey, once};
use super::problem::Problem;
use crate::domain::account::LockReason;
use crate::domain::attempt::account_attempts_left;
use crate::domain::ids::{Realm, Username};
use crate::domain::time::Timestamp;
use crate::service::accounts::AccountSnapshot;

/// What this service owns of an account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "realm": "PRIMARY", "username": "alex", "locked": true, "lockReason": "PENDING_ASK_PASSWORD", "state": "PENDING_AP",
    "directory": "synced", "nextCheckAt": "2026-11-24T10:15:00.000Z", "invitationId": "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "otpFailures": 0, "otpAttemptsRemaining": 20
}))]
pub(super) struct AccountView {
    realm: String,
    username: String,
    locked: bool,
    /// `PENDING_ASK_PASSWORD`, `PENDING_ADMIN_FORCED_USER_PASSWORD_RESET`, `ADMIN_INITIATED`; null when the lock is not ours.
    lock_reason: Option<&'static str>,
    /// `PENDING_AP` and `PENDING_FUPR` from the invitation or the reset on until a password is set, locked or not and also when the
    /// invitation has ended without; else `LOCKED` or `UNLOCKED`.
    state: &'static str,
    /// Whether the directory is known to agree: `synced`, `pending`, `failed` or `drifted`.
    directory: &'static str,
    /// When it is next compared with the directory, at the earliest; null when nothing is left to compare, or the operator has that off.
    next_check_at: Option<String>,
    /// The live invitation.
    invitation_id: Option<String>,
    /// Wrong codes since the last success.
    otp_failures: i64,
    /// Codes that may still be tried.
    otp_attempts_remaining: i64,
}

impl From<AccountSnapshot> for AccountView {
    fn from(snapshot: AccountSnapshot) -> Self {
        let AccountSnapshot { account, live, next_check_at } = snapshot;
        Self {
            locked: account.is_locked(),
            lock_reason: account.lock_reason.map(LockReason::as_str),
            state: account.state().as_str(),
            directory: account.directory.as_str(),
            next_check_at: next_check_at.map(Timestamp::to_rfc3339),
            invitation_id: live.map(|invitation| invitation.id.to_string()),
            otp_failures: account.otp_failures,
            otp_attempts_remaining: account_attempts_left(account.otp_failures),
            realm: account.realm.as_str().to_owned(),
            username: account.username.as_str().to_owned(),
        }
    }
}

fn named(path: &(String, String)) -> Result<(Realm, Username), Problem> {
    Ok((realm("realm", Some(&path.0))?, username("username", &path.1)?))
}

/// Read an account's lock and budget
///
/// Needs the scope `accounts:read`.
#[utoipa::path(
    tag = "accounts",
    params(("realm" = String, Path, description = "User store"), ("username" = String, Path, description = "User name")),
    security(("accessToken" = ["accounts:read"])),
    responses(
        (status = 200, description = "What we own of the account.", body = AccountView),
        (status = 400, description = "The path can't be a realm and a user name.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "We never had to do with this account.", body = Problem),
    )
)]
#[get("/v1/accounts/{realm}/{username}")]
pub(super) async fn get_account(
    state: web::Data<State>,
    authorized: Authorized<AccountsRead>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (realm, username) = named(&path)?;
    let snapshot = state.service.get_account(&authorized.caller, &realm, &username).await?;
    Ok(HttpResponse::Ok().json(AccountView::from(snapshot)))
}

/// Lock an account
///
/// An administrator's lock: completing an invitation does not lift it. The directory follows; see `directory`. Needs the
/// scope `accounts:write`.
#[utoipa::path(
    tag = "accounts",
    params(
        ("realm" = String, Path, description = "User store"),
        ("username" = String, Path, description = "User name"),
        IdempotencyKey
    ),
    security(("accessToken" = ["accounts:write"])),
    responses(
        (status = 200, description = "The lock is wanted; the directory follows.", body = AccountView),
        (status = 400, description = "The path can't be a realm and a user name.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "The directory has no such user.", body = Problem),
        (status = 503, description = "The directory does not answer.", body = Problem),
    )
)]
#[post("/v1/accounts/{realm}/{username}/lock")]
pub(super) async fn lock_account(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<AccountsWrite>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (realm, username) = named(&path)?;
    once(&request, &state.service, authorized.caller, answer, move |service, caller, alongside| async move {
        service.lock_account(&caller, &realm, &username, alongside).await
    })
    .await
}

/// Unlock an account
///
/// Lifts any lock of ours and clears the budget of wrong codes; a lock that was there before ours stays. Needs the scope
/// `accounts:write`.
#[utoipa::path(
    tag = "accounts",
    params(
        ("realm" = String, Path, description = "User store"),
        ("username" = String, Path, description = "User name"),
        IdempotencyKey
    ),
    security(("accessToken" = ["accounts:write"])),
    responses(
        (status = 200, description = "The lock is lifted; the directory follows.", body = AccountView),
        (status = 400, description = "The path can't be a realm and a user name.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "The directory has no such user.", body = Problem),
        (status = 503, description = "The directory does not answer.", body = Problem),
    )
)]
#[post("/v1/accounts/{realm}/{username}/unlock")]
pub(super) async fn unlock_account(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<AccountsWrite>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (realm, username) = named(&path)?;
    once(&request, &state.service, authorized.caller, answer, move |service, caller, alongside| async move {
        service.unlock_account(&caller, &realm, &username, alongside).await
    })
    .await
}

fn answer(snapshot: &AccountSnapshot) -> Answer {
    Answer::ok(&AccountView::from(snapshot.clone())).about(snapshot.account.id)
}
