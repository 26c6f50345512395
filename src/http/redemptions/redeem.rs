//! `POST /v1/redemptions`: a link's token or an OTP for a grant to set the password.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::domain::ids::{Realm, Username};
use crate::domain::otp::Otp;
use crate::domain::time::Timestamp;
use crate::http::State;
use crate::http::auth::person;
use crate::http::extract::Body;
use crate::http::idempotency;
use crate::http::problem::Problem;
use crate::service::redeem::{Code, Proof, Redeemed};

/// Either `token`, or `username` and `otp` (with `realm` unless it is `PRIMARY`).
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"username": "alex", "realm": "PRIMARY", "otp": "Ab3Cd4"}))]
pub(crate) struct RedemptionRequest {
    /// The token of the link, or a grant to be resumed.
    #[schema(max_length = 4096)]
    token: Option<String>,
    #[schema(max_length = 255)]
    username: Option<String>,
    /// `PRIMARY` when absent.
    #[schema(max_length = 64)]
    realm: Option<String>,
    #[schema(max_length = 64)]
    otp: Option<String>,
}

/// The right to set the password, and what the page needs to ask for it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "grant": "eyJ0eXAiOiJpbnZpdGUtZ3JhbnQrand0Ii…", "grantExpiresAt": "2026-11-24T10:10:00.000Z",
    "user": {"username": "alex", "realm": "PRIMARY", "displayName": "Alex"},
    "invitation": {"purpose": "onboarding", "method": "email_link", "expiresAt": "2026-11-25T10:00:00.000Z", "redirectUrl": null},
    "passwordPolicy": {"minLength": 8, "maxLength": 128}
}))]
pub(crate) struct RedemptionAnswer {
    /// To be sent as `Authorization: Bearer` with the password.
    grant: String,
    grant_expires_at: String,
    user: RedeemedUser,
    invitation: RedeemedInvitation,
    password_policy: PasswordPolicyView,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RedeemedUser {
    username: String,
    realm: String,
    display_name: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RedeemedInvitation {
    purpose: &'static str,
    method: &'static str,
    expires_at: Option<String>,
    redirect_url: Option<String>,
}

/// What a password must be, in characters. Common ones and those that repeat the user name, address or code are refused too.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasswordPolicyView {
    min_length: u16,
    max_length: u16,
}

impl From<Redeemed> for RedemptionAnswer {
    fn from(redeemed: Redeemed) -> Self {
        let invitation = redeemed.invitation;
        let policy = redeemed.settings.password_policy;
        Self {
            grant: redeemed.grant.to_string(),
            grant_expires_at: redeemed.grant_expires_at.to_rfc3339(),
            user: RedeemedUser {
                username: invitation.username.as_str().to_owned(),
                realm: invitation.realm.as_str().to_owned(),
                display_name: invitation.person.display_name,
            },
            invitation: RedeemedInvitation {
                purpose: invitation.purpose.as_str(),
                method: invitation.method.as_str(),
                expires_at: invitation.expires_at.map(Timestamp::to_rfc3339),
                redirect_url: invitation.terms.redirect_url,
            },
            password_policy: PasswordPolicyView { min_length: policy.min_length, max_length: policy.max_length },
        }
    }
}

/// Redeem a link or a code
///
/// A link may be redeemed again; the newest grant counts. A code is used up; repeating it with the same `Idempotency-Key` is
/// answered again. Everything but a genuine link fails with the same bytes after the same time.
#[utoipa::path(
    tag = "redemptions",
    request_body = RedemptionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and code are answered again")),
    responses(
        (status = 200, description = "The grant to set the password.", body = RedemptionAnswer),
        (status = 400, description = "`invalid_or_expired`, or the body can't be used.", body = Problem),
        (status = 409, description = "A genuine link that can't be redeemed right now.", body = Problem),
        (status = 410, description = "A genuine link whose invitation is over.", body = Problem),
        (status = 429, description = "`rate_limited`: too many calls from this address.", body = Problem),
        (status = 503, description = "Try again.", body = Problem),
    )
)]
#[post("/v1/redemptions")]
pub(crate) async fn redeem(
    request: HttpRequest,
    state: web::Data<State>,
    body: Body<RedemptionRequest>,
) -> Result<HttpResponse, Problem> {
    let proof = proof(body.0, &request)?;
    let redeemed = state.service.redeem(&person(&request), proof).await?;
    Ok(HttpResponse::Ok().json(RedemptionAnswer::from(redeemed)))
}

fn proof(body: RedemptionRequest, request: &HttpRequest) -> Result<Proof, Problem> {
    match body {
        RedemptionRequest { token: Some(token), username: None, realm: None, otp: None } => {
            Ok(Proof::Token(Zeroizing::new(token)))
        }
        RedemptionRequest { token: None, username: Some(username), realm, otp: Some(otp) } => {
            let realm = realm.map_or_else(|| Ok(Realm::primary()), |realm| Realm::parse(&realm));
            // A name that can't be one gets the same answer as one that nobody has, after the same time.
            let (Ok(username), Ok(realm)) = (Username::parse(&username), realm) else { return Ok(Proof::Nonsense) };
            let otp = Otp::typed(&Zeroizing::new(otp));
            Ok(Proof::Code(Code { realm, username, otp, idempotency_key: idempotency::key(request)? }))
        }
        _ => {
            Err(Problem::field(StatusCode::BAD_REQUEST, "", "invalid_proof", "needs either token, or username and otp"))
        }
    }
}
