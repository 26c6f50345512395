//! What nobody asks for: invitations that ran out, acceptances whose process died or whose directory never answered, and answers
//! kept for repetitions that need not be any more.
//!
//! Expiry is enforced where a secret is used; here it is only written down. A stranded acceptance is completed when the
//! directory's marker proves it, given back to the same grant while that lives, and closed otherwise: never reopened to another.

use super::audit::note;
use super::set_password::Completion;
use super::set_password::supersede_if_over;
use super::{Alongside, Caller, Service, ServiceError, ServiceResult};
use crate::domain::ids::TenantId;
use crate::domain::invitation::Invitation;
use crate::storage::audit::Actor;
use crate::storage::transitions::{self, AcceptEnd};
use crate::storage::{invitations, outbox};

/// How many rows one pass takes on.
const BATCH: i64 = 100;

impl Service {
    /// One pass; returns how many rows were settled.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn sweep(&self) -> ServiceResult<usize> {
        let expired = self.note_expired().await?;
        let stranded = self.store.read(|conn| invitations::list_stranded(conn, BATCH)).await?;
        let mut settled = expired + self.forget_calls().await?;
        for invitation in stranded {
            settled += usize::from(self.settle_stranded(invitation).await?);
        }
        settled += self.take_early_receipts().await?;
        settled += self.fall_back().await?;
        settled += self.purge_bulk_jobs().await?;
        Ok(settled + self.purge().await?)
    }

    async fn note_expired(&self) -> ServiceResult<usize> {
        self.store
            .write(|conn| {
                let now = conn.now()?;
                let expired = transitions::expire_due(conn, BATCH, now)?;
                for invitation in &expired {
                    outbox::supersede(conn, invitation.id, now)?;
                    note(conn, &Actor::system(), now, ("invitation.expired", ""), invitation)?;
                }
                outbox::expire_due(conn, now)?;
                Ok::<_, ServiceError>(expired.len())
            })
            .await
    }

    async fn settle_stranded(&self, stranded: Invitation) -> ServiceResult<bool> {
        if self.directory.keeps_marker() {
            let marker = stranded.acceptance_marker();
            return match self.current_user(&stranded).await {
                Ok(user) if user.marker.as_deref() == Some(marker.as_str()) => {
                    let caller = system(stranded.tenant.clone());
                    let (unlocked, alongside) = (user.is_active(), Alongside::nothing());
                    let completion = Completion { claimed: stranded, unlocked, detail: "recovered", alongside };
                    Ok(self.finish(&caller, completion).await?.is_some())
                }
                // The lease outlasts every deadline, so what is not there by now was never applied.
                Ok(_) => self.end_stranded(stranded, AcceptEnd::Released).await,
                Err(error) => {
                    tracing::warn!(invitation.id = %stranded.id, error = %error, "a stranded acceptance can't be looked up yet");
                    Ok(false)
                }
            };
        }
        if stranded.grant_expires_at.is_some_and(|end| end > self.clock.now()) {
            // The same grant may still claim it again and set the password once more.
            return Ok(false);
        }
        tracing::error!(invitation.id = %stranded.id, "it is not known whether a password was set; the invitation is closed");
        self.end_stranded(stranded, AcceptEnd::Failed("outcome_unknown")).await
    }

    async fn end_stranded(&self, stranded: Invitation, end: AcceptEnd<'static>) -> ServiceResult<bool> {
        let event = match end {
            AcceptEnd::Failed(code) => ("invitation.failed", code),
            AcceptEnd::Accepted | AcceptEnd::Released => ("invitation.accept_released", "recovered"),
        };
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                let ended = transitions::end_accept(conn, &stranded, &end, now)?;
                if ended {
                    supersede_if_over(conn, &stranded, &end, now)?;
                    note(conn, &Actor::system(), now, event, &stranded)?;
                }
                Ok(ended)
            })
            .await
    }
}

fn system(tenant: TenantId) -> Caller {
    Caller { tenant, actor: Actor::system() }
}
