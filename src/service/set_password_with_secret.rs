//! Setting the password with the secret itself, in one call: the secret is redeemed and the accept saga runs with the grant.
//!
//! The newest grant counts, so of several calls one succeeds. A secret is used up by the acceptance and by nothing before it: after a
//! refusal, or when the directory did not answer, it is as good as ever, a code on every path.

use std::sync::Arc;

use tokio::time::Instant;

use super::audit::note;
use super::error::DIRECTORY_RETRY;
use super::examine::{Examined, Secret, Shown, has_run_out};
use super::redeem::Proof;
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult, grant};
use crate::domain::grace::Era;
use crate::domain::invitation::{Invitation, Method, Over, Status};
use crate::domain::secret::Password;
use crate::storage::transitions::{self, ACCEPT_LEASE, ShownSecret};

impl Service {
    /// Sets the password of whoever the secret belongs to.
    ///
    /// # Errors
    /// As [`Service::examine`], with [`Refusal::Over`] for a secret that has expired, and as [`Service::set_password`]. Of several calls
    /// with one secret at once one succeeds; the others get [`Refusal::AcceptInProgress`].
    pub async fn set_password_with_secret(
        self: &Arc<Self>,
        caller: &Caller,
        proof: Proof,
        password: Password,
    ) -> ServiceResult<Examined> {
        let started = Instant::now();
        let opened = self.open(caller, proof).await;
        let (invitation, method) = self.even_out(started, opened).await?;
        let (jwt, _) = grant::sign(&self.keys, &invitation)?;
        match self.set_password(caller, &jwt, password, Alongside::nothing()).await {
            Ok(_) => Ok(Examined { invitation, method, is_expired: false }),
            // Another call with the same secret has a newer one.
            Err(ServiceError::Refused(Refusal::GrantInvalid)) => Err(Refusal::AcceptInProgress(ACCEPT_LEASE).into()),
            Err(error) => Err(error),
        }
    }

    /// The invitation, with a grant that counts.
    async fn open(self: &Arc<Self>, caller: &Caller, proof: Proof) -> ServiceResult<(Invitation, Method)> {
        let Shown { seen, method, secret } = self.recognise(caller, proof).await?;
        if seen.status == Status::Accepting && self.grant_lives(&seen) {
            // Whoever has the secret may go on once the lease has lapsed: the saga knows.
            return Ok((seen, method));
        }
        if has_run_out(&seen, self.clock.now())? {
            return Err(Refusal::Over(Over::Expired).into());
        }
        let opened = match secret {
            Secret::Grant => seen,
            Secret::Link(link) => self.open_link(caller, link).await?,
            Secret::Code(era) => self.grant_for_code(caller, seen, era).await?,
        };
        Ok((opened, method))
    }

    /// A grant that nobody gets to see, for a code that is still unused afterwards: the acceptance is what ends it.
    async fn grant_for_code(&self, caller: &Caller, seen: Invitation, era: Era) -> ServiceResult<Invitation> {
        let actor = caller.actor.clone();
        let shown = ShownSecret { era, is_code: true, grant: crate::entropy::grant_id(self.clock.now()) };
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                let given = transitions::give_grant(conn, &seen, &shown, now)?;
                // The code was right a moment ago: somebody else is faster.
                let given = given.ok_or(Refusal::AcceptInProgress(DIRECTORY_RETRY))?;
                note(conn, &actor, now, ("invitation.redeemed", given.method.as_str()), &given)?;
                Ok::<_, ServiceError>(given)
            })
            .await
    }
}
