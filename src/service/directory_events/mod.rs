//! What the platform reports of users in its directory: one that was created to be invited, or is to set a new password, is invited; a
//! password that was set elsewhere, or a deletion, ends what waits for the person.
//!
//! Reports may come twice, late and out of order: what is repeated changes nothing, and what is about another user of the same name,
//! told apart by the directory's immutable id, is let be.

mod ended;

use serde_json::Value;

use super::issue::{IfExists, Issue, Issued};
use super::person::NamedUser;
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::directory;
pub use crate::domain::directory_event::{Happening, Outcome};
use crate::domain::ids::{AccountId, AccountKey, InvitationId, Realm, Username};
use crate::domain::invitation::{Invitation, Purpose, Status};
use crate::storage::invitations;

/// A report.
pub struct DirectoryEvent {
    pub happening: Happening,
    /// Whether the user is to set a password: `askPassword` of one created, `forcePasswordReset` of one updated.
    pub asks: bool,
    pub user: ReportedUser,
}

/// The user that it is about.
#[derive(Clone)]
pub struct ReportedUser {
    pub realm: Realm,
    pub username: Username,
    /// The directory's immutable id.
    pub id: String,
    /// The SCIM user resource (RFC 7643 §4.1), without a password.
    pub resource: Value,
}

impl ReportedUser {
    fn key(&self) -> AccountKey {
        AccountKey::new(&self.realm, &self.username)
    }

    /// The person with what the resource says of them.
    fn named(self) -> Result<NamedUser, Refusal> {
        let described = directory::described(&self.resource).ok_or_else(|| Refusal::InvalidField {
            pointer: "/user/id",
            code: "invalid_value",
            detail: "can't be the id of a user in a directory".to_owned(),
        })?;
        // The name in the resource may have that of its user store before it.
        Ok(NamedUser { username: self.username, ..NamedUser::found(described, self.realm) })
    }
}

/// What came of a report.
pub enum Reported {
    Invited(Box<Issued>),
    Noted(Noted),
}

/// What came of a report that made no invitation.
#[derive(Debug, Clone, Copy)]
pub struct Noted {
    pub outcome: Outcome,
    /// The invitation that ended with it, or is there already.
    pub invitation: Option<InvitationId>,
    pub account: Option<AccountId>,
}

impl Noted {
    const fn nothing(outcome: Outcome) -> Self {
        Self { outcome, invitation: None, account: None }
    }
}

impl Service {
    /// Does what the report asks for, and writes what belongs to it `alongside`.
    ///
    /// # Errors
    /// A [`Refusal`] as of issuing an invitation, [`Refusal::AcceptInProgress`] while a password is being set, or a failure.
    pub async fn report(
        &self,
        caller: &Caller,
        event: DirectoryEvent,
        alongside: Alongside<Reported>,
    ) -> ServiceResult<Reported> {
        let DirectoryEvent { happening, asks, user } = event;
        match (happening, asks) {
            (Happening::Created | Happening::Updated, false) => {
                self.note(Noted::nothing(Outcome::Ignored), alongside).await
            }
            (Happening::Created, true) => self.created(caller, user, alongside).await,
            (Happening::Updated, true) => self.updated(caller, user, alongside).await,
            (Happening::PasswordSet, _) => self.end_for(caller, user, alongside, ended::by_password).await,
            (Happening::Deleted, _) => self.end_for(caller, user, alongside, ended::by_deletion).await,
        }
    }

    /// Invites the user, once: a directory creates nobody twice.
    async fn created(
        &self,
        caller: &Caller,
        user: ReportedUser,
        alongside: Alongside<Reported>,
    ) -> ServiceResult<Reported> {
        if let Some(invited) = self.invited_before(caller, &user).await? {
            return self.note(invited, alongside).await;
        }
        self.forget_namesake(caller, &user).await?;
        self.invite(caller, issue(user, Purpose::Onboarding, IfExists::Fail)?, alongside).await
    }

    /// Asks the user for a new password, in place of whatever was asked for before; a repeat that comes while the message of the first was
    /// sent a moment ago changes nothing.
    async fn updated(
        &self,
        caller: &Caller,
        user: ReportedUser,
        alongside: Alongside<Reported>,
    ) -> ServiceResult<Reported> {
        let (tenant, key) = (caller.tenant.clone(), user.key());
        let live = self.store.read(move |conn| invitations::find_live(conn, &tenant, &key)).await?;
        let now = self.clock.now();
        let is_repeat = |live: &Invitation| {
            live.purpose == Purpose::PasswordReset
                && live.person.id.as_ref() == Some(&user.id)
                && live.status_at(now) != Status::Expired
                && live.resendable_from(now) > now
        };
        let if_exists = match live {
            Some(live) if is_repeat(&live) => return self.note(unchanged(&live), alongside).await,
            Some(_) => IfExists::Replace,
            None => IfExists::Fail,
        };
        self.invite(caller, issue(user, Purpose::PasswordReset, if_exists)?, alongside).await
    }

    /// What is there of this very user already.
    async fn invited_before(&self, caller: &Caller, user: &ReportedUser) -> ServiceResult<Option<Noted>> {
        let (tenant, key, id) = (caller.tenant.clone(), user.key(), user.id.clone());
        let newest = self.store.read(move |conn| invitations::find_newest(conn, &tenant, &key)).await?;
        // One that was deleted included: ids are not given twice, so this report is a late one.
        let counts = |found: &Invitation| found.person.id.as_ref() == Some(&id) && found.status != Status::Failed;
        Ok(newest.filter(counts).as_ref().map(unchanged))
    }

    async fn invite(&self, caller: &Caller, command: Issue, alongside: Alongside<Reported>) -> ServiceResult<Reported> {
        let report = alongside.clone();
        let with_report = Alongside::new(move |conn, issued: &Issued| {
            report.write(conn, &Reported::Invited(Box::new(issued.clone())))
        });
        match self.issue(caller, command, with_report).await {
            Ok(issued) => Ok(Reported::Invited(Box::new(issued))),
            Err(ServiceError::Refused(Refusal::InvitationExists(id))) => {
                // The same report came twice at once, or somebody else invited the user meanwhile.
                let noted = Noted { invitation: Some(id), ..Noted::nothing(Outcome::Unchanged) };
                self.note(noted, alongside).await
            }
            Err(error) => Err(error),
        }
    }

    /// Answers without any effect of its own.
    async fn note(&self, noted: Noted, alongside: Alongside<Reported>) -> ServiceResult<Reported> {
        self.store.write(move |conn| alongside.write(conn, &Reported::Noted(noted))).await?;
        Ok(Reported::Noted(noted))
    }
}

/// Nothing was left to do, for there is this invitation.
fn unchanged(found: &Invitation) -> Noted {
    Noted { outcome: Outcome::Unchanged, invitation: Some(found.id), account: Some(found.account) }
}

fn issue(user: ReportedUser, purpose: Purpose, if_exists: IfExists) -> Result<Issue, Refusal> {
    Ok(Issue {
        user: user.named()?,
        purpose,
        method: None,
        expires_in_minutes: None,
        lock_account: None,
        delivery: None,
        send_at: None,
        redirect_url: None,
        metadata: "{}".to_owned(),
        optional: false,
        if_exists,
    })
}
