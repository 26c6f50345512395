//! Examining a secret: what it is good for, any number of times, without using it up or changing anything that it belongs to.
//!
//! The budgets, the code path and the uniform failure are those of redeeming. That a code has run out is told only once it was found
//! to be right, under the budget of its invitation and its account.

use std::sync::Arc;

use tokio::time::Instant;

use super::attempt::Of;
use super::redeem::{Code, Proof, check_open, genuine_era};
use super::{Caller, Failure, Refusal, Service, ServiceResult};
use crate::domain::grace::Era;
use crate::domain::ids::{AccountKey, TenantId};
use crate::domain::invitation::{Invitation, Method, Over};
use crate::domain::time::Timestamp;
use crate::domain::token::LinkToken;
use crate::storage::invitations;

/// What a secret was found to be.
pub struct Examined {
    pub invitation: Invitation,
    /// How the secret that was shown reached the person.
    pub method: Method,
    /// It was good once, and its time is over.
    pub is_expired: bool,
}

/// A genuine secret, and whose it is.
pub(super) struct Shown {
    pub(super) seen: Invitation,
    pub(super) method: Method,
    pub(super) secret: Secret,
}

/// What was shown.
pub(super) enum Secret {
    Link(LinkToken),
    Code(Era),
    /// The grant that the invitation names.
    Grant,
}

impl Service {
    /// Says what a secret is, and uses nothing up.
    ///
    /// # Errors
    /// [`Refusal::InvalidOrExpired`] for whatever is not a genuine secret, or a code that somebody redeemed; a genuine one may be
    /// [`Refusal::Over`] (never for having expired), [`Refusal::NotReady`] or [`Refusal::AcceptInProgress`]. Failures that are uniform
    /// take at least the configured floor.
    pub async fn examine(self: &Arc<Self>, caller: &Caller, proof: Proof) -> ServiceResult<Examined> {
        let started = Instant::now();
        let examined = self.recognise(caller, proof).await.and_then(|shown| {
            let is_expired = has_run_out(&shown.seen, self.clock.now())?;
            Ok(Examined { invitation: shown.seen, method: shown.method, is_expired })
        });
        self.even_out(started, examined).await
    }

    /// Finds out whose secret it is, with what the invitation is like; whether that allows anything is for the caller to judge. A code
    /// that was redeemed is nobody's any more.
    ///
    /// Runs to its end even when the caller hangs up, so that the attempt of a right code is given back.
    pub(super) async fn recognise(self: &Arc<Self>, caller: &Caller, proof: Proof) -> ServiceResult<Shown> {
        let (service, caller) = (Arc::clone(self), caller.clone());
        let recognising = tokio::spawn(async move { service.recognised(&caller, proof).await });
        recognising.await.map_err(|_| Failure::Cancelled)?
    }

    async fn recognised(&self, caller: &Caller, proof: Proof) -> ServiceResult<Shown> {
        match proof {
            Proof::Token(token) => {
                if let Some(link) = LinkToken::parse(&token) {
                    return self.recognise_link(&caller.tenant, link).await;
                }
                let seen = self.resume(&caller.tenant, &token).await?;
                Ok(Shown { method: seen.method, seen, secret: Secret::Grant })
            }
            Proof::Code(code) => self.recognise_code(caller, code).await,
            Proof::Nonsense => Err(Refusal::InvalidOrExpired.into()),
        }
    }

    async fn recognise_link(&self, tenant: &TenantId, link: LinkToken) -> ServiceResult<Shown> {
        let (tenant, id) = (tenant.clone(), link.invitation());
        let found = self.store.read(move |conn| invitations::find(conn, &tenant, id)).await?;
        let seen = found.ok_or(Refusal::InvalidOrExpired)?;
        genuine_era(&self.keys, &seen, &link, self.clock.now())?;
        Ok(Shown { seen, method: Method::EmailLink, secret: Secret::Link(link) })
    }

    async fn recognise_code(&self, caller: &Caller, code: Code) -> ServiceResult<Shown> {
        if !code.otp.is_plausible() {
            return Err(Refusal::InvalidOrExpired.into());
        }
        let key = AccountKey::new(&code.realm, &code.username);
        let otp = Arc::new(code.otp);
        let turn = self.turns.take(&caller.tenant, &key).await?;
        let seen = self.reserve(&caller.tenant, &key, Of::Known).await?.ok_or(Refusal::InvalidOrExpired)?;
        let Some(found) = self.compare(&seen, &otp).await? else {
            self.note_wrong_code(caller, seen).await?;
            return Err(Refusal::InvalidOrExpired.into());
        };
        self.give_back(&seen).await?;
        drop(turn);
        if seen.otp_used_at.is_some() {
            return Err(Refusal::InvalidOrExpired.into());
        }
        Ok(Shown { seen, method: found.context.method, secret: Secret::Code(found.era) })
    }
}

/// Whether the time of a genuine secret is over, when nothing else forbids its use.
pub(super) fn has_run_out(seen: &Invitation, now: Timestamp) -> Result<bool, Refusal> {
    match check_open(seen, now) {
        Ok(()) => Ok(false),
        Err(Refusal::Over(Over::Expired)) => Ok(true),
        Err(refusal) => Err(refusal),
    }
}
