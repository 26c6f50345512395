//! `GET /v1/accounts/{realm}/{username}/diagnosis`

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::named;
use crate::domain::diagnosis::{Finding, NextAction};
use crate::domain::time::Timestamp;
use crate::http::State;
use crate::http::auth::{AccountsRead, Authorized};
use crate::http::problem::Problem;
use crate::service::diagnose::Diagnosed;

/// Why a person gets no mail or can't sign in, and what to do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "realm": "PRIMARY", "username": "alex", "at": "2026-11-24T10:00:00.000Z",
    "invitationId": "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "deliveryId": "msg_0198c0de7c5a7d0c9c0f3b1f6f6b2a12",
    "findings": [{
        "code": "message_retrying", "severity": "warning",
        "detail": "The email message could not be handed over yet; try 2 ended with http_503, the next is due at 2026-11-24T10:00:08.000Z.",
        "since": "2026-11-24T09:59:50.000Z"
    }],
    "nextAction": {
        "code": "wait", "detail": "The message is sent by itself once its time has come and the gateway takes it.", "operation": null,
        "notBefore": "2026-11-24T10:00:08.000Z"
    }
}))]
pub(in crate::http) struct DiagnosisView {
    realm: String,
    username: String,
    /// The moment that all this is said of.
    at: String,
    /// The invitation that this is about: the live one, else the newest.
    invitation_id: Option<String>,
    /// The message with its secret; null when the caller brought it to the person.
    delivery_id: Option<String>,
    /// The gravest first; what the codes mean is in the operator's manual.
    findings: Vec<FindingView>,
    next_action: NextActionView,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct FindingView {
    /// Stable, for programs. More may be added.
    code: &'static str,
    /// `blocking` (the person can't go on), `warning` (it may be why) or `info` (as it should be).
    severity: &'static str,
    /// For a support person. No secrets, addresses masked.
    detail: String,
    /// Since when it is so, where that is known.
    since: Option<String>,
}

/// The one thing to do next.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct NextActionView {
    /// `none` (it is the person's turn), `wait`, `issue`, `resend`, `unlock_account`, `fix_recipient`, `enable_feature`,
    /// `contact_operator` or `contact_directory_admin`. More may be added.
    code: &'static str,
    detail: &'static str,
    /// The operation of this API that does it (its `operationId`).
    operation: Option<&'static str>,
    /// From when on it is possible or makes sense; null is now.
    not_before: Option<String>,
}

impl From<Diagnosed> for DiagnosisView {
    fn from(diagnosed: Diagnosed) -> Self {
        let Diagnosed { at, realm, username, invitation, message, diagnosis } = diagnosed;
        Self {
            realm: realm.as_str().to_owned(),
            username: username.as_str().to_owned(),
            at: at.to_rfc3339(),
            invitation_id: invitation.map(|id| id.to_string()),
            delivery_id: message.map(|id| id.to_string()),
            findings: diagnosis.findings.into_iter().map(FindingView::from).collect(),
            next_action: diagnosis.next_action.into(),
        }
    }
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code.as_str(),
            severity: finding.code.severity().as_str(),
            detail: finding.detail,
            since: finding.since.map(Timestamp::to_rfc3339),
        }
    }
}

impl From<NextAction> for NextActionView {
    fn from(action: NextAction) -> Self {
        Self {
            code: action.code.as_str(),
            detail: action.detail,
            operation: action.operation,
            not_before: action.not_before.map(Timestamp::to_rfc3339),
        }
    }
}

/// Diagnose why a person gets no mail or can't sign in
///
/// Judges what this service holds and what the directory says at this moment; a directory that does not answer is a finding, not
/// an error. Needs the scope `accounts:read`.
#[utoipa::path(
    tag = "accounts",
    params(("realm" = String, Path, description = "User store"), ("username" = String, Path, description = "User name")),
    security(("accessToken" = ["accounts:read"])),
    responses(
        (status = 200, description = "What was found, and what to do next.", body = DiagnosisView),
        (status = 400, description = "The path can't be a realm and a user name.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "Neither this service nor the directory knows such a person.", body = Problem),
    )
)]
#[get("/v1/accounts/{realm}/{username}/diagnosis")]
pub(in crate::http) async fn diagnose_account(
    state: web::Data<State>,
    authorized: Authorized<AccountsRead>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (realm, username) = named(&path)?;
    let diagnosed = state.service.diagnose(&authorized.caller, &realm, &username).await?;
    Ok(HttpResponse::Ok().json(DiagnosisView::from(diagnosed)))
}
