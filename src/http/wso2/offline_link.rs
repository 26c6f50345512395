//! `POST /api/users/v1/offline-invite-link`

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;

use super::Fault;
use super::user::named;
use crate::domain::ids::{Realm, Username};
use crate::http::State;
use crate::http::auth::{Authorized, OfflineInvite};
use crate::http::extract::Body;
use crate::http::idempotency::{Answer, IdempotencyKey, try_once};
use crate::http::problem::Problem;
use crate::service::issue::Issued;
use crate::service::{IssuedSecret, Refusal, ServiceError};

const MESSAGE: &str = "Unable to generate user invite link.";

/// Who is to be given a link.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"username": "alex", "userstore": "PRIMARY"}))]
pub(in crate::http) struct OfflineInviteLinkRequest {
    /// Without the user store.
    #[schema(max_length = 255)]
    username: String,
    #[schema(max_length = 64)]
    userstore: String,
}

impl OfflineInviteLinkRequest {
    fn named(&self) -> Result<(Realm, Username), Fault> {
        if self.userstore.trim().is_empty() {
            let problem = Problem::field(StatusCode::BAD_REQUEST, "/userstore", "empty", "must not be empty");
            return Err(Fault::from(problem).entitled(MESSAGE));
        }
        Realm::parse(self.userstore.trim()).map_err(|_| no_such_store())?;
        named("", &self.username, Some(&self.userstore)).map_err(|problem| Fault::from(problem).entitled(MESSAGE))
    }
}

/// Make an invitation link to hand over
///
/// Nothing is sent. The link takes the place of all other secrets of the user, and lives as long as an invitation does; also for a
/// user who is locked until the password is set. Needs the scope `invitations:write` or `internal_offline_invite`.
#[utoipa::path(
    tag = "wso2",
    request_body = OfflineInviteLinkRequest,
    params(IdempotencyKey),
    security(("accessToken" = ["invitations:write"]), ("accessToken" = ["internal_offline_invite"])),
    responses(
        (status = 201, description = "The link.", body = String, content_type = "text/plain",
            headers(("Location" = String, description = "The link"))),
        (status = 400, description = "The body can't be used, or a rule refuses it.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 404, description = "18003: there is no such user; 17009: there is no such user store.", body = Fault),
        (status = 409, description = "17003: locked, and not until the password is set; 17004: disabled; `accept_in_progress` or \
            `feature_disabled`.", body = Fault),
        (status = 422, description = "", body = Fault),
        (status = 503, description = "`directory_unavailable`: nothing was done.", body = Fault),
    )
)]
#[post("/api/users/v1/offline-invite-link")]
pub(in crate::http) async fn create_offline_invite_link(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<OfflineInvite>,
    body: Body<OfflineInviteLinkRequest>,
) -> Result<HttpResponse, Fault> {
    let user = body.0.named()?;
    let done = try_once(&request, &state.service, authorized.caller, answer, |service, caller, alongside| async move {
        service.offline_link(&caller, user, alongside).await
    });
    done.await.map_err(|error| error.worded(refused))
}

fn answer(issued: &Issued) -> Answer {
    let link = match &issued.secret {
        Some(IssuedSecret::Link { url, .. }) => url.as_str(),
        Some(IssuedSecret::Otp(_)) | None => "",
    };
    // A header takes no other characters than those that a URL is written with.
    let location = Url::parse(link).map_or_else(|_| link.to_owned(), String::from);
    Answer::created_with_text(link).located(location).about(issued.snapshot.invitation.account)
}

fn refused(error: ServiceError) -> Fault {
    let (status, code, description) = match error {
        ServiceError::Refused(Refusal::UserStoreNotFound) => return no_such_store(),
        ServiceError::Refused(Refusal::UserNotFound) => (StatusCode::NOT_FOUND, "18003", "There is no such user."),
        ServiceError::Refused(Refusal::AccountLocked) => (StatusCode::CONFLICT, "17003", "The user is locked."),
        ServiceError::Refused(Refusal::AccountDisabled) => (StatusCode::CONFLICT, "17004", "The user is disabled."),
        error => return Fault::refused(error, MESSAGE),
    };
    Fault::new(status, code, MESSAGE, description)
}

fn no_such_store() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "17009", MESSAGE, "There is no such user store.")
}
