//! Sending again to somebody who is known by name: what the account has is resent; one that still waits for its first password and has
//! nothing live is invited anew.
//!
//! Which one is meant is decided here; the rules of resending and of issuing are those of `resend` and `issue`.

use std::time::Duration;

use super::error::lookup_refusal;
use super::issue::{IfExists, Issue, Issued, allowed_redirect};
use super::person::NamedUser;
use super::resend::Resend;
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::directory::{DirectoryError, DirectoryUser};
use crate::domain::account::{Access, Account};
use crate::domain::ids::{AccountKey, Realm, UserStore, Username};
use crate::domain::invitation::{Invitation, Method, Purpose, Status};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::storage::{accounts, invitations};

/// What is sent again, and to whom.
pub struct Reinvite {
    pub realm: Realm,
    pub username: Username,
    /// What the account's invitation has to be for, and how its secret went, to be the one meant.
    pub purpose: Purpose,
    pub method: Method,
    /// Whether an account that still waits for its first password is invited anew when it has nothing to resend.
    pub anew: bool,
}

impl Reinvite {
    /// The manual of WSO2 Identity Server resends an invitation as if it were a reset by link, which its code refuses. Here that is the
    /// invitation of whoever was invited, by link.
    fn is_as_in_the_manual(&self) -> bool {
        (self.purpose, self.method) == (Purpose::PasswordReset, Method::EmailLink)
    }

    fn is_meant(&self, invitation: &Invitation) -> bool {
        (invitation.purpose, invitation.method) == (self.purpose, self.method)
            || invitation.purpose == Purpose::Onboarding && self.is_as_in_the_manual()
    }

    fn invites_anew(&self, awaited: Option<Purpose>) -> bool {
        let invites = self.purpose == Purpose::Onboarding && self.anew || self.is_as_in_the_manual();
        invites && awaited == Some(Purpose::Onboarding)
    }
}

/// What there is of an account.
pub(super) struct Standing {
    pub(super) account: Option<Account>,
    /// The live one, else the newest.
    pub(super) invitation: Option<Invitation>,
    pub(super) at: Timestamp,
}

impl Standing {
    fn status(&self) -> Option<Status> {
        self.invitation.as_ref().map(|invitation| invitation.status_at(self.at))
    }

    /// The invitation that is not over.
    pub(super) fn live(&self) -> Option<&Invitation> {
        let is_live = matches!(self.status(), Some(Status::Provisioning | Status::Pending | Status::Accepting));
        self.invitation.as_ref().filter(|_| is_live)
    }

    /// What a password is awaited for.
    pub(super) fn awaited(&self) -> Option<Purpose> {
        self.account.as_ref().and_then(|account| account.awaits)
    }

    /// Whether we hold or want the lock that setting the password lifts.
    fn waits_locked(&self) -> bool {
        self.account.as_ref().is_some_and(Account::waits_locked)
    }

    /// Whether the account's lock becomes, or stays, the one that setting the password lifts: ours, or one that the directory says was
    /// made for a password's sake. One of ours that an administrator had lifted does not come back.
    pub(super) fn takes_lock(&self, access: Access) -> bool {
        self.waits_locked() || access == Access::LockedForPassword && !self.has_hold()
    }

    fn has_hold(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.hold.is_ours())
    }

    /// The invitation that would be resent, but has run out or failed with all of its resends used up: another one takes its place
    /// when the account waits for its password still.
    fn used_up(&self, command: &Reinvite) -> Option<&Invitation> {
        let is_used_up = |invitation: &&Invitation| {
            matches!(self.status(), Some(Status::Expired | Status::Failed))
                && invitation.is_resent_out()
                && self.awaited() == Some(invitation.purpose)
        };
        self.resendable(command).filter(is_used_up)
    }

    /// The invitation that is resent, if there is one that was meant: live, run out or failed.
    fn resendable(&self, command: &Reinvite) -> Option<&Invitation> {
        let is_over = matches!(self.status(), Some(Status::Accepted | Status::Revoked));
        self.invitation.as_ref().filter(|invitation| !is_over && command.is_meant(invitation))
    }
}

impl Service {
    /// Resends the account's invitation if it is of this purpose and method, or else invites the account anew if that is wanted and it
    /// still waits for its first password. Writes what belongs to it `alongside`. The account's lock stays as it is.
    ///
    /// # Errors
    /// [`Refusal::NothingToResend`], also when the directory knows no such user; what resending and issuing refuse; or a failure.
    pub async fn reinvite(
        &self,
        caller: &Caller,
        command: Reinvite,
        alongside: Alongside<Issued>,
    ) -> ServiceResult<Issued> {
        let standing = self.standing(caller, &command.realm, &command.username).await?;
        let sent = if let Some(used_up) = standing.used_up(&command) {
            self.renew(caller, (&command, &standing), used_up, alongside).await
        } else if let Some(seen) = standing.resendable(&command) {
            let change = Resend { method: Some(command.method), keeps_lock: true, ..Resend::default() };
            self.resend_seen(caller, seen.clone(), change, alongside).await
        } else if standing.live().is_none() && command.invites_anew(standing.awaited()) {
            let takes_lock = self.takes_lock(caller, &command, &standing).await?;
            self.issue(caller, anew(&command, &standing, takes_lock), alongside).await
        } else if let Some(found) = self.invited_elsewhere(caller, &command, &standing).await? {
            self.issue(caller, taken_over(&command, &standing, found), alongside).await
        } else {
            Err(Refusal::NothingToResend.into())
        };
        match sent {
            Err(ServiceError::Refused(Refusal::UserNotFound)) => Err(Refusal::NothingToResend.into()),
            // Somebody else has just done it: from here on that is "too soon".
            Err(ServiceError::Refused(Refusal::InvitationExists(_))) => {
                let settings = self.settings(&caller.tenant).await?;
                Err(Refusal::ResendTooSoon(Duration::from_secs(settings.resend.cooldown_seconds.into())).into())
            }
            sent => sent,
        }
    }

    /// Whom we never had to do with, and of whom the directory itself says that a first password is awaited: somebody who was invited
    /// before this service took over.
    async fn invited_elsewhere(
        &self,
        caller: &Caller,
        command: &Reinvite,
        standing: &Standing,
    ) -> ServiceResult<Option<DirectoryUser>> {
        if standing.account.is_some() || !command.invites_anew(Some(Purpose::Onboarding)) {
            return Ok(None);
        }
        let store = UserStore { tenant: &caller.tenant, realm: &command.realm };
        match self.directory.find_user(store, &command.username).await {
            Ok(found) => Ok(Some(found).filter(DirectoryUser::awaits_first_password)),
            Err(DirectoryError::NotFound | DirectoryError::NoSuchStore) => Ok(None),
            Err(error) => Err(lookup_refusal(&error).into()),
        }
    }

    /// Another invitation in the place of one whose resends are used up, no sooner than it could be resent.
    async fn renew(
        &self,
        caller: &Caller,
        (command, standing): (&Reinvite, &Standing),
        used_up: &Invitation,
        alongside: Alongside<Issued>,
    ) -> ServiceResult<Issued> {
        let wait = used_up.resendable_from(standing.at).since(standing.at);
        if !wait.is_zero() {
            return Err(Refusal::ResendTooSoon(wait).into());
        }
        let settings = self.settings(&caller.tenant).await?;
        let takes_lock = self.takes_lock(caller, command, standing).await?;
        let (redirect_url, metadata) = kept(Some(used_up), &settings);
        let again = anew(command, standing, takes_lock);
        self.issue(caller, Issue { purpose: used_up.purpose, redirect_url, metadata, ..again }, alongside).await
    }

    /// As [`Standing::takes_lock`]; the directory is asked only where its word counts.
    async fn takes_lock(&self, caller: &Caller, command: &Reinvite, standing: &Standing) -> ServiceResult<bool> {
        if standing.has_hold() || standing.waits_locked() {
            return Ok(standing.waits_locked());
        }
        let store = UserStore { tenant: &caller.tenant, realm: &command.realm };
        let found = self.directory.find_user(store, &command.username).await.map_err(|error| lookup_refusal(&error));
        match found {
            Ok(found) => Ok(standing.takes_lock(found.access)),
            Err(Refusal::UserNotFound) => Err(Refusal::NothingToResend.into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// What there is of the account of this name.
    pub(super) async fn standing(
        &self,
        caller: &Caller,
        realm: &Realm,
        username: &Username,
    ) -> ServiceResult<Standing> {
        let (tenant, key) = (caller.tenant.clone(), AccountKey::new(realm, username));
        self.store
            .read(move |conn| {
                let at = conn.now()?;
                let account = accounts::find(conn, &tenant, &key)?;
                let invitation = match invitations::find_live(conn, &tenant, &key)? {
                    Some(live) => Some(live),
                    None => invitations::find_newest(conn, &tenant, &key)?,
                };
                Ok(Standing { account, invitation, at })
            })
            .await
    }
}

/// What another invitation keeps of the one whose place it takes: where its person goes on to, if that is still allowed, and what the
/// caller had noted.
pub(super) fn kept(replaced: Option<&Invitation>, settings: &Settings) -> (Option<String>, String) {
    let redirect_url = replaced.and_then(|replaced| replaced.terms.redirect_url.as_deref());
    (
        allowed_redirect(settings, redirect_url).unwrap_or_default(),
        replaced.map_or_else(|| "{}".to_owned(), |replaced| replaced.metadata.clone()),
    )
}

/// The new invitation of an account that has none: the lock left as it is.
fn anew(command: &Reinvite, standing: &Standing, takes_lock: bool) -> Issue {
    let account = standing.account.as_ref();
    let username = account.map_or_else(|| command.username.clone(), |account| account.username.clone());
    let realm = account.map_or_else(|| command.realm.clone(), |account| account.realm.clone());
    let id = account.and_then(|account| account.user_id.clone());
    // Addresses are asked of the directory.
    let user = NamedUser { username, realm, id, email: None, phone: None, display_name: None, locale: None };
    invitation(command, user, takes_lock)
}

/// The first invitation here of somebody who was invited elsewhere; the lock, if that was made for it, becomes ours.
fn taken_over(command: &Reinvite, standing: &Standing, found: DirectoryUser) -> Issue {
    let takes_lock = standing.takes_lock(found.access);
    invitation(command, NamedUser::found(found, command.realm.clone()), takes_lock)
}

/// As the settings have it.
fn invitation(command: &Reinvite, user: NamedUser, lock_account: bool) -> Issue {
    Issue {
        user,
        purpose: Purpose::Onboarding,
        method: Some(command.method),
        expires_in_minutes: None,
        lock_account: Some(lock_account),
        delivery: None,
        send_at: None,
        redirect_url: None,
        metadata: "{}".to_owned(),
        optional: false,
        if_exists: IfExists::Fail,
    }
}
