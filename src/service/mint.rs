//! Making the secret of a generation, its verifier, and the sealed message that carries it.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::person::address;
use super::{Failure, Service, ServiceResult};
use crate::domain::ids::MessageId;
use crate::domain::invitation::{Invitation, Method, Status};
use crate::domain::message::{DeliveryState, Kind, Payload, Place};
use crate::domain::otp::{Otp, OtpShape};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::domain::token::LinkToken;
use crate::domain::verifier::{self, Context};
use crate::storage::outbox::{self, NewDelivery};
use crate::storage::{Connection, StorageError};

/// A secret that the caller asked to be given instead of having it sent. Shown this once.
#[derive(Clone)]
pub enum IssuedSecret {
    Link { url: Zeroizing<String>, token: Zeroizing<String> },
    Otp(Arc<Otp>),
}

impl IssuedSecret {
    /// What the person shows in the end: the token in the link, or the code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Link { token, .. } => token,
            Self::Otp(otp) => otp.expose(),
        }
    }
}

/// What a new generation consists of besides its row.
#[derive(Clone)]
pub(super) struct Minted {
    pub(super) verifier: String,
    pub(super) attempts_left: Option<i64>,
    pub(super) secret: IssuedSecret,
    /// The message's id and sealed payload, when it is ours to send.
    message: Option<Sealed>,
    /// The reminders of it, with their minutes before the expiry.
    reminders: Vec<(u32, Sealed)>,
}

/// A message's id and payload.
type Sealed = (MessageId, Vec<u8>);

impl Service {
    /// Makes the secret for the generation that `invitation` names. Slow for long-lived codes; never inside a transaction.
    pub(super) async fn mint(
        &self,
        invitation: &Invitation,
        settings: &Settings,
        expiry_minutes: i64,
        send: bool,
    ) -> ServiceResult<Minted> {
        let context = Context::of(invitation);
        let (verifier, attempts_left, secret) = match invitation.method {
            Method::EmailLink => {
                let token = LinkToken::generate(invitation.id, &mut crate::entropy::rng());
                let url = Zeroizing::new(settings.links.setup_url.replace("{token}", &token.expose()));
                let secret = IssuedSecret::Link { url, token: token.expose() };
                (verifier::of_link(&self.keys, &context, &token), None, secret)
            }
            Method::EmailOtp | Method::SmsOtp => {
                let otp = Arc::new(OtpShape::from(settings.otp).generate(&mut crate::entropy::rng()));
                let verifier = if verifier::needs_argon2(settings.otp.hashing, expiry_minutes) {
                    self.hasher.hash(context, Arc::clone(&otp)).await?
                } else {
                    verifier::of_otp(&self.keys, &context, &otp)
                };
                (verifier, Some(i64::from(settings.otp.max_attempts)), IssuedSecret::Otp(otp))
            }
        };
        let mut minted = Minted { verifier, attempts_left, secret, message: None, reminders: Vec::new() };
        if send {
            let mut payload = message_payload(invitation, settings, &minted.secret)?;
            payload.expires_in_minutes = (expiry_minutes >= 0).then_some(expiry_minutes);
            minted.message = Some(self.seal(invitation, &payload)?);
            for minutes in invitation.terms.reminders.iter().filter(|minutes| i64::from(**minutes) < expiry_minutes) {
                payload.expires_in_minutes = Some(i64::from(*minutes));
                minted.reminders.push((*minutes, self.seal(invitation, &payload)?));
            }
        }
        Ok(minted)
    }

    /// Seals a payload under a new message id.
    pub(super) fn seal(&self, invitation: &Invitation, payload: &Payload) -> ServiceResult<(MessageId, Vec<u8>)> {
        let id = crate::entropy::message_id(self.clock.now());
        let plain = Zeroizing::new(serde_json::to_vec(payload).map_err(|_| Failure::Internal("message"))?);
        let place =
            Place { id, tenant: &invitation.tenant, invitation: invitation.id, generation: invitation.generation };
        let sealed = place.bind(|bound_to| self.keys.seal(bound_to, &plain))?;
        Ok((id, sealed))
    }
}

/// The message that brings the secret; how long that lives is still to be said.
fn message_payload(invitation: &Invitation, settings: &Settings, secret: &IssuedSecret) -> ServiceResult<Payload> {
    let to = address(&invitation.person, invitation.method.channel()).ok_or(Failure::Internal("message"))?;
    let mut payload = payload_for(invitation, settings, to);
    match secret {
        IssuedSecret::Link { url, .. } => payload.link = Some(url.to_string()),
        IssuedSecret::Otp(otp) => {
            payload.otp = Some(otp.expose().to_owned());
            payload.otp_url = Some(settings.links.otp_url.clone());
        }
    }
    Ok(payload)
}

/// A message to the invited person that carries no secret yet.
pub(super) fn payload_for(invitation: &Invitation, settings: &Settings, to: &str) -> Payload {
    Payload {
        to: to.to_owned(),
        name: invitation.person.display_name.clone(),
        username: invitation.username.as_str().to_owned(),
        locale: invitation.person.locale.clone().unwrap_or_else(|| settings.locale.clone()),
        fallback_locale: settings.locale.clone(),
        link: None,
        otp: None,
        otp_url: None,
        expires_in_minutes: None,
        autofill_host: settings.sms.autofill_origin.clone(),
        sms_from: settings.sms.from.clone(),
        email_from: settings.email.from.clone(),
        reply_to: settings.email.reply_to.clone(),
    }
}

/// Puts the generation's message and its reminders into the outbox: for its time, held until the lock is confirmed, or ready; or a row that
/// says that nothing is sent. It takes the place of the one of the generation before.
pub(super) fn enqueue_message(
    conn: &mut Connection,
    invitation: &Invitation,
    minted: &Minted,
    now: Timestamp,
) -> Result<(), StorageError> {
    let (id, payload) = match &minted.message {
        Some((id, payload)) => (*id, Some(payload.clone())),
        None => (crate::entropy::message_id(now), None),
    };
    let state = match (&payload, invitation.send_at, invitation.status) {
        (None, ..) => DeliveryState::Skipped,
        (Some(_), Some(_), _) => DeliveryState::Scheduled,
        (Some(_), None, Status::Provisioning) => DeliveryState::Held,
        (Some(_), None, _) => DeliveryState::Ready,
    };
    if invitation.generation > 1 {
        outbox::unlist(conn, &invitation.tenant, invitation.id)?;
    }
    let row = NewDelivery {
        id,
        tenant: &invitation.tenant,
        invitation: Some(invitation.id),
        generation: invitation.generation,
        account: invitation.account,
        kind: Kind::invitation(invitation.purpose, invitation.method),
        channel: invitation.method.channel(),
        state,
        payload,
        expires_at: invitation.expires_at,
        listed_at: Some(invitation.created_at),
    };
    outbox::insert_due(conn, &row, invitation.send_at.unwrap_or(now), now)?;
    for (minutes, due_at) in invitation.reminders() {
        let Some((_, (id, payload))) = minted.reminders.iter().find(|(of, _)| *of == minutes) else { continue };
        let reminder = NewDelivery {
            id: *id,
            kind: Kind::reminder(invitation.method),
            state: DeliveryState::Scheduled,
            payload: Some(payload.clone()),
            listed_at: None,
            ..row
        };
        outbox::insert_due(conn, &reminder, due_at, now)?;
    }
    Ok(())
}
