//! The one table from refusals and failures to status, code and words: `application/problem+json` (RFC 9457).
//!
//! No problem repeats a secret, an address or SQL. What is ours to mend is logged here, once, with its chain.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::invitation::{Channel, Over};
use crate::domain::settings::SettingsProblem;
use crate::service::error::{CallbackRefusal, PasswordRefusal};
use crate::service::{Failure, Refusal, ServiceError};

/// When an overloaded process may be asked again.
const OVERLOAD_RETRY: Duration = Duration::from_secs(2);
/// Well-formed, but a rule refuses it.
const RULE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
/// Nothing was done, or the same call may be repeated.
const DOWN: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// What an API call got instead of its answer (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "type": "urn:invited:problem:invitation_not_found", "title": "Not Found", "status": 404,
    "detail": "There is no such invitation.", "instance": "/v1/invitations/inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11",
    "code": "invitation_not_found", "traceId": "4bf92f3577b34da6a3ce929d0e0e4736"
}))]
pub struct Problem {
    /// `urn:invited:problem:<code>`
    #[serde(rename = "type")]
    pub type_: String,
    /// The status in words.
    pub title: &'static str,
    pub status: u16,
    /// What is wrong, for people.
    pub detail: String,
    /// The path that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable, for programs.
    pub code: &'static str,
    /// Finds the call in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What is wrong where, for bad input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Why a password was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Seconds after which the same call may be repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The invitation that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation_id: Option<String>,
    #[serde(skip)]
    pub(super) challenge: Option<&'static str>,
}

/// One thing wrong with the input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    /// JSON pointer into the body, or the name of a parameter.
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
}

impl From<SettingsProblem> for FieldProblem {
    fn from(problem: SettingsProblem) -> Self {
        Self { pointer: problem.pointer, code: problem.code, detail: problem.detail }
    }
}

/// One reason why a password was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reason {
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl From<PasswordRefusal> for Reason {
    fn from(refusal: PasswordRefusal) -> Self {
        Self { code: refusal.code, detail: refusal.detail }
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            type_: format!("urn:invited:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            code,
            trace_id: None,
            errors: Vec::new(),
            reasons: Vec::new(),
            retry_after: None,
            invitation_id: None,
            challenge: None,
        }
    }

    /// Input that breaks the schema or a rule of a field.
    pub(super) fn field(
        status: StatusCode,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let mut problem =
            Self::new(status, "invalid_request", "The request has a field that can't be used; see errors.");
        problem.errors.push(FieldProblem { pointer: pointer.into(), code, detail: detail.into() });
        problem
    }

    pub(super) fn unauthorized(challenge: &'static str, detail: &str) -> Self {
        Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail) }
    }

    pub(super) fn retry_in(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait.as_secs().max(1));
        self
    }

    /// Names the field that the whole problem is about.
    pub(super) fn with_field(mut self, pointer: &str, code: &'static str) -> Self {
        self.errors.push(FieldProblem { pointer: pointer.to_owned(), code, detail: self.detail.clone() });
        self
    }

    /// As it is kept of a row, where there is neither a path nor a trace.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The answer, complete but for what only the request knows (see `request::finish`).
    pub(super) fn response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        error_head(status, self.retry_after, self.challenge)
            .content_type("application/problem+json")
            .body(self.to_json())
    }
}

/// The answer to whatever went wrong, in any form, but for its body.
pub(super) fn error_head(
    status: StatusCode,
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
) -> HttpResponseBuilder {
    let mut response = HttpResponseBuilder::new(status);
    if let Some(seconds) = retry_after {
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    if let Some(challenge) = challenge {
        response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
    }
    response
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Leaves the problem for `request::finish`, which knows the path and the trace.
    fn error_response(&self) -> HttpResponse {
        let mut response = self.response();
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Refused(refusal) => refused(refusal),
            ServiceError::Failed(failure) => failed(&failure),
        }
    }
}

fn refused(refusal: Refusal) -> Problem {
    let (status, code, detail) = table(&refusal);
    let mut problem = Problem::new(status, code, detail);
    match refusal {
        Refusal::InvitationExists(id) => problem.invitation_id = Some(id.to_string()),
        Refusal::InvalidField { pointer, code, detail } => return Problem::field(status, pointer, code, detail),
        Refusal::UserNotFound | Refusal::UserStoreNotFound => problem = problem.with_field("/user/username", code),
        Refusal::RecipientMissing(channel) => problem = problem.with_field(address_pointer(channel), code),
        Refusal::RecipientRejected { pointer, code } => problem = problem.with_field(pointer, code),
        Refusal::RedirectNotAllowed => problem = problem.with_field("/redirectUrl", code),
        Refusal::ChannelNotConfigured(_) => problem = problem.with_field("/method", code),
        Refusal::PolicyViolation(rule) => problem = problem.with_field("/expiresInMinutes", rule),
        Refusal::BulkReturnsNoSecrets => problem = problem.with_field("/delivery", code),
        Refusal::SettingsRejected(found) => problem.errors = found.into_iter().map(FieldProblem::from).collect(),
        Refusal::ResendTooSoon(wait)
        | Refusal::AcceptInProgress(wait)
        | Refusal::NotReady(wait)
        | Refusal::DirectoryUnavailable(wait)
        | Refusal::Callback(CallbackRefusal::Unavailable(wait))
        | Refusal::IdempotencyInProgress(wait) => problem = problem.retry_in(wait),
        Refusal::Overloaded => problem = problem.retry_in(OVERLOAD_RETRY),
        Refusal::Callback(CallbackRefusal::Unsigned) => problem.challenge = Some("Basic realm=\"callbacks\""),
        Refusal::GrantInvalid => problem.challenge = Some("Bearer error=\"invalid_token\""),
        Refusal::PasswordRejected(refusals) => problem.reasons = refusals.into_iter().map(Reason::from).collect(),
        Refusal::FeatureDisabled
        | Refusal::PreconditionFailed
        | Refusal::InvitationNotFound
        | Refusal::AccountNotFound
        | Refusal::TemplateNotFound
        | Refusal::TemplateChanged
        | Refusal::TemplateLimit
        | Refusal::DeliveryNotFound
        | Refusal::DeliveryNotRetriable(_)
        | Refusal::WebhookNotFound
        | Refusal::WebhookLimit
        | Refusal::Callback(CallbackRefusal::NotFound | CallbackRefusal::Malformed)
        | Refusal::NotResendable(_)
        | Refusal::NothingToResend
        | Refusal::ResendLimit
        | Refusal::NotRevocable(_)
        | Refusal::InvalidOrExpired
        | Refusal::Over(_)
        | Refusal::AccountDisabled
        | Refusal::AccountLocked
        | Refusal::UserGone
        | Refusal::IdempotencyKeyReused
        | Refusal::BulkJobNotFound
        | Refusal::BulkJobDone
        | Refusal::BulkEmpty
        | Refusal::BulkTooManyRows
        | Refusal::RepeatedInBulk => {}
    }
    problem
}

/// The table: what each refusal is called, and what it says.
const fn table(refusal: &Refusal) -> (StatusCode, &'static str, &'static str) {
    use Refusal as R;
    use StatusCode as S;
    match refusal {
        R::FeatureDisabled => (S::CONFLICT, "feature_disabled", "Invitations are turned off for this tenant."),
        R::InvitationExists(_) => (S::CONFLICT, "invitation_exists", "The account has a live invitation already."),
        R::InvalidField { .. } => (RULE, "invalid_request", "A field breaks a rule; see errors."),
        R::UserNotFound | R::UserStoreNotFound => {
            (RULE, "user_not_found", "The directory has no such user in this realm.")
        }
        R::RecipientMissing(_) => (RULE, "recipient_missing", "The person has no usable address on this channel."),
        R::RecipientRejected { .. } => (RULE, "recipient_rejected", "The address is not one that can be written to."),
        R::RedirectNotAllowed => (RULE, "redirect_not_allowed", "The URL is not on the tenant's list."),
        R::ChannelNotConfigured(_) => (RULE, "channel_not_configured", "No gateway is configured for this method."),
        R::PolicyViolation(_) => (RULE, "policy_violation", "The tenant's strict profile does not allow this."),
        R::SettingsRejected(_) => (RULE, "invalid_settings", "The settings can't be like that; see errors."),
        R::PreconditionFailed => {
            (S::PRECONDITION_FAILED, "precondition_failed", "It was changed by somebody else; read it again.")
        }
        R::InvitationNotFound => (S::NOT_FOUND, "invitation_not_found", "There is no such invitation."),
        R::AccountNotFound => (S::NOT_FOUND, "account_not_found", "There is no such account."),
        R::TemplateNotFound => (S::NOT_FOUND, "template_not_found", "There is no such template."),
        R::TemplateChanged => (S::PRECONDITION_FAILED, "template_changed", "The template is not what If-Match says."),
        R::TemplateLimit => (RULE, "template_limit", "The tenant has as many templates as it may have."),
        R::DeliveryNotFound => (S::NOT_FOUND, "delivery_not_found", "There is no such delivery."),
        R::DeliveryNotRetriable(why) => (S::CONFLICT, "delivery_not_retriable", why),
        R::WebhookNotFound => (S::NOT_FOUND, "webhook_not_found", "There is no such webhook."),
        R::WebhookLimit => (S::CONFLICT, "webhook_limit", "The tenant has 20 webhooks, which is as many as it may."),
        R::Callback(refusal) => callback(*refusal),
        R::NotResendable(_) => (S::CONFLICT, "not_resendable", "The invitation is over for good."),
        R::NothingToResend => (S::BAD_REQUEST, "nothing_to_resend", "The account has nothing of this kind to resend."),
        R::ResendTooSoon(_) => (S::TOO_MANY_REQUESTS, "resend_too_soon", "The last message was sent a moment ago."),
        R::ResendLimit => (S::TOO_MANY_REQUESTS, "resend_limit", "It was resent as often as the settings allow."),
        R::NotRevocable(_) => (S::CONFLICT, "not_revocable", "The password has been set already."),
        R::AcceptInProgress(_) => (S::CONFLICT, "accept_in_progress", "A password is being set right now."),
        R::InvalidOrExpired => {
            (S::BAD_REQUEST, "invalid_or_expired", "The code or link is not valid, or not any more.")
        }
        R::Over(over) => gone(*over),
        R::NotReady(_) => (S::CONFLICT, "invitation_not_ready", "The invitation is being prepared."),
        R::GrantInvalid => (S::UNAUTHORIZED, "grant_invalid", "The grant is not valid, or not any more."),
        R::PasswordRejected(_) => (RULE, "password_rejected", "The password can't be used; see reasons."),
        R::AccountDisabled => (S::FORBIDDEN, "account_disabled", "The account is locked or disabled by somebody else."),
        R::AccountLocked => {
            (S::CONFLICT, "account_locked", "The account is locked, and not until its password is set.")
        }
        R::UserGone => (S::CONFLICT, "user_gone", "The account does not exist any more."),
        R::DirectoryUnavailable(_) => (DOWN, "directory_unavailable", "The user directory does not answer; try again."),
        R::IdempotencyKeyReused => (RULE, "idempotency_key_reused", "The key was used for another request."),
        R::IdempotencyInProgress(_) => {
            (S::CONFLICT, "idempotency_in_progress", "The first call with this key still runs.")
        }
        R::Overloaded => (DOWN, "overloaded", "Too much is going on; try again."),
        R::RepeatedInBulk => (S::CONFLICT, "invitation_exists", "A row before this one invites the same account."),
        R::BulkReturnsNoSecrets => (RULE, "bulk_returns_no_secrets", "The secret of a row is sent, never returned."),
        R::BulkJobNotFound => (S::NOT_FOUND, "bulk_job_not_found", "There is no such job."),
        R::BulkJobDone => (S::CONFLICT, "bulk_job_done", "The job ended before it could be cancelled."),
        R::BulkEmpty => (S::BAD_REQUEST, "bulk_empty", "The body has no rows."),
        R::BulkTooManyRows => (S::PAYLOAD_TOO_LARGE, "bulk_too_many_rows", "The body has more than 10000 rows."),
    }
}

const fn callback(refusal: CallbackRefusal) -> (StatusCode, &'static str, &'static str) {
    use CallbackRefusal as C;
    use StatusCode as S;
    match refusal {
        C::NotFound => (S::NOT_FOUND, "callback_not_found", "No such gateway is set up to report here."),
        C::Unsigned => (S::UNAUTHORIZED, "signature_invalid", "The signature is missing, wrong or too old."),
        C::Malformed => (S::BAD_REQUEST, "malformed_body", "The body is not what the gateway reports."),
        C::Unavailable(_) => (DOWN, "signature_unverifiable", "The signature can't be checked right now; try again."),
    }
}

const fn gone(over: Over) -> (StatusCode, &'static str, &'static str) {
    let (code, detail) = match over {
        Over::Expired => ("invitation_expired", "The invitation has expired; ask for a new one."),
        Over::Accepted => ("invitation_accepted", "The password has been set already; you can sign in."),
        Over::Revoked => ("invitation_revoked", "The invitation was withdrawn."),
        Over::Superseded => ("invitation_superseded", "A newer message was sent; use the link in that one."),
        Over::Failed => ("invitation_failed", "The invitation can't be completed; ask for a new one."),
    };
    (StatusCode::GONE, code, detail)
}

const fn address_pointer(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "/user/phone",
        Channel::Email | Channel::Directory | Channel::Webhook => "/user/email",
    }
}

fn failed(failure: &Failure) -> Problem {
    tracing::error!(error = %Chain(failure), "a request failed");
    if failure.may_be_repeated() {
        let detail = "The service can't work right now; try again.";
        return Problem::new(DOWN, "database_unavailable", detail).retry_in(OVERLOAD_RETRY);
    }
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
}

/// An error with everything that caused it, for one line of log.
struct Chain<'a>(&'a (dyn std::error::Error + 'a));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
