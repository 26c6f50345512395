//! The accept saga: claim (database) → one PATCH (directory) → complete (database).
//!
//! Nothing is consumed before the directory confirmed, the directory is never called without a claim, and no connection is
//! held across the call. The password lives in memory only, so after a crash nobody but the person can go on: the claim is
//! taken over by the same grant and by nobody else. What each crash leaves behind, and who cleans up, is in ADR 4.

use std::sync::Arc;
use std::time::Duration;

use super::audit::note;
use super::error::{DIRECTORY_RETRY, PasswordRefusal};
use super::grant::{self, Grant};
use super::idempotency::Holder;
use super::issue::account_row;
use super::mint::payload_for;
use super::person::address;
use super::sync::enqueue_sync;
use super::{Actor, Alongside, Caller, Failure, Refusal, Service, ServiceError, ServiceResult};
use crate::directory::{DirectoryError, DirectoryUser, PasswordChange};
use crate::domain::account::{Account, LockReason};
use crate::domain::contact::{Email, Phone};
use crate::domain::grace::LiveSecret;
use crate::domain::ids::{AccountId, GrantId, MessageId};
use crate::domain::invitation::{Channel, Invitation, Status};
use crate::domain::message::{DeliveryState, Kind};
use crate::domain::otp::Otp;
use crate::domain::password::{Known, says_reused};
use crate::domain::secret::Password;
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::storage::outbox::NewDelivery;
use crate::storage::transitions::{self, ACCEPT_LEASE, AcceptEnd};
use crate::storage::{Connection, StorageError, accounts, invitations, outbox};

/// However many calls an attempt takes, the last has ended well before another may claim: the lease is a minute.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(50);

/// A password that was set.
#[derive(Debug)]
pub struct Accepted {
    pub account: AccountId,
    pub accepted_at: Timestamp,
    pub redirect_url: Option<String>,
}

/// A claim on the acceptance: the row as claimed, and what we knew of the account at that moment.
struct Claim {
    invitation: Invitation,
    account: Account,
}

/// What is to be written down once the directory has the password.
pub(super) struct Completion {
    pub(super) claimed: Invitation,
    /// Whether our lock was lifted by the same request.
    pub(super) unlocked: bool,
    /// For the audit trail.
    pub(super) detail: &'static str,
    pub(super) alongside: Alongside<Accepted>,
}

/// How the directory's part of the saga went.
enum Attempt {
    Applied,
    /// Surely not applied: the claim is released and the person told.
    Refused(Refusal),
    /// It can never be: the invitation has failed.
    Gone,
    /// Nobody knows: the claim stays with the same grant until its lease ends.
    Unknown,
}

impl Service {
    /// Whose key an idempotency key is that comes with this grant: the grant's, for as long as it lives. Nothing is kept longer, since
    /// the fingerprint of such a call covers a password.
    ///
    /// # Errors
    /// [`Refusal::GrantInvalid`] when it is not a living grant of ours.
    pub fn holder_by_grant(&self, caller: &Caller, jwt: &str) -> ServiceResult<Holder> {
        let grant = grant::verify(&self.keys, &caller.tenant, jwt, self.clock.now()).ok_or(Refusal::GrantInvalid)?;
        Ok(Holder { caller: caller.clone(), name: grant.id.to_string(), until: Some(grant.end) })
    }

    /// Sets the password of the invitation that the grant is for, and writes what belongs to it `alongside`.
    ///
    /// Runs to its end even when the caller hangs up.
    ///
    /// # Errors
    /// A [`Refusal`] of the contract, or a failure.
    pub async fn set_password(
        self: &Arc<Self>,
        caller: &Caller,
        jwt: &str,
        password: Password,
        alongside: Alongside<Accepted>,
    ) -> ServiceResult<Accepted> {
        let grant = grant::verify(&self.keys, &caller.tenant, jwt, self.clock.now()).ok_or(Refusal::GrantInvalid)?;
        let (service, caller) = (Arc::clone(self), caller.clone());
        let saga = tokio::spawn(async move { service.accept(&caller, &grant, &password, alongside).await });
        saga.await.map_err(|_| Failure::Cancelled)?
    }

    async fn accept(
        &self,
        caller: &Caller,
        grant: &Grant,
        password: &Password,
        alongside: Alongside<Accepted>,
    ) -> ServiceResult<Accepted> {
        let seen = self.holder_of(&caller.tenant, grant).await?.ok_or(Refusal::GrantInvalid)?;
        self.check_password(&seen, password).await?;
        failpoint::hit("accept.before_claim");
        let claim = self.claim(caller, grant).await?;
        failpoint::hit("accept.claimed");
        let attempt = tokio::time::timeout(ATTEMPT_DEADLINE, self.change_password(&claim, password)).await;
        let attempt = attempt.unwrap_or(Attempt::Unknown);
        failpoint::hit("accept.applied");
        match attempt {
            Attempt::Applied => self.complete(caller, claim, alongside).await,
            Attempt::Refused(refusal) => {
                self.end(caller, claim, AcceptEnd::Released).await?;
                Err(refusal.into())
            }
            Attempt::Gone => {
                self.end(caller, claim, AcceptEnd::Failed("user_gone")).await?;
                Err(Refusal::UserGone.into())
            }
            Attempt::Unknown => Err(Refusal::DirectoryUnavailable(self.lease_left(&claim.invitation)).into()),
        }
    }

    /// Our own rules, before anything is claimed.
    async fn check_password(&self, invitation: &Invitation, password: &Password) -> ServiceResult<()> {
        let settings = self.settings(&invitation.tenant).await?;
        let as_code = Arc::new(Otp::typed(password.expose()));
        let is_code = as_code.is_plausible() && self.secret_of(known_codes(invitation), &as_code).await?.is_some();
        let known = Known {
            username: invitation.username.as_str(),
            email: invitation.person.email.as_ref().map(Email::as_str),
            phone: invitation.person.phone.as_ref().map(Phone::as_str),
            is_code,
        };
        let broken = settings.password_policy.check(password, &known);
        if broken.is_empty() {
            return Ok(());
        }
        let reasons = broken.into_iter().map(|reason| PasswordRefusal { code: reason.code(), detail: None }).collect();
        Err(Refusal::PasswordRejected(reasons).into())
    }

    async fn claim(&self, caller: &Caller, grant: &Grant) -> ServiceResult<Claim> {
        let (caller, id, generation, jti) = (caller.clone(), grant.invitation, grant.generation, grant.id);
        self.store
            .write(move |conn| {
                let seen = invitations::find(conn, &caller.tenant, id)?.ok_or(Refusal::GrantInvalid)?;
                let account = account_row(conn, &seen)?;
                if account.lock_reason == Some(LockReason::AdminInitiated) {
                    return Err(Refusal::AccountDisabled.into());
                }
                if let Some(invitation) = transitions::claim_accept(conn, &caller.tenant, id, generation, jti)? {
                    return Ok(Claim { invitation, account });
                }
                // Read again: who waited for the account's row saw the state before the winner's.
                let current = invitations::find(conn, &caller.tenant, id)?.ok_or(Refusal::GrantInvalid)?;
                Err(not_claimable(&current, jti, conn.now()?).into())
            })
            .await
    }

    async fn change_password(&self, claim: &Claim, password: &Password) -> Attempt {
        for _ in 0..2 {
            let user = match self.current_user(&claim.invitation).await {
                Ok(user) => user,
                Err(DirectoryError::NotFound | DirectoryError::NoSuchStore) => return Attempt::Gone,
                Err(error) => return not_applied(&error),
            };
            let unlock = claim.account.unlocks_on_acceptance() && user.access.may_await_password();
            if !user.is_active() && !unlock {
                return Attempt::Refused(Refusal::AccountDisabled);
            }
            let marker = claim.invitation.acceptance_marker();
            let change = PasswordChange { password, unlock, proved: proved(&claim.invitation, &user), marker: &marker };
            failpoint::hit("accept.patching");
            match self.directory.set_password(claim.invitation.user_store(), &user, &change).await {
                Ok(()) => return Attempt::Applied,
                // Somebody changed the user between our reading and our PATCH: read again, once.
                Err(DirectoryError::Changed) => {}
                Err(DirectoryError::NotFound | DirectoryError::NoSuchStore) => return Attempt::Gone,
                Err(DirectoryError::PasswordRejected { reason }) => return rejected_by_directory(reason),
                Err(error @ (DirectoryError::NotApplied(_) | DirectoryError::Ambiguous)) => return not_applied(&error),
                Err(error @ DirectoryError::Unknown(_)) => return self.look_after(claim, &error).await,
            }
        }
        Attempt::Refused(Refusal::DirectoryUnavailable(DIRECTORY_RETRY))
    }

    /// The user as the directory has them now.
    pub(super) async fn current_user(&self, invitation: &Invitation) -> Result<DirectoryUser, DirectoryError> {
        let (store, id) = (invitation.user_store(), invitation.person.id.as_deref());
        self.directory.look_up(store, id, &invitation.username).await
    }

    /// The outcome is not known: where the directory keeps our marker, it can be looked up.
    async fn look_after(&self, claim: &Claim, error: &DirectoryError) -> Attempt {
        tracing::warn!(invitation.id = %claim.invitation.id, error = %error, "it is not known whether the password was set");
        if !self.directory.keeps_marker() {
            return Attempt::Unknown;
        }
        let marker = claim.invitation.acceptance_marker();
        match self.current_user(&claim.invitation).await {
            Ok(user) if user.marker.as_deref() == Some(marker.as_str()) => Attempt::Applied,
            // It may still be applied late: the claim is kept until the lease ends.
            Ok(_) | Err(_) => Attempt::Unknown,
        }
    }

    fn lease_left(&self, invitation: &Invitation) -> Duration {
        invitation.accept_lease_until.map_or(ACCEPT_LEASE, |until| until.since(self.clock.now()))
    }

    async fn complete(&self, caller: &Caller, claim: Claim, alongside: Alongside<Accepted>) -> ServiceResult<Accepted> {
        let unlocked = claim.account.unlocks_on_acceptance();
        let completion = Completion { claimed: claim.invitation, unlocked, detail: "", alongside };
        let accepted = self.finish(caller, completion).await?;
        failpoint::hit("accept.completed");
        accepted.ok_or_else(|| Refusal::AcceptInProgress(ACCEPT_LEASE).into())
    }

    /// Writes down that the password is set, for whoever holds the claimed fence; `None` when that is somebody else by now. Once is
    /// enough: when it was written down already for this fence, by the sweep or before a lost commit's repeat, that counts.
    pub(super) async fn finish(&self, caller: &Caller, completion: Completion) -> ServiceResult<Option<Accepted>> {
        let activation = self.activation_message(&completion.claimed).await?;
        let actor = caller.actor.clone();
        let accepted = self.store.write(move |conn| completion.store(conn, &actor, activation.as_ref())).await?;
        self.wake.notify_one();
        Ok(accepted)
    }

    async fn activation_message(&self, invitation: &Invitation) -> ServiceResult<Option<(MessageId, Vec<u8>)>> {
        let channel = invitation.method.channel();
        if !invitation.terms.activation_notification || !self.channels.has(channel) {
            return Ok(None);
        }
        let Some(to) = address(&invitation.person, channel) else { return Ok(None) };
        let settings = self.settings(&invitation.tenant).await?;
        self.seal(invitation, &payload_for(invitation, &settings, to)).map(Some)
    }

    async fn end(&self, caller: &Caller, claim: Claim, end: AcceptEnd<'static>) -> ServiceResult<()> {
        let actor = caller.actor.clone();
        let event = match end {
            AcceptEnd::Failed(code) => ("invitation.failed", code),
            AcceptEnd::Accepted | AcceptEnd::Released => ("invitation.accept_released", ""),
        };
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                if transitions::end_accept(conn, &claim.invitation, &end, now)? {
                    supersede_if_over(conn, &claim.invitation, &end, now)?;
                    note(conn, &actor, now, event, &claim.invitation)?;
                }
                Ok::<_, ServiceError>(())
            })
            .await
    }
}

/// The channel that was proved, if the address it was proved for is the one that the directory has.
fn proved(invitation: &Invitation, user: &DirectoryUser) -> Option<Channel> {
    let person = &invitation.person;
    invitation.proved_channel().filter(|channel| match channel {
        Channel::Email => person.email.is_some() && person.email == user.email,
        Channel::Sms => person.phone.is_some() && person.phone == user.phone,
        Channel::Directory | Channel::Webhook => false,
    })
}

/// The codes of the invitation, those that were used up included.
fn known_codes(invitation: &Invitation) -> Vec<LiveSecret> {
    let secrets = invitation.known_secrets().into_iter();
    secrets.filter(|secret| secret.context.method.is_otp()).collect()
}

impl Completion {
    fn store(
        &self,
        conn: &mut Connection,
        actor: &Actor,
        activation: Option<&(MessageId, Vec<u8>)>,
    ) -> ServiceResult<Option<Accepted>> {
        let Some(accepted_at) = self.accepted_at(conn, actor, activation)? else { return Ok(None) };
        let (account, redirect_url) = (self.claimed.account, self.claimed.terms.redirect_url.clone());
        let accepted = Accepted { account, accepted_at, redirect_url };
        self.alongside.write(conn, &accepted)?;
        Ok(Some(accepted))
    }

    fn accepted_at(
        &self,
        conn: &mut Connection,
        actor: &Actor,
        activation: Option<&(MessageId, Vec<u8>)>,
    ) -> ServiceResult<Option<Timestamp>> {
        let claimed = &self.claimed;
        let account = accounts::find_locked(conn, &claimed.tenant, &claimed.account_key())?;
        let Some(account) = account else { return Ok(None) };
        let now = conn.now()?;
        if !transitions::end_accept(conn, claimed, &AcceptEnd::Accepted, now)? {
            let current = invitations::find(conn, &claimed.tenant, claimed.id)?;
            let ours = current.filter(|current| current.accept_fence == claimed.accept_fence);
            return Ok(ours.and_then(|current| current.accepted_at));
        }
        let lifted = self.unlocked && account.unlocks_on_acceptance();
        accounts::settle_acceptance(conn, &account, lifted || account.is_lifted_already(), now)?;
        if self.unlocked && !lifted {
            // Something else was wanted of the lock meanwhile, which our unlocking may have undone.
            accounts::want_lock(conn, &account, account.lock_reason, now)?;
            enqueue_sync(conn, &account, Some(claimed.id), now)?;
        }
        outbox::supersede(conn, claimed.id, now)?;
        if let Some((id, payload)) = activation {
            enqueue_activation(conn, claimed, (*id, payload.clone()), now)?;
        }
        note(conn, actor, now, ("invitation.accepted", self.detail), claimed)?;
        if lifted {
            note(conn, actor, now, ("account.unlocked", "accepted"), claimed)?;
        }
        Ok(Some(now))
    }
}

fn enqueue_activation(
    conn: &mut Connection,
    invitation: &Invitation,
    (id, payload): (MessageId, Vec<u8>),
    now: Timestamp,
) -> ServiceResult<()> {
    let row = NewDelivery {
        id,
        tenant: &invitation.tenant,
        invitation: Some(invitation.id),
        generation: invitation.generation,
        account: invitation.account,
        kind: Kind::activation(invitation.method),
        channel: invitation.method.channel(),
        state: DeliveryState::Ready,
        payload: Some(payload),
        expires_at: None,
        listed_at: None,
    };
    Ok(outbox::insert(conn, &row, now)?)
}

/// What waits of an invitation that has failed is never sent.
pub(super) fn supersede_if_over(
    conn: &mut Connection,
    invitation: &Invitation,
    end: &AcceptEnd<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    match end {
        AcceptEnd::Failed(_) => outbox::supersede(conn, invitation.id, now),
        AcceptEnd::Accepted | AcceptEnd::Released => Ok(()),
    }
}

/// Why the claim got no row.
fn not_claimable(current: &Invitation, grant: GrantId, now: Timestamp) -> Refusal {
    match (current.status, current.accept_lease_until) {
        (Status::Accepting, Some(until)) if current.grant == Some(grant) && until > now => {
            Refusal::AcceptInProgress(until.since(now))
        }
        _ => Refusal::GrantInvalid,
    }
}

fn not_applied(error: &DirectoryError) -> Attempt {
    tracing::warn!(error = %error, "the directory did not set the password");
    Attempt::Refused(Refusal::DirectoryUnavailable(DIRECTORY_RETRY))
}

fn rejected_by_directory(reason: Option<String>) -> Attempt {
    let code = if reason.as_deref().is_some_and(says_reused) { "password_reused" } else { "directory_policy" };
    Attempt::Refused(Refusal::PasswordRejected(vec![PasswordRefusal { code, detail: reason }]))
}
