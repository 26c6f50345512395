//! A link for an administrator to hand over, whatever became of the messages before: one that takes the place of all other secrets of
//! the account, also of one that waits for its first password and is locked for that.
//!
//! Nothing is sent, so neither cool-down nor cap of the resends applies; what is replaced is replaced as `issue` does it.

use super::error::lookup_refusal;
use super::issue::{DeliveryMode, IfExists, Issue, Issued};
use super::person::NamedUser;
use super::reinvite::{Standing, kept};
use super::{Alongside, Caller, Refusal, Service, ServiceResult};
use crate::directory::{DirectoryError, DirectoryUser};
use crate::domain::account::{Access, LockReason};
use crate::domain::ids::{Realm, UserStore, Username};
use crate::domain::invitation::{Method, Purpose, Status};
use crate::domain::settings::Settings;

impl Service {
    /// A new link for the account, in the answer only; its live invitation, if there is one, is replaced. It lives as long as an
    /// invitation of a new person does. Writes what belongs to it `alongside`.
    ///
    /// # Errors
    /// [`Refusal::UserNotFound`], [`Refusal::UserStoreNotFound`]; [`Refusal::AccountLocked`] and [`Refusal::AccountDisabled`] when that is somebody else's doing, so
    /// that the link would lead nowhere; what issuing refuses; or a failure.
    pub async fn offline_link(
        &self,
        caller: &Caller,
        (realm, username): (Realm, Username),
        alongside: Alongside<Issued>,
    ) -> ServiceResult<Issued> {
        let standing = self.standing(caller, &realm, &username).await?;
        // As the directory spells it, where that is known.
        let realm = standing.account.as_ref().map_or(realm, |account| account.realm.clone());
        let store = UserStore { tenant: &caller.tenant, realm: &realm };
        let found = self.directory.find_user(store, &username).await.map_err(|error| match error {
            DirectoryError::NoSuchStore => Refusal::UserStoreNotFound,
            error => lookup_refusal(&error),
        })?;
        check_access(&standing, &found)?;
        let settings = self.settings(&caller.tenant).await?;
        self.issue(caller, link(&standing, realm, found, &settings), alongside).await
    }
}

/// Whether setting a password would let the person in.
fn check_access(standing: &Standing, found: &DirectoryUser) -> Result<(), Refusal> {
    let account = standing.account.as_ref();
    if account.is_some_and(|account| account.lock_reason == Some(LockReason::AdminInitiated)) {
        return Err(Refusal::AccountLocked);
    }
    let is_ours = account.is_some_and(|account| account.hold.is_ours());
    match found.access {
        Access::Usable => Ok(()),
        Access::LockedForPassword => Ok(()),
        Access::Locked if is_ours => Ok(()),
        _ if found.locked_reason.is_some() => Err(Refusal::AccountLocked),
        Access::Locked | Access::LockedByAdministrator | Access::Barred => Err(Refusal::AccountDisabled),
    }
}

/// What the account's password is awaited for; else the first one, unless it has set one here before.
fn purpose(standing: &Standing) -> Purpose {
    let has_password = standing.invitation.as_ref().is_some_and(|newest| newest.status == Status::Accepted);
    let assumed = if has_password { Purpose::PasswordReset } else { Purpose::Onboarding };
    standing.awaited().unwrap_or(assumed)
}

/// The invitation with that link; of the one that it replaces it keeps what the caller had said.
fn link(standing: &Standing, realm: Realm, found: DirectoryUser, settings: &Settings) -> Issue {
    let replaced = standing.live();
    let person = replaced.map(|live| live.person.clone()).filter(|person| person.id.as_ref() == Some(&found.id));
    let person = person.unwrap_or_default();
    let (redirect_url, metadata) = kept(replaced, settings);
    // Who can sign in already, and is not known to wait for a password, may do without this one.
    let optional = standing.awaited().is_none() && found.is_active() && !found.awaits_first_password();
    let lock_account = standing.takes_lock(found.access);
    let known = DirectoryUser {
        email: person.email.or(found.email),
        phone: person.phone.or(found.phone),
        display_name: person.display_name.or(found.display_name),
        locale: person.locale.or(found.locale),
        ..found
    };
    Issue {
        user: NamedUser::found(known, realm),
        purpose: purpose(standing),
        method: Some(Method::EmailLink),
        expires_in_minutes: Some(settings.expiry_minutes),
        lock_account: Some(lock_account),
        delivery: Some(DeliveryMode::Return),
        send_at: None,
        redirect_url,
        metadata,
        optional,
        if_exists: IfExists::Replace,
    }
}
