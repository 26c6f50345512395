//! `POST /v1/directory-events`: the platform tells what happened to a user in its directory.

mod user;

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::State;
use super::auth::{Authorized, InvitationsWrite};
use super::extract::Body;
use super::idempotency::{Answer, IdempotencyKey, once};
use super::invitations::issue;
use super::invitations::view::IssuedView;
use super::problem::Problem;
use crate::service::directory_events::{DirectoryEvent, Happening, Reported};
use user::UserResource;

/// Largest report: resources carry more than is read of them.
const REPORT_MAX: usize = 64 * 1024;

/// What happened to a user, as the directory has them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "user.created",
    "user": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:scim:wso2:schema"], "id": "2819c223", "userName": "alex",
        "displayName": "Alex", "preferredLanguage": "en", "emails": [{"value": "alex@example.com", "type": "work"}],
        "urn:scim:wso2:schema": {"askPassword": true}
    }
}))]
pub(crate) struct ReportDirectoryEventRequest {
    #[serde(rename = "type")]
    happening: Happening,
    /// User store. When absent, what stands before a `/` in the user name, or `PRIMARY`.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    realm: Option<String>,
    /// The SCIM user resource (RFC 7643). `id` and `userName` are all that is needed of one that is not to be invited. A password in it is
    /// passed over.
    #[schema(value_type = Object)]
    user: UserResource,
}

/// What came of a report that made no invitation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"outcome": "applied", "invitationId": "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11"}))]
pub(crate) struct DirectoryEventView {
    /// `applied`: what waited for the user has ended. `unchanged`: nothing was left to do. `ignored`: it asks for nothing here, or is
    /// about another user of that name.
    outcome: &'static str,
    /// The newest invitation that ended with it, or the one that is there already.
    invitation_id: Option<String>,
}

/// Report what happened to a user
///
/// For platforms that create and change users in their directory themselves. `user.created` with `askPassword`, of
/// `urn:scim:wso2:schema` or the enterprise extension, issues an invitation; `user.updated` with `forcePasswordReset` one for a
/// password reset. `user.password_set`, when an administrator set a password there, ends the user's invitations and lifts the lock that
/// waited for it; `user.deleted` ends them and forgets the lock. Each may be repeated. Needs the scope `invitations:write`.
#[utoipa::path(
    tag = "directory events",
    request_body = ReportDirectoryEventRequest,
    params(IdempotencyKey),
    security(("accessToken" = ["invitations:write"])),
    responses(
        (status = 201, description = "An invitation is issued.", body = IssuedView, headers(
            ("Location" = String, description = "The invitation"),
            ("Ask-Password-Confirmation-Code" = Option<String>, description = "The link's token or the code, when the secret is in the answer"),
        )),
        (status = 200, description = "No invitation was called for.", body = DirectoryEventView),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 409, description = "`accept_in_progress` (see `Retry-After`) or `feature_disabled`.", body = Problem),
        (status = 422, description = "A rule refuses the invitation.", body = Problem),
        (status = 503, description = "`directory_unavailable`: nothing was done.", body = Problem),
    )
)]
#[post("/v1/directory-events")]
pub(crate) async fn report_directory_event(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<InvitationsWrite>,
    body: Body<ReportDirectoryEventRequest, REPORT_MAX>,
) -> Result<HttpResponse, Problem> {
    let ReportDirectoryEventRequest { happening, realm, user } = body.0;
    user.note_without_password(&request, happening, realm.as_deref());
    let asks = match happening {
        Happening::Created => user.flag("askPassword")?,
        Happening::Updated => user.flag("forcePasswordReset")?,
        Happening::PasswordSet | Happening::Deleted => false,
    };
    let event = DirectoryEvent { happening, asks, user: user.named(realm.as_deref())? };
    once(&request, &state.service, authorized.caller, answer, |service, caller, alongside| async move {
        service.report(&caller, event, alongside).await
    })
    .await
}

fn answer(reported: &Reported) -> Answer {
    let noted = match reported {
        Reported::Invited(issued) => return issue::answer(issued),
        Reported::Noted(noted) => noted,
    };
    let invitation_id = noted.invitation.map(|id| id.to_string());
    let answer = Answer::ok(&DirectoryEventView { outcome: noted.outcome.as_str(), invitation_id });
    match noted.account {
        Some(account) => answer.about(account),
        None => answer,
    }
}
