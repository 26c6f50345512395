//! Sending by the other channel what did not reach the person, as was decided when that became known.
//!
//! The mark on the invitation outlives a crash. Whoever claims it makes the new generation, or writes down why there is none; a directory that
//! does not answer leaves the mark, and the next claim tries again.

use super::audit::note;
use super::resend::{Cause, Resend};
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::fallback::Fallback;
use crate::domain::invitation::Invitation;
use crate::failpoint;
use crate::storage::StorageError;
use crate::storage::audit::Actor;
use crate::storage::fallbacks::{self, Claimed};

/// How many one pass takes on.
const BATCH: usize = 100;

impl Service {
    /// One pass; returns how many invitations were settled.
    ///
    /// # Errors
    /// That something failed; what was claimed is due again when its lease has lapsed.
    pub(super) async fn fall_back(&self) -> ServiceResult<usize> {
        let mut settled = 0;
        for _ in 0..BATCH {
            let claimed = self.store.write(|conn| {
                let now = conn.now()?;
                fallbacks::claim(conn, now)
            });
            let Some(claimed) = claimed.await? else { break };
            failpoint::hit("fallback.claimed");
            if !self.follow(claimed).await? {
                // The directory does not answer: the others would learn no more.
                break;
            }
            settled += 1;
        }
        Ok(settled)
    }

    /// False when it can't be said yet.
    async fn follow(&self, claimed: Claimed) -> ServiceResult<bool> {
        let caller = Caller { tenant: claimed.invitation.tenant.clone(), actor: Actor::system() };
        let refusal = match self.send_by_fallback(&caller, &claimed.invitation).await {
            Ok(()) => return Ok(true),
            Err(ServiceError::Refused(refusal)) => refusal,
            Err(failed) => return Err(failed),
        };
        let Some(outcome) = outcome(&refusal) else { return Ok(false) };
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                if fallbacks::settle(conn, &claimed, outcome)? && outcome != Fallback::Moot {
                    note(
                        conn,
                        &caller.actor,
                        now,
                        ("invitation.fallback_failed", outcome.as_str()),
                        &claimed.invitation,
                    )?;
                }
                Ok::<_, StorageError>(())
            })
            .await?;
        Ok(true)
    }

    async fn send_by_fallback(&self, caller: &Caller, claimed: &Invitation) -> ServiceResult<()> {
        let method = claimed.falls_back_to(self.clock.now());
        let method = method.ok_or(Refusal::NotResendable(claimed.status))?;
        let command = Resend { method: Some(method), keeps_lock: true, ..Resend::default() };
        self.reissue_seen(caller, claimed.clone(), (Cause::Unreached, command), Alongside::nothing()).await?;
        Ok(())
    }
}

/// What a refusal means for the mark; `None` when it says nothing yet.
const fn outcome(refusal: &Refusal) -> Option<Fallback> {
    match refusal {
        Refusal::DirectoryUnavailable(_) | Refusal::Overloaded | Refusal::AcceptInProgress(_) => None,
        Refusal::RecipientMissing(_) => Some(Fallback::RecipientMissing),
        Refusal::RecipientRejected { .. } => Some(Fallback::CountryNotAllowed),
        Refusal::ChannelNotConfigured(_) => Some(Fallback::ChannelNotConfigured),
        Refusal::FeatureDisabled => Some(Fallback::FeatureDisabled),
        Refusal::PolicyViolation(_) => Some(Fallback::PolicyViolation),
        Refusal::UserNotFound => Some(Fallback::UserNotFound),
        _ => Some(Fallback::Moot),
    }
}
