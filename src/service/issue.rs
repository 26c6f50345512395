//! Issuing an invitation: lock first, then send.
//!
//! One transaction writes the invitation, the account's wanted lock, the outbox rows and the audit row. With a lock wanted the
//! invitation is `provisioning` and its message held until a worker has the lock confirmed by the directory.

use std::sync::Arc;
use std::time::Duration;

use super::audit::note;
use super::lookup::{Snapshot, snapshot};
use super::mint::{IssuedSecret, Minted, enqueue_message};
use super::person::{NamedUser, check_country};
use super::room::make_room;
use super::sync::enqueue_sync;
use super::{Alongside, Caller, Refusal, Service, ServiceResult};
use crate::domain::account::{Account, DirectorySync, Hold, LockNeeded, LockReason};
use crate::domain::invitation::{Channel, Invitation, Method, Person, Purpose, Status, Terms, has_expired};
use crate::domain::settings::{Notifications, Profile, Settings, is_expiry, lifetime};
use crate::domain::time::Timestamp;
use crate::domain::warning::warnings;
use crate::storage::{Connection, StorageError, accounts, invitations};

/// Farthest that a message may be scheduled ahead.
const SCHEDULE_MAX: Duration = Duration::from_hours(90 * 24);

/// An invitation to be issued. What is `None` comes from the tenant's settings.
pub struct Issue {
    pub user: NamedUser,
    pub purpose: Purpose,
    pub method: Option<Method>,
    pub expires_in_minutes: Option<i64>,
    pub lock_account: Option<bool>,
    pub delivery: Option<DeliveryMode>,
    /// When to send it; a time that is over is now.
    pub send_at: Option<Timestamp>,
    pub redirect_url: Option<String>,
    /// A JSON object, already checked for size.
    pub metadata: String,
    /// Whether nobody waits for the password: the account's state stays as it is.
    pub optional: bool,
    pub if_exists: IfExists,
}

impl Issue {
    const fn wishes(&self) -> Wishes {
        Wishes {
            method: self.method,
            expires_in_minutes: self.expires_in_minutes,
            delivery: self.delivery,
            send_at: self.send_at,
        }
    }
}

/// Who brings the secret to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMode {
    /// We do.
    Send,
    /// The caller does: the secret is in the answer and nothing is sent.
    Return,
}

/// What happens when the account has a live invitation already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    Fail,
    /// The old one is revoked.
    Replace,
}

#[derive(Clone)]
pub struct Issued {
    pub snapshot: Snapshot,
    /// Only with [`DeliveryMode::Return`].
    pub secret: Option<IssuedSecret>,
}

/// What a call wishes for one generation; what is `None` comes from the settings.
pub(super) struct Wishes {
    pub(super) method: Option<Method>,
    pub(super) expires_in_minutes: Option<i64>,
    pub(super) delivery: Option<DeliveryMode>,
    pub(super) send_at: Option<Timestamp>,
}

/// The choices of one generation, with the settings filled in and every rule checked.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) method: Method,
    pub(super) expiry_minutes: i64,
    pub(super) delivery: DeliveryMode,
    send_at: Option<Timestamp>,
}

impl Plan {
    pub(super) fn new(
        service: &Service,
        settings: &Settings,
        purpose: Purpose,
        wishes: &Wishes,
    ) -> Result<Self, Refusal> {
        let method = wishes.method.unwrap_or_else(|| settings.method_for(purpose));
        let expiry_minutes = wishes.expires_in_minutes.unwrap_or_else(|| settings.expiry_for(purpose));
        let default = match settings.notifications {
            Notifications::Internal => DeliveryMode::Send,
            Notifications::External => DeliveryMode::Return,
        };
        let delivery = wishes.delivery.unwrap_or(default);
        let plan = Self { method, expiry_minutes, delivery, send_at: wishes.send_at };
        plan.check(service, settings)?;
        plan.check_time(service.clock.now())?;
        Ok(plan)
    }

    fn check(&self, service: &Service, settings: &Settings) -> Result<(), Refusal> {
        if !settings.enabled {
            return Err(Refusal::FeatureDisabled);
        }
        if !is_expiry(self.expiry_minutes) {
            let detail = "must be -1 (never), 0 (at once) or 1 to 10080".to_owned();
            return Err(Refusal::InvalidField { pointer: "/expiresInMinutes", code: "out_of_range", detail });
        }
        if self.delivery == DeliveryMode::Send && !service.channels.has(self.method.channel()) {
            return Err(Refusal::ChannelNotConfigured(self.method.channel()));
        }
        match (settings.policy.profile, settings.exceeds_strict(self.method, self.expiry_minutes)) {
            (Profile::Strict, Some(code)) => Err(Refusal::PolicyViolation(code)),
            (Profile::Strict | Profile::Compatible, _) => Ok(()),
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let Some(send_at) = self.send_at else { return Ok(()) };
        let refuse =
            |code, detail: &str| Err(Refusal::InvalidField { pointer: "/sendAt", code, detail: detail.to_owned() });
        if self.delivery == DeliveryMode::Return {
            return refuse("nothing_is_sent", "must be absent when the secret is returned to the caller");
        }
        if send_at > now.after(SCHEDULE_MAX) {
            return refuse("out_of_range", "must not be more than 90 days ahead");
        }
        Ok(())
    }

    /// Dates a new generation: when it is sent, and when it is over, counted from the sending.
    pub(super) fn date(&self, generation: &mut Invitation, now: Timestamp) {
        (generation.issued_at, generation.updated_at) = (now, now);
        generation.send_at = self.send_at.filter(|at| self.sends() && *at > now);
        let start = generation.send_at.unwrap_or(now);
        generation.expires_at = lifetime(self.expiry_minutes).map(|span| start.after(span));
    }

    /// Whether there is anything to send: a secret that is over at once is not sent.
    pub(super) fn sends(&self) -> bool {
        self.delivery == DeliveryMode::Send && self.expiry_minutes != 0
    }

    /// Whether the caller gets the secret.
    pub(super) fn hands_over(&self) -> bool {
        self.delivery == DeliveryMode::Return
    }

    /// Where the person has to have an address: nowhere when the caller brings the secret to them.
    pub(super) fn needs_address_on(&self) -> Option<Channel> {
        (!self.hands_over()).then(|| self.method.channel())
    }

    /// The secret for the answer, when the caller brings it to the person.
    pub(super) fn shown(&self, minted: &Minted) -> Option<IssuedSecret> {
        self.hands_over().then(|| minted.secret.clone())
    }
}

/// An invitation that no rule forbids, but for those that depend on the account's other invitations.
pub(super) struct Prepared {
    pub(super) invitation: Invitation,
    pub(super) plan: Plan,
    pub(super) if_exists: IfExists,
    settings: Arc<Settings>,
}

impl Service {
    /// Issues an invitation, and writes what belongs to it `alongside`.
    ///
    /// # Errors
    /// A [`Refusal`] of the contract, or a failure.
    pub async fn issue(&self, caller: &Caller, command: Issue, alongside: Alongside<Issued>) -> ServiceResult<Issued> {
        let prepared = self.prepare(caller, command).await?;
        self.issue_prepared(caller, prepared, alongside).await
    }

    /// Fills in the settings, looks the person up, and checks every rule that does not depend on other invitations.
    pub(super) async fn prepare(&self, caller: &Caller, mut command: Issue) -> ServiceResult<Prepared> {
        let settings = self.settings(&caller.tenant).await?;
        let plan = Plan::new(self, &settings, command.purpose, &command.wishes())?;
        command.redirect_url = allowed_redirect(&settings, command.redirect_url.as_deref())?;
        let person = self.person(&caller.tenant, &command.user, &plan).await?;
        check_country(&settings, &person, plan.method.channel())?;
        let invitation = self.new_invitation(caller, &command, (&plan, &settings), person);
        Ok(Prepared { invitation, plan, settings, if_exists: command.if_exists })
    }

    /// Makes the secret, and writes everything in one transaction.
    pub(super) async fn issue_prepared(
        &self,
        caller: &Caller,
        prepared: Prepared,
        alongside: Alongside<Issued>,
    ) -> ServiceResult<Issued> {
        let Prepared { invitation, plan, settings, if_exists } = prepared;
        let minted = self.mint(&invitation, &settings, plan.expiry_minutes, plan.sends()).await?;
        let draft = Arc::new(Draft {
            invitation,
            secret: plan.shown(&minted),
            minted,
            plan,
            if_exists,
            caller: caller.clone(),
            alongside,
        });
        let issued = self.store.write(move |conn| draft.store(conn)).await?;
        self.wake.notify_one();
        Ok(issued)
    }

    fn new_invitation(
        &self,
        caller: &Caller,
        command: &Issue,
        (plan, settings): (&Plan, &Settings),
        person: Person,
    ) -> Invitation {
        let now = self.clock.now();
        Invitation {
            id: crate::entropy::invitation_id(now),
            // The account's own, should it have one already.
            account: crate::entropy::account_id(now),
            tenant: caller.tenant.clone(),
            realm: command.user.realm.clone(),
            username: command.user.username.clone(),
            person,
            terms: Terms {
                lock_account: command.lock_account.unwrap_or_else(|| settings.lock_for(command.purpose)),
                activation_notification: settings.activation_notification,
                redirect_url: command.redirect_url.clone(),
                resend_cooldown_seconds: settings.resend.cooldown_seconds,
                max_resends: settings.resend.max_per_invitation,
                tolerance_minutes: settings.resend.tolerance_minutes,
                reminders: settings.reminders.minutes_before_expiry.clone(),
                self_service_request_new: settings.self_service_request_new,
                fallback: settings.fallback,
                handed_over: plan.hands_over(),
                optional: command.optional,
                warnings: warnings(plan.method, plan.expiry_minutes, settings.otp),
            },
            metadata: command.metadata.clone(),
            created_by: caller.actor.name.clone(),
            purpose: command.purpose,
            method: plan.method,
            status: Status::Pending,
            generation: 1,
            resends: 0,
            verifier: None,
            retired_verifiers: Vec::new(),
            grace: None,
            attempts_left: None,
            otp_used_at: None,
            otp_replay: None,
            grant: None,
            grant_expires_at: None,
            accept_fence: 0,
            accept_grant: None,
            accept_lease_until: None,
            send_at: None,
            expires_at: None,
            created_at: now,
            updated_at: now,
            issued_at: now,
            accepted_at: None,
            revoked_at: None,
            revoke_reason: None,
            failure: None,
            fallback: None,
        }
    }
}

/// Everything decided and made before the transaction, so that nothing slow happens in it.
struct Draft {
    invitation: Invitation,
    minted: Minted,
    secret: Option<IssuedSecret>,
    plan: Plan,
    if_exists: IfExists,
    caller: Caller,
    alongside: Alongside<Issued>,
}

impl Draft {
    fn store(&self, conn: &mut Connection) -> ServiceResult<Issued> {
        let mut invitation = self.invitation.clone();
        let account = account_row(conn, &invitation)?;
        invitation.account = account.id;
        let now = conn.now()?;
        make_room(conn, &self.caller.actor, &invitation, self.if_exists, now)?;
        invitation.created_at = now;
        self.plan.date(&mut invitation, now);
        invitation.verifier = Some(self.minted.verifier.clone());
        invitation.attempts_left = self.minted.attempts_left;
        invitation.status = first_status(&invitation, &account, now);
        invitations::insert(conn, &invitation).map_err(StorageError::repeatable)?;
        enqueue_message(conn, &invitation, &self.minted, now)?;
        await_password(conn, &account, &invitation)?;
        want_lock(conn, &invitation, &account, now)?;
        note(conn, &self.caller.actor, now, ("invitation.issued", invitation.method.as_str()), &invitation)?;
        let issued = Issued { snapshot: snapshot(conn, invitation, now)?, secret: self.secret.clone() };
        self.alongside.write(conn, &issued)?;
        Ok(issued)
    }
}

/// The account's row, made if it is new, held until the transaction ends. Always taken before the invitation's.
pub(super) fn account_row(conn: &mut Connection, invitation: &Invitation) -> ServiceResult<Account> {
    let fresh = Account {
        id: invitation.account,
        tenant: invitation.tenant.clone(),
        realm: invitation.realm.clone(),
        username: invitation.username.clone(),
        user_id: invitation.person.id.clone(),
        otp_failures: 0,
        awaits: awaited(invitation),
        lock_reason: None,
        hold: Hold::None,
        directory: DirectorySync::Synced,
        version: 0,
        updated_at: invitation.updated_at,
        check_after: None,
        checks_failed: 0,
    };
    accounts::insert_if_absent(conn, &fresh)?;
    let stored = accounts::find_locked(conn, &invitation.tenant, &invitation.account_key())?;
    Ok(stored.ok_or_else(StorageError::vanished)?)
}

/// What the account waits for because of this invitation.
fn awaited(invitation: &Invitation) -> Option<Purpose> {
    (!invitation.terms.optional).then_some(invitation.purpose)
}

/// The account waits for the password of this invitation, unless that is optional.
pub(super) fn await_password(
    conn: &mut Connection,
    account: &Account,
    invitation: &Invitation,
) -> Result<(), StorageError> {
    awaited(invitation).map_or(Ok(()), |purpose| accounts::await_password(conn, account, Some(purpose)))
}

/// Where a generation starts: over at once, waiting for its lock, or ready to be redeemed.
pub(super) fn first_status(invitation: &Invitation, account: &Account, now: Timestamp) -> Status {
    if has_expired(invitation.expires_at, now) {
        Status::Expired
    } else if lock_needed(invitation, account) == LockNeeded::Nothing {
        Status::Pending
    } else {
        Status::Provisioning
    }
}

fn lock_needed(invitation: &Invitation, account: &Account) -> LockNeeded {
    if !invitation.terms.lock_account {
        return LockNeeded::Nothing;
    }
    account.lock_needed(LockReason::for_purpose(invitation.purpose))
}

/// Asks for the account's lock, if this invitation wants one that nobody has asked for yet.
pub(super) fn want_lock(
    conn: &mut Connection,
    invitation: &Invitation,
    account: &Account,
    now: Timestamp,
) -> Result<(), StorageError> {
    if lock_needed(invitation, account) != LockNeeded::Request {
        return Ok(());
    }
    accounts::want_lock(conn, account, Some(LockReason::for_purpose(invitation.purpose)), now)?;
    enqueue_sync(conn, account, Some(invitation.id), now)
}

/// The URL as it was understood when it was checked, so that no other reader can understand it otherwise.
pub(super) fn allowed_redirect(settings: &Settings, redirect_url: Option<&str>) -> Result<Option<String>, Refusal> {
    match redirect_url.map(url::Url::parse) {
        None => Ok(None),
        Some(Ok(url)) if settings.links.allows_redirect(&url) => Ok(Some(url.into())),
        Some(_) => Err(Refusal::RedirectNotAllowed),
    }
}
