//! What the bearer of a link can do besides redeeming it: say that it was not for them, or ask for a new one.
//!
//! Asking for a new one is answered the same whatever the string is, at once; what is done about it is done afterwards, so that
//! neither words nor time tell anything.

use std::sync::Arc;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::accounts::end_idle_reset;
use super::audit::note;
use super::issue::{DeliveryMode, Issued};
use super::redeem::genuine_era;
use super::resend::Resend;
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::grace::Era;
use crate::domain::invitation::{Invitation, Redeemable, RevokeReason, Status};
use crate::domain::settings::Notifications;
use crate::domain::token::LinkToken;
use crate::storage::transitions::{self, ACCEPT_LEASE, Close};
use crate::storage::{accounts, invitations, outbox};

/// How many that ask for a new link are looked after at once; more are answered all the same, and nothing is done.
pub(super) const ERRANDS_MAX: usize = 32;

impl Service {
    /// Ends the invitation for its person: "this was not me". The account's lock stays.
    ///
    /// # Errors
    /// As redeeming the link; [`Refusal::InvalidOrExpired`] takes at least the configured floor.
    pub async fn decline(&self, caller: &Caller, token: &str) -> ServiceResult<()> {
        let started = Instant::now();
        let result = match LinkToken::parse(token) {
            Some(token) => self.decline_link(caller, token).await,
            None => Err(Refusal::InvalidOrExpired.into()),
        };
        self.even_out(started, result).await
    }

    async fn decline_link(&self, caller: &Caller, token: LinkToken) -> ServiceResult<()> {
        let (caller, keys) = (caller.clone(), Arc::clone(&self.keys));
        self.store
            .write(move |conn| {
                let seen = invitations::find(conn, &caller.tenant, token.invitation())?;
                let seen = seen.ok_or(Refusal::InvalidOrExpired)?;
                // Before any row is held: strangers hold nothing up.
                genuine_era(&keys, &seen, &token, conn.now()?)?;
                let account = accounts::find_locked(conn, &seen.tenant, &seen.account_key())?;
                let current = invitations::find_locked(conn, &seen.tenant, seen.id)?;
                let current = current.ok_or(Refusal::InvalidOrExpired)?;
                let now = conn.now()?;
                genuine_era(&keys, &current, &token, now)?;
                match current.redeemable_at(now) {
                    Redeemable::Yes | Redeemable::NotYet => {}
                    Redeemable::BeingAccepted => return Err(Refusal::AcceptInProgress(ACCEPT_LEASE).into()),
                    Redeemable::Over(over) => return Err(Refusal::Over(over).into()),
                }
                if !transitions::close(conn, &current, Close::Revoked(RevokeReason::Declined), now)? {
                    return Err(Refusal::AcceptInProgress(ACCEPT_LEASE).into());
                }
                outbox::supersede(conn, current.id, now)?;
                if let Some(account) = account {
                    end_idle_reset(conn, &account)?;
                }
                Ok::<_, ServiceError>(note(conn, &caller.actor, now, ("invitation.declined", ""), &current)?)
            })
            .await
    }

    /// Sees to it that the bearer of an expired link is sent a new one, if that is allowed. Says nothing, and returns at once.
    pub fn request_new(self: &Arc<Self>, caller: &Caller, token: Zeroizing<String>) {
        let Ok(admitted) = Arc::clone(&self.errands).try_acquire_owned() else {
            tracing::warn!("too many ask for a new link at once; one was left out");
            return;
        };
        let (service, caller) = (Arc::clone(self), caller.clone());
        self.afterwards.spawn(async move {
            let _admitted = admitted;
            if let Err(ServiceError::Failed(failure)) = service.send_new(&caller, &token).await {
                tracing::error!(error = ?failure, "a new link could not be sent");
            }
        });
    }

    /// Waits for what answered requests left to be done.
    pub async fn settle_afterwards(&self) {
        self.afterwards.close();
        self.afterwards.wait().await;
        self.afterwards.reopen();
    }

    async fn send_new(&self, caller: &Caller, token: &str) -> ServiceResult<()> {
        let Some(token) = LinkToken::parse(token) else { return Ok(()) };
        let Some(seen) = self.expired_link(caller, token).await? else { return Ok(()) };
        let refusal = match self.resend_expired(caller, seen.clone()).await {
            Ok(_) => return Ok(()),
            Err(ServiceError::Refused(refusal)) => refusal,
            Err(failed) => return Err(failed),
        };
        let (actor, detail) = (caller.actor.clone(), why_not(&refusal));
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                Ok(note(conn, &actor, now, (REQUESTED, detail), &seen)?)
            })
            .await
    }

    /// The invitation whose current link the token is, if it has expired and nothing else ended it.
    async fn expired_link(&self, caller: &Caller, token: LinkToken) -> ServiceResult<Option<Invitation>> {
        let (tenant, keys) = (caller.tenant.clone(), Arc::clone(&self.keys));
        self.store
            .read(move |conn| {
                let now = conn.now()?;
                let found = invitations::find(conn, &tenant, token.invitation())?;
                let is_it = |seen: &Invitation| {
                    seen.status_at(now) == Status::Expired && genuine_era(&keys, seen, &token, now) == Ok(Era::Current)
                };
                Ok::<_, ServiceError>(found.filter(is_it))
            })
            .await
    }

    /// Resends exactly the generation that was seen, to the address that it has; cap and cool-down apply.
    async fn resend_expired(&self, caller: &Caller, seen: Invitation) -> ServiceResult<Issued> {
        let settings = self.settings(&caller.tenant).await?;
        if !seen.terms.self_service_request_new || settings.notifications == Notifications::External {
            return Err(Refusal::FeatureDisabled.into());
        }
        let command = Resend { delivery: Some(DeliveryMode::Send), ..Resend::default() };
        let actor = caller.actor.clone();
        let noted = Alongside::new(move |conn, issued: &Issued| {
            let now = conn.now()?;
            Ok(note(conn, &actor, now, (REQUESTED, "resent"), &issued.snapshot.invitation)?)
        });
        self.resend_seen(caller, seen, command, noted).await
    }
}

const REQUESTED: &str = "invitation.new_requested";

/// For the audit trail: why nothing was sent.
const fn why_not(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::FeatureDisabled => "not_allowed",
        Refusal::ResendTooSoon(_) => "resend_too_soon",
        Refusal::ResendLimit => "resend_limit",
        Refusal::InvitationExists(_) => "invitation_exists",
        _ => "refused",
    }
}
