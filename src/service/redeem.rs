//! Redeeming a secret: proof that the person is the one invited, answered with a grant to set the password.
//!
//! A link can be redeemed again and again (mail scanners fetch links), the newest grant wins. An OTP is used up, after its
//! attempt was reserved and committed. Every failure looks and lasts the same; only the bearer of a genuine link learns more.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::attempt::Of;
use super::audit::note;
use super::grant::{self, Grant};
use super::{Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::grace::{Era, Grace, LiveSecret};
use crate::domain::ids::{AccountKey, Realm, TenantId, Username};
use crate::domain::invitation::{Invitation, Over, Redeemable, Status};
use crate::domain::keys::{Keyring, MacPurpose};
use crate::domain::otp::Otp;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::domain::token::LinkToken;
use crate::domain::verifier;
use crate::storage::transitions::{ACCEPT_LEASE, RightCode, ShownSecret};
use crate::storage::{attempts, invitations, outbox, transitions};

/// When the bearer of a link whose account is not locked yet may try again.
const NOT_READY_RETRY: Duration = Duration::from_secs(5);

/// What a person presents.
pub enum Proof {
    /// The token of a link, or a grant that is to be resumed.
    Token(Zeroizing<String>),
    Code(Code),
    /// What can't be a code of anybody's; refused like any other.
    Nonsense,
}

/// A one-time code and whose it is said to be.
pub struct Code {
    pub realm: Realm,
    pub username: Username,
    pub otp: Otp,
    /// With the same key and code, a redemption whose answer was lost is answered again.
    pub idempotency_key: Option<String>,
}

/// A successful redemption.
pub struct Redeemed {
    pub grant: Zeroizing<String>,
    pub grant_expires_at: Timestamp,
    pub invitation: Invitation,
    pub settings: Arc<Settings>,
}

impl Service {
    /// Redeems a link token or an OTP.
    ///
    /// # Errors
    /// [`Refusal::InvalidOrExpired`] for everything but a genuine link; that one may be [`Refusal::Over`] or
    /// [`Refusal::NotReady`]. Failures take at least the configured floor.
    pub async fn redeem(&self, caller: &Caller, proof: Proof) -> ServiceResult<Redeemed> {
        let started = Instant::now();
        let result = match proof {
            Proof::Token(token) => self.redeem_token(caller, &token).await,
            Proof::Code(code) => self.redeem_code(caller, code).await,
            Proof::Nonsense => Err(Refusal::InvalidOrExpired.into()),
        };
        self.even_out(started, result).await
    }

    /// Makes every uniform refusal last equally long.
    pub(super) async fn even_out<T>(&self, started: Instant, result: ServiceResult<T>) -> ServiceResult<T> {
        if matches!(result, Err(ServiceError::Refused(Refusal::InvalidOrExpired))) {
            tokio::time::sleep_until(started + self.failure_floor).await;
        }
        result
    }

    async fn redeem_token(&self, caller: &Caller, token: &str) -> ServiceResult<Redeemed> {
        let invitation = match LinkToken::parse(token) {
            Some(token) => self.open_link(caller, token).await?,
            None => self.resume(&caller.tenant, token).await?,
        };
        self.redeemed(invitation).await
    }

    async fn redeemed(&self, invitation: Invitation) -> ServiceResult<Redeemed> {
        let settings = self.settings(&invitation.tenant).await?;
        let (grant, grant_expires_at) = grant::sign(&self.keys, &invitation)?;
        Ok(Redeemed { grant, grant_expires_at, invitation, settings })
    }

    pub(super) async fn open_link(&self, caller: &Caller, token: LinkToken) -> ServiceResult<Invitation> {
        let (caller, keys) = (caller.clone(), Arc::clone(&self.keys));
        let grant = crate::entropy::grant_id(self.clock.now());
        let opened = self
            .store
            .write(move |conn| {
                let found = invitations::find(conn, &caller.tenant, token.invitation())?;
                let seen = found.ok_or(Refusal::InvalidOrExpired)?;
                let now = conn.now()?;
                let era = genuine_era(&keys, &seen, &token, now);
                let era = match era.and_then(|era| check_open(&seen, now).map(|()| era)) {
                    Ok(era) => era,
                    Err(refusal) => {
                        // Only the bearer of a genuine link gets here with a reason: that is told in the timeline.
                        let Some(reason) = told(&refusal) else { return Err(refusal.into()) };
                        note(conn, &caller.actor, now, ("invitation.redeem_failed", reason), &seen)?;
                        return Ok(Err(refusal));
                    }
                };
                let opened = transitions::give_grant(conn, &seen, &ShownSecret { era, is_code: false, grant }, now)?;
                let opened = opened.ok_or(Refusal::InvalidOrExpired)?;
                note(conn, &caller.actor, now, ("invitation.redeemed", "link"), &opened)?;
                Ok::<_, ServiceError>(Ok(opened))
            })
            .await?;
        Ok(opened?)
    }

    /// A grant presented as a token is resumed: the page that a login sent the person to needs to know whose it is.
    pub(super) async fn resume(&self, tenant: &TenantId, jwt: &str) -> ServiceResult<Invitation> {
        let grant = grant::verify(&self.keys, tenant, jwt, self.clock.now()).ok_or(Refusal::InvalidOrExpired)?;
        self.holder_of(tenant, &grant).await?.ok_or_else(|| Refusal::InvalidOrExpired.into())
    }

    /// The invitation whose row still names this grant.
    pub(super) async fn holder_of(&self, tenant: &TenantId, grant: &Grant) -> ServiceResult<Option<Invitation>> {
        let (tenant, id) = (tenant.clone(), grant.invitation);
        let found = self.store.read(move |conn| invitations::find(conn, &tenant, id)).await?;
        Ok(found.filter(|invitation| invitation.grant == Some(grant.id) && invitation.generation == grant.generation))
    }

    pub(super) async fn redeem_code(&self, caller: &Caller, code: Code) -> ServiceResult<Redeemed> {
        if !code.otp.is_plausible() {
            return Err(Refusal::InvalidOrExpired.into());
        }
        let key = AccountKey::new(&code.realm, &code.username);
        let otp = Arc::new(code.otp);
        let replay = code.idempotency_key.map(|idempotency_key| Arc::new((idempotency_key, Arc::clone(&otp))));
        let Some(seen) = self.reserve(&caller.tenant, &key, Of::Open).await? else {
            return self.replayed(&caller.tenant, &key, replay.as_deref()).await;
        };
        let Some(secret) = self.compare(&seen, &otp).await? else {
            self.note_wrong_code(caller, seen).await?;
            return Err(Refusal::InvalidOrExpired.into());
        };
        let mac = replay.map(|replay| self.replay_mac(&seen, &replay));
        let used = self.use_up(caller, seen, (key, secret.era), mac).await?;
        self.redeemed(used).await
    }

    async fn use_up(
        &self,
        caller: &Caller,
        seen: Invitation,
        (key, era): (AccountKey, Era),
        replay: Option<Vec<u8>>,
    ) -> ServiceResult<Invitation> {
        let actor = caller.actor.clone();
        let grant = crate::entropy::grant_id(self.clock.now());
        self.store
            .write(move |conn| {
                attempts::give_back(conn, &seen.tenant, &key)?;
                let now = conn.now()?;
                let code = RightCode { era, grant, replay: replay.as_deref() };
                let used = transitions::consume_otp(conn, &seen, &code, now)?;
                let used = used.ok_or(ServiceError::Refused(Refusal::InvalidOrExpired))?;
                // What still waits for this code to be sent, or sent again, would come too late.
                outbox::supersede(conn, used.id, now)?;
                note(conn, &actor, now, ("invitation.redeemed", used.method.as_str()), &used)?;
                Ok(used)
            })
            .await
    }

    /// The answer of a redemption again, for the same idempotency key and the same code, while its grant lives. The account's
    /// budget pays for wrong tries here as well.
    async fn replayed(
        &self,
        tenant: &TenantId,
        key: &AccountKey,
        replay: Option<&(String, Arc<Otp>)>,
    ) -> ServiceResult<Redeemed> {
        let Some(replay) = replay else { return Err(Refusal::InvalidOrExpired.into()) };
        let (wanted_tenant, wanted) = (tenant.clone(), key.clone());
        let found = self
            .store
            .write(move |conn| {
                if !attempts::reserve_of_account(conn, &wanted_tenant, &wanted)? {
                    return Ok(None);
                }
                invitations::find_live(conn, &wanted_tenant, &wanted)
            })
            .await?;
        let used = found.filter(|invitation| self.is_replay(invitation, replay)).ok_or(Refusal::InvalidOrExpired)?;
        let (tenant, key) = (tenant.clone(), key.clone());
        self.store.write(move |conn| attempts::give_back(conn, &tenant, &key)).await?;
        self.redeemed(used).await
    }

    fn is_replay(&self, invitation: &Invitation, replay: &(String, Arc<Otp>)) -> bool {
        let is_it = |stored: &Vec<u8>| {
            replay_parts(invitation, replay, |parts| self.keys.verify_named_mac(MacPurpose::Replay, parts, stored))
        };
        self.grant_lives(invitation) && invitation.otp_replay.as_ref().is_some_and(is_it)
    }

    /// Whether the invitation's grant counts still.
    pub(super) fn grant_lives(&self, invitation: &Invitation) -> bool {
        invitation.grant.is_some() && invitation.grant_expires_at.is_some_and(|end| end > self.clock.now())
    }

    /// What recognises the repeat of this redemption: a MAC of invitation, generation, key and code.
    fn replay_mac(&self, invitation: &Invitation, replay: &(String, Arc<Otp>)) -> Vec<u8> {
        replay_parts(invitation, replay, |parts| self.keys.named_mac(MacPurpose::Replay, parts))
    }
}

fn replay_parts<T>(invitation: &Invitation, replay: &(String, Arc<Otp>), then: impl FnOnce(&[&[u8]]) -> T) -> T {
    let generation = invitation.generation.to_be_bytes();
    then(&[invitation.id.as_bytes(), &generation, replay.0.as_bytes(), replay.1.expose().as_bytes()])
}

/// Which of the invitation's links the token is, if it is good still, or once was.
pub(super) fn genuine_era(
    keys: &Keyring,
    seen: &Invitation,
    token: &LinkToken,
    now: Timestamp,
) -> Result<Era, Refusal> {
    let is_link = |secret: &LiveSecret| verifier::matches_link(keys, &secret.context, &secret.verifier, token);
    if let Some(secret) = seen.live_secrets(now).into_iter().find(is_link) {
        return Ok(secret.era);
    }
    let was_ours = seen
        .retired_verifiers
        .iter()
        .filter_map(|stored| Grace::parse(stored, None))
        .any(|retired| verifier::matches_link(keys, &retired.context(seen), &retired.verifier, token));
    Err(if was_ours { Refusal::Over(Over::Superseded) } else { Refusal::InvalidOrExpired })
}

/// Whether the bearer of the genuine, current link may redeem it now.
pub(super) fn check_open(seen: &Invitation, now: Timestamp) -> Result<(), Refusal> {
    match seen.redeemable_at(now) {
        Redeemable::Yes => Ok(()),
        Redeemable::NotYet => Err(Refusal::NotReady(NOT_READY_RETRY)),
        Redeemable::BeingAccepted => Err(Refusal::AcceptInProgress(ACCEPT_LEASE)),
        Redeemable::Over(over) => Err(Refusal::Over(over)),
    }
}

/// Why a genuine link was refused, in the trail's words; `None` when nothing shows that it is genuine.
const fn told(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::Over(Over::Expired) => Some("expired"),
        Refusal::Over(Over::Accepted) => Some("accepted"),
        Refusal::Over(Over::Revoked) => Some("revoked"),
        Refusal::Over(Over::Superseded) => Some("superseded"),
        Refusal::Over(Over::Failed) => Some("failed"),
        Refusal::NotReady(_) => Some("not_ready"),
        Refusal::AcceptInProgress(_) => Some("accept_in_progress"),
        _ => None,
    }
}

/// Whether an account has an OTP invitation that can be redeemed at all, for the login that asks with one.
pub(super) fn has_live_code(invitation: &Invitation, now: Timestamp) -> bool {
    invitation.status_at(now) == Status::Pending
        && invitation.live_secrets(now).iter().any(|secret| secret.context.method.is_otp())
}
