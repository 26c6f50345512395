//! Why a person gets no mail or can't sign in: gathers what we hold, then looks into the directory with no connection held.

use std::time::Duration;

use super::lookup::snapshot;
use super::{Caller, Refusal, Service, ServiceResult};
use crate::directory::DirectoryError;
use crate::domain::account::Account;
use crate::domain::diagnosis::{Delivery, Diagnosis, Facts, Look, Seen, Traces, diagnose};
use crate::domain::ids::{AccountKey, InvitationId, MessageId, Realm, UserStore, Username};
use crate::domain::invitation::{Invitation, Purpose};
use crate::domain::time::Timestamp;
use crate::storage::{Connection, accounts, diagnosis, invitations};

/// How long the directory may take; somebody is waiting on the phone.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);

/// The diagnosis of an account at one moment.
pub struct Diagnosed {
    pub at: Timestamp,
    /// As we have it, else as the call named it.
    pub realm: Realm,
    pub username: Username,
    /// What the diagnosis is about: the live invitation, else the newest.
    pub invitation: Option<InvitationId>,
    /// The message with its secret.
    pub message: Option<MessageId>,
    pub diagnosis: Diagnosis,
}

/// What we hold of a person.
struct Held {
    now: Timestamp,
    account: Option<Account>,
    invitation: Option<Invitation>,
    next_resend_at: Option<Timestamp>,
    message: Option<Delivery>,
    sync: Option<Delivery>,
    traces: Traces,
}

impl Service {
    /// Findings and the one next action for the account. A directory that does not answer is a finding.
    ///
    /// # Errors
    /// [`Refusal::AccountNotFound`] when neither we nor the directory know the person, or a failure.
    pub async fn diagnose(&self, caller: &Caller, realm: &Realm, username: &Username) -> ServiceResult<Diagnosed> {
        let settings = self.settings(&caller.tenant).await?;
        let (tenant, key) = (caller.tenant.clone(), AccountKey::new(realm, username));
        let held = self
            .store
            .read(move |conn| {
                let account = accounts::find(conn, &tenant, &key)?;
                let live = invitations::find_live(conn, &tenant, &key)?;
                let invitation = match live {
                    None => invitations::find_newest(conn, &tenant, &key)?,
                    live => live,
                };
                gather(conn, account, invitation)
            })
            .await?;
        let look = self.look(&held, UserStore { tenant: &caller.tenant, realm }, username).await;
        let method = held
            .invitation
            .as_ref()
            .map_or_else(|| settings.method_for(Purpose::Onboarding), |invitation| invitation.method);
        let facts = Facts {
            now: held.now,
            enabled: settings.enabled,
            has_gateway: self.channels.has(method.channel()),
            channel: method.channel(),
            account: held.account.as_ref(),
            invitation: held.invitation.as_ref(),
            next_resend_at: held.next_resend_at,
            message: held.message.as_ref(),
            sync: held.sync.as_ref(),
            traces: &held.traces,
            look: &look,
        };
        let diagnosis = diagnose(&facts).ok_or(Refusal::AccountNotFound)?;
        let known = held.account.as_ref().map(|account| (account.realm.clone(), account.username.clone()));
        let (realm, username) = known.unwrap_or_else(|| (realm.clone(), username.clone()));
        Ok(Diagnosed {
            at: held.now,
            realm,
            username,
            invitation: held.invitation.as_ref().map(|invitation| invitation.id),
            message: held.message.as_ref().map(|message| message.id),
            diagnosis,
        })
    }

    /// A look into the directory.
    async fn look(&self, held: &Held, store: UserStore<'_>, username: &Username) -> Look {
        let of_account = held.account.as_ref().and_then(|account| account.user_id.as_deref());
        let of_invitation = held.invitation.as_ref().and_then(|invitation| invitation.person.id.as_deref());
        let asked = self.directory.look_up(store, of_invitation.or(of_account), username);
        match tokio::time::timeout(LOOK_DEADLINE, asked).await {
            Ok(Ok(user)) => {
                Look::Found(Seen { username: user.username, access: user.access, email: user.email, phone: user.phone })
            }
            Ok(Err(DirectoryError::NotFound | DirectoryError::NoSuchStore)) => Look::NotFound,
            Ok(Err(DirectoryError::Ambiguous)) => Look::Ambiguous,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "the directory could not be asked for a diagnosis");
                Look::Unreachable
            }
            Err(_) => Look::Unreachable,
        }
    }
}

fn gather(conn: &mut Connection, account: Option<Account>, invitation: Option<Invitation>) -> ServiceResult<Held> {
    let now = conn.now()?;
    let sync = match &account {
        Some(account) => diagnosis::newest_sync(conn, &account.tenant, account.id)?,
        None => None,
    };
    let Some(invitation) = invitation else {
        let traces = Traces::default();
        return Ok(Held { now, account, invitation: None, next_resend_at: None, message: None, sync, traces });
    };
    let message = diagnosis::message(conn, &invitation)?;
    let traces = diagnosis::traces(conn, &invitation)?;
    let snapshot = snapshot(conn, invitation, now)?;
    let next_resend_at = snapshot.next_resend_at();
    Ok(Held { now, account, invitation: Some(snapshot.invitation), next_resend_at, message, sync, traces })
}
