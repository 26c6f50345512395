//! Resending: a new generation with a new secret; old secrets, grants and queued messages die with the old one.
//!
//! It never refills the account's budget of wrong codes, so that asking for new codes buys no more guesses.

use std::sync::Arc;

use super::audit::note;
use super::issue::{DeliveryMode, Issued, Plan, Wishes, account_row, await_password, first_status, want_lock};
use super::lookup::snapshot;
use super::mint::{IssuedSecret, Minted, enqueue_message};
use super::person::{address, check_country};
use super::room::live_invitation;
use super::{Alongside, Caller, Refusal, Service, ServiceResult};
use crate::domain::fallback::Fallback;
use crate::domain::ids::InvitationId;
use crate::domain::invitation::{Invitation, Method, Status};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::domain::warning::warnings;
use crate::storage::transitions::ACCEPT_LEASE;
use crate::storage::{Connection, StorageError, invitations, outbox, transitions};

/// What may change with a resend; what is `None` stays (method) or comes from the settings (expiry).
#[derive(Debug, Clone, Default)]
pub struct Resend {
    pub method: Option<Method>,
    pub expires_in_minutes: Option<i64>,
    pub delivery: Option<DeliveryMode>,
    /// When to send it; a time that is over is now.
    pub send_at: Option<Timestamp>,
    pub locale: Option<String>,
    /// Whether the account's lock stays as it stands, whatever was agreed: one that was lifted meanwhile is not asked for again.
    pub keeps_lock: bool,
}

/// Why there is a new generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody asked for it: a resend, with its cap and its cool-down.
    Asked,
    /// The message did not reach the person: once, at once, with the expiry and what is left of the budget. It is no resend.
    Unreached,
}

impl Service {
    /// Issues a new generation of an invitation that is pending, expired or failed, and writes what belongs to it `alongside`.
    ///
    /// # Errors
    /// A [`Refusal`] of the contract, or a failure.
    pub async fn resend(
        &self,
        caller: &Caller,
        id: InvitationId,
        command: Resend,
        alongside: Alongside<Issued>,
    ) -> ServiceResult<Issued> {
        let seen = self.get_invitation(caller, id).await?.invitation;
        self.resend_seen(caller, seen, command, alongside).await
    }

    /// As [`Service::resend`], of exactly the generation that was `seen`.
    pub(super) async fn resend_seen(
        &self,
        caller: &Caller,
        seen: Invitation,
        command: Resend,
        alongside: Alongside<Issued>,
    ) -> ServiceResult<Issued> {
        self.reissue_seen(caller, seen, (Cause::Asked, command), alongside).await
    }

    /// Issues the generation after the one that was `seen`, whatever the cause.
    pub(super) async fn reissue_seen(
        &self,
        caller: &Caller,
        seen: Invitation,
        (cause, command): (Cause, Resend),
        alongside: Alongside<Issued>,
    ) -> ServiceResult<Issued> {
        let settings = self.settings(&caller.tenant).await?;
        let now = self.clock.now();
        cause.check(&seen, now)?;
        let plan = Plan::new(self, &settings, seen.purpose, &cause.wishes(&seen, &command, now))?;
        let mut next = self.next_generation(&seen, &plan, &settings, command.locale).await?;
        next.resends += i64::from(cause == Cause::Asked);
        let minted = self.mint(&next, &settings, plan.expiry_minutes, plan.sends()).await?;
        let draft = Arc::new(Draft {
            seen,
            next,
            secret: plan.shown(&minted),
            keeps_lock: command.keeps_lock,
            minted,
            plan,
            cause,
            caller: caller.clone(),
            alongside,
        });
        let issued = self.store.write(move |conn| draft.store(conn)).await?;
        self.wake.notify_one();
        Ok(issued)
    }

    async fn next_generation(
        &self,
        seen: &Invitation,
        plan: &Plan,
        settings: &Settings,
        locale: Option<String>,
    ) -> ServiceResult<Invitation> {
        let mut next = seen.clone();
        next.method = plan.method;
        next.generation += 1;
        next.terms.warnings = warnings(plan.method, plan.expiry_minutes, settings.otp);
        next.person.locale = locale.or(next.person.locale);
        if address(&next.person, plan.method.channel()).is_none() {
            next.person = self.completed((seen.user_store(), &seen.username), next.person, plan).await?;
        }
        check_country(settings, &next.person, plan.method.channel())?;
        Ok(next)
    }
}

impl Cause {
    /// Whether there may be a new generation now.
    fn check(self, invitation: &Invitation, now: Timestamp) -> Result<(), Refusal> {
        match self {
            Self::Asked => check_state(invitation, now),
            Self::Unreached if invitation.status_at(now) == Status::Accepting => {
                Err(Refusal::AcceptInProgress(ACCEPT_LEASE))
            }
            Self::Unreached
                if invitation.fallback == Some(Fallback::Due) && invitation.falls_back_to(now).is_some() =>
            {
                Ok(())
            }
            Self::Unreached => Err(Refusal::NotResendable(invitation.status_at(now))),
        }
    }

    fn wishes(self, seen: &Invitation, command: &Resend, now: Timestamp) -> Wishes {
        let method = Some(command.method.unwrap_or(seen.method));
        match self {
            Self::Asked => Wishes {
                method,
                expires_in_minutes: command.expires_in_minutes,
                delivery: command.delivery,
                send_at: command.send_at,
            },
            Self::Unreached => Wishes {
                method,
                expires_in_minutes: Some(seen.expires_at.map_or(-1, |end| end.minutes_after(now))),
                delivery: Some(DeliveryMode::Send),
                send_at: None,
            },
        }
    }

    /// What the new generation takes over from the one that it follows.
    fn inherit(self, next: &mut Invitation, current: &Invitation, now: Timestamp) {
        match self {
            Self::Asked => {
                next.grace = current.outliving(now);
                next.attempts_left = next.attempts_left.or_else(|| attempts_of_grace(current, next));
                // Another message, another chance; but the two channels never take turns.
                next.fallback = current.fallback.filter(|fallback| *fallback == Fallback::Done);
            }
            Self::Unreached => {
                next.grace = None;
                next.attempts_left = next.attempts_left.map(|fresh| current.attempts_left.unwrap_or(fresh));
                next.expires_at = current.expires_at;
                next.fallback = Some(Fallback::Done);
            }
        }
    }

    const fn event(self) -> &'static str {
        match self {
            Self::Asked => "invitation.resent",
            Self::Unreached => "invitation.fell_back",
        }
    }
}

/// Whether this invitation may be resent now.
fn check_state(invitation: &Invitation, now: Timestamp) -> Result<(), Refusal> {
    match invitation.status_at(now) {
        Status::Accepting => return Err(Refusal::AcceptInProgress(ACCEPT_LEASE)),
        status @ (Status::Accepted | Status::Revoked) => return Err(Refusal::NotResendable(status)),
        Status::Provisioning | Status::Pending | Status::Expired | Status::Failed => {}
    }
    if invitation.is_resent_out() {
        return Err(Refusal::ResendLimit);
    }
    let wait = invitation.resendable_from(now).since(now);
    if wait.is_zero() { Ok(()) } else { Err(Refusal::ResendTooSoon(wait)) }
}

struct Draft {
    seen: Invitation,
    next: Invitation,
    minted: Minted,
    secret: Option<IssuedSecret>,
    plan: Plan,
    cause: Cause,
    keeps_lock: bool,
    caller: Caller,
    alongside: Alongside<Issued>,
}

impl Draft {
    fn store(&self, conn: &mut Connection) -> ServiceResult<Issued> {
        let account = account_row(conn, &self.seen)?;
        let now = conn.now()?;
        let live = live_invitation(conn, &self.caller.actor, &self.seen, now)?;
        if let Some(other) = live.filter(|live| live.id != self.seen.id) {
            return Err(Refusal::InvitationExists(other.id).into());
        }
        let current =
            invitations::find_locked(conn, &self.seen.tenant, self.seen.id)?.ok_or(Refusal::InvitationNotFound)?;
        self.cause.check(&current, now)?;
        if current.generation != self.seen.generation {
            // Somebody else has just resent it: from here on that is "too soon".
            return Err(Refusal::ResendTooSoon(current.resendable_from(now).since(now)).into());
        }
        let mut next = self.next.clone();
        next.retired_verifiers = retired(&current);
        next.attempts_left = self.minted.attempts_left;
        if self.keeps_lock {
            next.terms.lock_account = account.waits_locked();
        }
        next.verifier = Some(self.minted.verifier.clone());
        self.plan.date(&mut next, now);
        self.cause.inherit(&mut next, &current, now);
        // The one before was handed over: it is not known which of the two is redeemed.
        next.terms.handed_over = self.plan.hands_over() || next.grace.is_some() && current.terms.handed_over;
        next.status = first_status(&next, &account, now);
        outbox::supersede(conn, current.id, now)?;
        if !transitions::reissue(conn, &current, &next).map_err(StorageError::repeatable)? {
            return Err(Refusal::ResendTooSoon(current.resendable_from(now).since(now)).into());
        }
        enqueue_message(conn, &next, &self.minted, now)?;
        await_password(conn, &account, &next)?;
        want_lock(conn, &next, &account, now)?;
        note(conn, &self.caller.actor, now, (self.cause.event(), next.method.as_str()), &next)?;
        (next.grant, next.otp_used_at, next.failure) = (None, None, None);
        let issued = Issued { snapshot: snapshot(conn, next, now)?, secret: self.secret.clone() };
        self.alongside.write(conn, &issued)?;
        Ok(issued)
    }
}

/// A link's generation has no budget of its own: the code that is still good goes on with what is left of its.
fn attempts_of_grace(current: &Invitation, next: &Invitation) -> Option<i64> {
    next.grace.as_ref().filter(|grace| grace.method.is_otp()).and(current.attempts_left)
}

/// Link verifiers of all earlier generations, so that their bearers can be told "superseded".
fn retired(current: &Invitation) -> Vec<String> {
    let last = current.verifier.clone().filter(|_| !current.method.is_otp());
    let of_generation = last.map(|verifier| format!("{}:{}:{verifier}", current.generation, current.method.as_str()));
    current.retired_verifiers.iter().cloned().chain(of_generation).collect()
}
