//! An invitation as callers see it.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::account::LockReason;
use crate::domain::contact::{Email, Phone};
use crate::domain::invitation::{Invitation, RevokeReason, Status};
use crate::domain::message::DeliveryStatus;
use crate::domain::time::Timestamp;
use crate::service::IssuedSecret;
use crate::service::issue::Issued;
use crate::service::lookup::Snapshot;

/// An invitation. Addresses are masked; secrets are never in it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "status": "pending", "purpose": "onboarding", "method": "email_link",
    "user": {"id": "2819c223", "username": "alex", "realm": "PRIMARY", "displayName": "Alex", "locale": "en",
             "email": "a•••@example.com", "phone": null},
    "expiresAt": "2026-11-25T10:00:00.000Z", "createdAt": "2026-11-24T10:00:00.000Z", "updatedAt": "2026-11-24T10:00:00.000Z",
    "sendAt": null, "acceptedAt": null, "revokedAt": null, "revokeReason": null, "generation": 1, "resends": 0, "nextResendAt": "2026-11-24T10:01:00.000Z",
    "nextReminderAt": null, "attemptsRemaining": null,
    "delivery": {"status": "sent", "channel": "email", "attempts": 1, "updatedAt": "2026-11-24T10:00:01.000Z", "error": null},
    "account": {"locked": true, "lockReason": "PENDING_ASK_PASSWORD", "directory": "synced"},
    "redirectUrl": null, "metadata": {}, "createdBy": "hr-portal", "warnings": [], "failure": null
}))]
pub(crate) struct InvitationView {
    id: String,
    /// `provisioning`, `pending`, `accepting`, `accepted`, `expired`, `revoked` or `failed`.
    status: &'static str,
    /// `onboarding` or `password_reset`.
    purpose: &'static str,
    /// `email_link`, `email_otp` or `sms_otp`.
    method: &'static str,
    user: UserView,
    /// Null when it never expires.
    expires_at: Option<String>,
    created_at: String,
    updated_at: String,
    /// When the newest secret is sent, if a time was chosen; the expiry counts from then.
    send_at: Option<String>,
    accepted_at: Option<String>,
    revoked_at: Option<String>,
    /// `administrator`, `replaced` by a newer invitation, or `declined` by the person.
    revoke_reason: Option<&'static str>,
    /// Grows with every resend. The newest secret works, and the one before it for as long as the tolerance that was set.
    generation: i64,
    resends: i64,
    /// Null when it can't be resent.
    next_resend_at: Option<String>,
    /// Null when the person is not going to be reminded.
    next_reminder_at: Option<String>,
    /// Codes that may still be tried in this generation; null for links.
    attempts_remaining: Option<i64>,
    delivery: DeliveryView,
    account: AccountLockView,
    redirect_url: Option<String>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// Subject of the token that issued it.
    created_by: String,
    /// What a standard says against it, in words.
    warnings: Vec<String>,
    /// Why it failed.
    failure: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserView {
    /// The directory's id.
    id: Option<String>,
    username: String,
    realm: String,
    display_name: Option<String>,
    locale: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryView {
    /// `skipped`, `scheduled`, `queued`, `sending`, `sent` (the gateway took it), `delivered`, `bounced` or `failed`.
    status: &'static str,
    /// `email` or `sms`.
    channel: &'static str,
    attempts: i64,
    updated_at: Option<String>,
    /// Code of the last thing that went wrong.
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountLockView {
    locked: bool,
    lock_reason: Option<&'static str>,
    /// Whether the directory is known to agree: `synced`, `pending`, `failed` or `drifted`.
    directory: &'static str,
}

/// The secret, when the caller brings it to the person. Shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretView {
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otp: Option<String>,
}

/// An invitation just issued or resent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IssuedView {
    #[serde(flatten)]
    invitation: InvitationView,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<SecretView>,
}

impl From<Snapshot> for InvitationView {
    fn from(snapshot: Snapshot) -> Self {
        let next_resend_at = snapshot.next_resend_at().map(Timestamp::to_rfc3339);
        let next_reminder_at = snapshot.next_reminder_at().map(Timestamp::to_rfc3339);
        let delivery = delivery_view(&snapshot);
        let account = account_view(&snapshot);
        let invitation = snapshot.invitation;
        Self {
            id: invitation.id.to_string(),
            status: snapshot.status.as_str(),
            purpose: invitation.purpose.as_str(),
            method: invitation.method.as_str(),
            user: user_view(&invitation),
            expires_at: invitation.expires_at.map(Timestamp::to_rfc3339),
            created_at: invitation.created_at.to_rfc3339(),
            updated_at: invitation.updated_at.to_rfc3339(),
            send_at: invitation.send_at.map(Timestamp::to_rfc3339),
            accepted_at: invitation.accepted_at.map(Timestamp::to_rfc3339),
            revoked_at: invitation.revoked_at.map(Timestamp::to_rfc3339),
            revoke_reason: invitation.revoke_reason.map(RevokeReason::as_str),
            generation: invitation.generation,
            resends: invitation.resends,
            next_resend_at,
            next_reminder_at,
            attempts_remaining: attempts_remaining(&invitation, snapshot.status),
            delivery,
            account,
            redirect_url: invitation.terms.redirect_url,
            metadata: RawValue::from_string(invitation.metadata).unwrap_or_default(),
            created_by: invitation.created_by,
            warnings: invitation.terms.warnings,
            failure: invitation.failure,
        }
    }
}

fn attempts_remaining(invitation: &Invitation, status: Status) -> Option<i64> {
    let usable = status == Status::Pending && invitation.otp_used_at.is_none();
    let of_code = invitation.attempts_left.filter(|_| invitation.method.is_otp());
    of_code.map(|left| if usable { left } else { 0 })
}

fn user_view(invitation: &Invitation) -> UserView {
    UserView {
        id: invitation.person.id.clone(),
        username: invitation.username.as_str().to_owned(),
        realm: invitation.realm.as_str().to_owned(),
        display_name: invitation.person.display_name.clone(),
        locale: invitation.person.locale.clone(),
        email: invitation.person.email.as_ref().map(Email::masked),
        phone: invitation.person.phone.as_ref().map(Phone::masked),
    }
}

fn delivery_view(snapshot: &Snapshot) -> DeliveryView {
    let Some(delivery) = &snapshot.delivery else {
        let channel = snapshot.invitation.method.channel().as_str();
        return DeliveryView {
            status: DeliveryStatus::Skipped.as_str(),
            channel,
            attempts: 0,
            updated_at: None,
            error: None,
        };
    };
    DeliveryView {
        status: delivery.status_at(snapshot.taken_at).as_str(),
        channel: delivery.channel.as_str(),
        attempts: delivery.attempts,
        updated_at: Some(delivery.updated_at.to_rfc3339()),
        error: delivery.reason().map(str::to_owned),
    }
}

fn account_view(snapshot: &Snapshot) -> AccountLockView {
    match &snapshot.account {
        Some(account) => AccountLockView {
            locked: account.is_locked(),
            lock_reason: account.lock_reason.map(LockReason::as_str),
            directory: account.directory.as_str(),
        },
        None => AccountLockView { locked: false, lock_reason: None, directory: "synced" },
    }
}

impl From<&Issued> for IssuedView {
    fn from(issued: &Issued) -> Self {
        let secret = issued.secret.as_ref().map(|secret| match secret {
            IssuedSecret::Link { url, .. } => SecretView { link: Some(url.to_string()), otp: None },
            IssuedSecret::Otp(otp) => SecretView { link: None, otp: Some(otp.expose().to_owned()) },
        });
        Self { invitation: issued.snapshot.clone().into(), secret }
    }
}
