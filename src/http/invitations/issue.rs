//! `POST /v1/invitations`

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::view::IssuedView;
use crate::domain::invitation::{Invitation, Method, Purpose};
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsWrite};
use crate::http::extract::{Body, bad_text, object, optional_line, optional_time, parse, realm, username};
use crate::http::idempotency::{Answer, IdempotencyKey, once};
use crate::http::problem::Problem;
use crate::http::request::path_for;
use crate::service::IssuedSecret;
use crate::service::issue::{DeliveryMode, IfExists, Issue, Issued};
use crate::service::person::NamedUser;

/// Longest metadata, in bytes of JSON.
const METADATA_MAX: usize = 4096;

/// Whom to invite, and how. What is absent comes from the tenant's settings.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "user": {"username": "alex", "realm": "PRIMARY"}, "purpose": "onboarding", "method": "email_link", "expiresInMinutes": 1440,
    "lockAccount": true, "delivery": "send", "metadata": {"ticket": "HR-1234"}, "ifExists": "fail"
}))]
pub(crate) struct IssueInvitationRequest {
    #[serde(deserialize_with = "object")]
    user: InvitedUser,
    /// `onboarding` when absent.
    #[schema(value_type = Option<PurposeName>)]
    purpose: Option<Purpose>,
    #[schema(value_type = Option<MethodName>)]
    method: Option<Method>,
    /// -1 never, 0 at once, or 1 to 10080.
    #[schema(minimum = -1, maximum = 10080)]
    expires_in_minutes: Option<i64>,
    /// Keep the account locked until the password is set.
    lock_account: Option<bool>,
    delivery: Option<DeliveryName>,
    /// When to send it, at most 90 days ahead; the account is locked at once, and the expiry counts from then. What is over is now.
    #[schema(format = DateTime)]
    send_at: Option<String>,
    /// Where the page sends the person afterwards; must be on the tenant's list.
    #[schema(max_length = 2048)]
    redirect_url: Option<String>,
    /// Any JSON object of at most 4 KiB, kept as given.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    if_exists: Option<IfExistsName>,
}

/// The person. With `id` and the address given, the directory is not asked.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InvitedUser {
    #[schema(max_length = 255)]
    username: String,
    /// `PRIMARY` when absent.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    realm: Option<String>,
    /// The directory's id.
    #[schema(max_length = 255)]
    id: Option<String>,
    #[schema(max_length = 254)]
    email: Option<String>,
    /// E.164.
    #[schema(max_length = 16)]
    phone: Option<String>,
    #[schema(max_length = 128)]
    display_name: Option<String>,
    #[schema(max_length = 35)]
    locale: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum PurposeName {
    Onboarding,
    PasswordReset,
}

#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum MethodName {
    EmailLink,
    EmailOtp,
    SmsOtp,
}

/// Who brings the secret to the person: `send` we do, `return` the caller does.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryName {
    Send,
    Return,
}

impl From<DeliveryName> for DeliveryMode {
    fn from(name: DeliveryName) -> Self {
        match name {
            DeliveryName::Send => Self::Send,
            DeliveryName::Return => Self::Return,
        }
    }
}

/// What happens when the account has a live invitation already.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IfExistsName {
    Fail,
    Replace,
}

impl IssueInvitationRequest {
    fn command(self) -> Result<Issue, Problem> {
        Ok(Issue {
            user: self.user.named()?,
            purpose: self.purpose.unwrap_or(Purpose::Onboarding),
            method: self.method,
            expires_in_minutes: self.expires_in_minutes,
            lock_account: self.lock_account,
            delivery: self.delivery.map(DeliveryMode::from),
            send_at: optional_time("/sendAt", self.send_at.as_deref())?,
            redirect_url: optional_line("/redirectUrl", self.redirect_url, 2048)?,
            metadata: metadata(self.metadata.as_deref())?,
            optional: false,
            if_exists: match self.if_exists {
                Some(IfExistsName::Replace) => IfExists::Replace,
                Some(IfExistsName::Fail) | None => IfExists::Fail,
            },
        })
    }
}

impl InvitedUser {
    fn named(self) -> Result<NamedUser, Problem> {
        Ok(NamedUser {
            username: username("/user/username", &self.username)?,
            realm: realm("/user/realm", self.realm.as_deref())?,
            id: optional_line("/user/id", self.id, 255)?,
            email: optional_line("/user/email", self.email, 254)?,
            phone: optional_line("/user/phone", self.phone, 32)?,
            display_name: optional_line("/user/displayName", self.display_name, 128)?,
            locale: locale("/user/locale", self.locale)?,
        })
    }
}

/// A language tag such as `de-CH`.
pub(super) fn locale(pointer: &str, tag: Option<String>) -> Result<Option<String>, Problem> {
    let tag = optional_line(pointer, tag, 35)?;
    match &tag {
        Some(text) if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            Err(bad_text(pointer, crate::domain::text::TextError::Charset))
        }
        _ => Ok(tag),
    }
}

fn metadata(given: Option<&RawValue>) -> Result<String, Problem> {
    let Some(raw) = given else { return Ok("{}".to_owned()) };
    let refuse = |code, detail: &str| Err(Problem::field(StatusCode::BAD_REQUEST, "/metadata", code, detail));
    if raw.get().len() > METADATA_MAX {
        return refuse("too_long", "is larger than 4096 bytes");
    }
    // Read once, so that nothing is kept that readers would choke on: lone surrogates, endless numbers, deep nesting.
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(raw.get()).is_ok();
    if !is_object || raw.get().contains("\\u0000") {
        return refuse("invalid_value", "must be an object without NUL characters, odd numbers or deep nesting");
    }
    Ok(raw.get().to_owned())
}

/// The command of one object, as the body of a call or the row of a job.
pub(in crate::http) fn read_command(json: &[u8]) -> Result<Issue, Problem> {
    parse::<IssueInvitationRequest>(json)?.command()
}

/// Issue an invitation
///
/// With a lock wanted it starts as `provisioning` and is sent once the directory confirmed the lock. With `delivery: "return"` the
/// secret is in the answer, this once, and nothing is sent. Needs the scope `invitations:write`.
#[utoipa::path(
    tag = "invitations",
    request_body = IssueInvitationRequest,
    params(IdempotencyKey),
    security(("accessToken" = ["invitations:write"])),
    responses(
        (status = 201, description = "Issued.", body = IssuedView, headers(
            ("Location" = String, description = "The invitation"),
            ("Ask-Password-Confirmation-Code" = Option<String>, description = "The link's token or the code, when the secret is in the answer"),
        )),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 409, description = "`invitation_exists` or `feature_disabled`.", body = Problem),
        (status = 422, description = "A rule refuses it.", body = Problem),
        (status = 503, description = "`directory_unavailable`: nothing was done.", body = Problem),
    )
)]
#[post("/v1/invitations")]
pub(crate) async fn issue_invitation(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<InvitationsWrite>,
    body: Body<IssueInvitationRequest>,
) -> Result<HttpResponse, Problem> {
    let command = body.0.command()?;
    once(&request, &state.service, authorized.caller, answer, |service, caller, alongside| async move {
        service.issue(&caller, command, alongside).await
    })
    .await
}

/// The answer to whoever issued it.
pub(in crate::http) fn answer(issued: &Issued) -> Answer {
    let Invitation { id, tenant, account, .. } = &issued.snapshot.invitation;
    let location = path_for(tenant, &format!("/v1/invitations/{id}"));
    let code = issued.secret.as_ref().map(IssuedSecret::code);
    Answer::at(StatusCode::CREATED, location, &IssuedView::from(issued)).with_code(code).about(*account)
}
