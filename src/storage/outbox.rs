//! The outbox: what must happen outside, claimed by lease and settled by fence, so that any number of workers share it.
//!
//! A message that carries a secret is claimable only while its invitation is pending, of the same generation, and not
//! expired. A payload is wiped in the same statement that makes it pointless.

use std::time::Duration;

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::{Backend, Connection, inv_now, on_backend};
use super::error::{StorageError, readable};
use super::schema::{invitation as i, outbox as o};
use super::transitions::unexpired;
use crate::domain::ids::{AccountId, InvitationId, MessageId, TenantId};
use crate::domain::invitation::{Channel, Status};
use crate::domain::message::{DeliveryState, Kind};
use crate::domain::time::Timestamp;

/// How long a claimed row belongs to its worker; longer than any deadline of a call.
pub const LEASE: Duration = Duration::from_mins(1);

/// Of what single calls want; 0 is also the column's default.
const PRIORITY: i64 = 0;
/// Of what jobs want: only when nothing of a single call is due.
const PRIORITY_OF_JOBS: i64 = 1;
/// Of events, which have a claim of their own.
pub(super) const PRIORITY_OF_EVENTS: i64 = 2;

const WITHOUT_SECRET: [&str; 4] = [
    Kind::ActivationEmail.as_str(),
    Kind::ActivationSms.as_str(),
    Kind::AccountSync.as_str(),
    Kind::WebhookEvent.as_str(),
];

pub(super) const REMINDERS: [&str; 3] =
    [Kind::ReminderEmailLink.as_str(), Kind::ReminderEmailOtp.as_str(), Kind::ReminderSmsOtp.as_str()];

/// Rows that may still be sent, or are being sent right now.
pub(super) const UNSETTLED: [&str; 4] = [
    DeliveryState::Held.as_str(),
    DeliveryState::Scheduled.as_str(),
    DeliveryState::Ready.as_str(),
    DeliveryState::Sending.as_str(),
];

/// A row to be added.
pub struct NewDelivery<'a> {
    pub id: MessageId,
    pub tenant: &'a TenantId,
    pub invitation: Option<InvitationId>,
    pub generation: i64,
    pub account: AccountId,
    pub kind: Kind,
    pub channel: Channel,
    pub state: DeliveryState,
    pub payload: Option<Vec<u8>>,
    /// It is pointless after this.
    pub expires_at: Option<Timestamp>,
    /// Of the message of an invitation's current generation: when the invitation was created. Lists by its state go by that.
    pub listed_at: Option<Timestamp>,
}

/// A row that this worker holds until the lease ends.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub id: MessageId,
    pub tenant: TenantId,
    pub invitation: Option<InvitationId>,
    pub generation: i64,
    pub account: Option<AccountId>,
    pub kind: Kind,
    pub payload: Option<Vec<u8>>,
    /// Counts this try.
    pub attempts: i64,
    pub fence: i64,
    pub expires_at: Option<Timestamp>,
}

/// How a claimed row is settled.
pub enum Settlement<'a> {
    Sent {
        provider_id: Option<&'a str>,
    },
    /// Given up, with the reason's code.
    Failed {
        code: &'a str,
    },
    /// It was pointless, for the reason's code.
    Superseded {
        code: &'a str,
    },
    /// Once more at the time given.
    Retry {
        at: Timestamp,
        code: &'a str,
        /// False when the try said nothing of the message.
        counts: bool,
    },
}

/// Adds a row that is due at once.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn insert(conn: &mut Connection, new: &NewDelivery<'_>, now: Timestamp) -> Result<(), StorageError> {
    insert_due(conn, new, now, now)
}

/// Adds a row that is due at a time of its own.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn insert_due(
    conn: &mut Connection,
    new: &NewDelivery<'_>,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<(), StorageError> {
    let values = (
        (o::id.eq(new.id.to_string()), o::tenant.eq(new.tenant.as_str())),
        (o::invitation_id.eq(new.invitation.map(|id| id.to_string())), o::generation.eq(new.generation)),
        o::account_id.eq(new.account.to_string()),
        (o::kind.eq(new.kind.as_str()), o::channel.eq(new.channel.as_str()), o::state.eq(new.state.as_str())),
        (o::payload.eq(&new.payload), o::attempts.eq(0), o::fence.eq(0), o::next_attempt_at.eq(due_at.millis())),
        (
            o::expires_at.eq(new.expires_at.map(Timestamp::millis)),
            o::created_at.eq(now.millis()),
            o::updated_at.eq(now.millis()),
            o::listed_at.eq(new.listed_at.map(Timestamp::millis)),
        ),
    );
    on_backend!(conn, |c| diesel::insert_into(o::table).values(values).execute(c))?;
    Ok(())
}

type ClaimedRow = (String, String, Option<String>, i64, Option<String>, String, Option<Vec<u8>>, i64, i64, Option<i64>);

/// Messages that answer a condition and are not pointless, oldest first: when each was due, and its id. Those that somebody else is claiming are
/// left out.
macro_rules! claimable {
    ($conn:expr, $condition:expr, $limit:expr) => {{
        let invitation_waits = exists(
            i::table
                .filter(i::id.nullable().eq(o::invitation_id).and(i::generation.eq(o::generation)))
                .filter(i::status.eq(Status::Pending.as_str()))
                .filter(unexpired()),
        );
        let query = o::table
            .filter(o::endpoint_id.is_null())
            .filter($condition)
            .filter(o::kind.eq_any(WITHOUT_SECRET).or(invitation_waits))
            .order((o::next_attempt_at, o::id))
            .limit($limit)
            .select((o::next_attempt_at, o::id));
        match &mut $conn.backend {
            Backend::Postgres(pg) => query.for_update().skip_locked().load::<(i64, String)>(pg)?,
            Backend::Sqlite(sqlite) => query.load::<(i64, String)>(sqlite)?,
        }
    }};
}

/// What is due: rows whose worker died, then those of single calls, then those of jobs. One query for each index, so that each reads as many
/// rows as it returns, however many wait behind.
fn due(conn: &mut Connection, limit: i64, now: Timestamp) -> Result<Vec<String>, StorageError> {
    let lapsed = o::state.eq(DeliveryState::Sending.as_str()).and(o::lease_until.le(now.millis()).assume_not_null());
    let mut due: Vec<String> = claimable!(conn, lapsed, limit).into_iter().map(|(_, id)| id).collect();
    for priority in [PRIORITY, PRIORITY_OF_JOBS] {
        let left = usize::try_from(limit).unwrap_or_default().saturating_sub(due.len());
        if left == 0 {
            break;
        }
        let mut found = Vec::new();
        for state in [DeliveryState::Ready, DeliveryState::Scheduled] {
            let ready =
                o::state.eq(state.as_str()).and(o::priority.eq(priority)).and(o::next_attempt_at.le(now.millis()));
            found.extend(claimable!(conn, ready, limit));
        }
        found.sort();
        due.extend(found.into_iter().take(left).map(|(_, id)| id));
    }
    Ok(due)
}

/// Claims up to `limit` due rows for [`LEASE`]; rows whose worker died come back when their lease has lapsed.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn claim(conn: &mut Connection, limit: i64) -> Result<Vec<Claimed>, StorageError> {
    let now = conn.now()?;
    let ids = due(conn, limit, now)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let target = o::table.filter(o::id.eq_any(ids));
    let rows: Vec<ClaimedRow> = on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Sending.as_str()),
            o::attempts.eq(o::attempts + 1),
            o::fence.eq(o::fence + 1),
            o::lease_until.eq(now.after(LEASE).millis()),
            o::updated_at.eq(now.millis()),
        ))
        .returning((
            o::id,
            o::tenant,
            o::invitation_id,
            o::generation,
            o::account_id,
            o::kind,
            o::payload,
            o::attempts,
            o::fence,
            o::expires_at,
        ))
        .get_results(c))?;
    rows.into_iter().map(read_claimed).collect()
}

fn read_claimed(row: ClaimedRow) -> Result<Claimed, StorageError> {
    let (id, tenant, invitation, generation, account, kind, payload, attempts, fence, expires_at) = row;
    Ok(Claimed {
        id: readable(MessageId::parse(&id), "message id")?,
        tenant: readable(TenantId::parse(&tenant).ok(), "tenant")?,
        invitation: invitation.and_then(|id| InvitationId::parse(&id)),
        generation,
        account: account.and_then(|id| AccountId::parse(&id)),
        kind: readable(Kind::parse(&kind), "message kind")?,
        payload,
        attempts,
        fence,
        expires_at: expires_at.map(Timestamp::from_millis),
    })
}

/// Settles a claimed row; false when the lease was lost to somebody else, or the row was superseded meanwhile.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn settle(
    conn: &mut Connection,
    claimed: &Claimed,
    settlement: &Settlement<'_>,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let target = o::table
        .filter(o::id.eq(claimed.id.to_string()).and(o::fence.eq(claimed.fence)))
        .filter(o::state.eq(DeliveryState::Sending.as_str()));
    let (lease, updated) = (o::lease_until.eq(None::<i64>), o::updated_at.eq(now.millis()));
    let wiped = o::payload.eq(None::<Vec<u8>>);
    let rows = match settlement {
        Settlement::Sent { provider_id } => on_backend!(conn, |c| diesel::update(target)
            .set((
                o::state.eq(DeliveryState::Sent.as_str()),
                o::provider_id.eq(*provider_id),
                o::last_error.eq(None::<String>),
                wiped,
                lease,
                updated
            ))
            .execute(c)),
        Settlement::Failed { code } => on_backend!(conn, |c| diesel::update(target)
            .set((o::state.eq(DeliveryState::Failed.as_str()), o::last_error.eq(*code), wiped, lease, updated))
            .execute(c)),
        Settlement::Superseded { code } => on_backend!(conn, |c| diesel::update(target)
            .set((o::state.eq(DeliveryState::Superseded.as_str()), o::last_error.eq(*code), wiped, lease, updated))
            .execute(c)),
        Settlement::Retry { at, code, counts } => on_backend!(conn, |c| diesel::update(target)
            .set((
                o::state.eq(DeliveryState::Ready.as_str()),
                o::next_attempt_at.eq(at.millis()),
                o::attempts.eq(claimed.attempts - i64::from(!*counts)),
                o::last_error.eq(*code),
                lease,
                updated
            ))
            .execute(c)),
    }?;
    Ok(rows == 1)
}

/// Lets the messages go that waited for nothing but the lock of this generation; what is scheduled keeps its time.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn release_held(conn: &mut Connection, invitation: InvitationId, now: Timestamp) -> Result<(), StorageError> {
    let target =
        o::table.filter(o::invitation_id.eq(invitation.to_string())).filter(o::state.eq(DeliveryState::Held.as_str()));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Ready.as_str()),
            o::next_attempt_at.eq(now.millis()),
            o::updated_at.eq(now.millis())
        ))
        .execute(c))?;
    Ok(())
}

/// Lets the rows of the invitation yield to those of single calls: it is one of a job.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn yield_to_single_calls(
    conn: &mut Connection,
    tenant: &TenantId,
    invitation: InvitationId,
) -> Result<(), StorageError> {
    // The tenant is judged on the rows: SQLite takes an index that begins with it for the better one.
    let target = o::table
        .filter(o::invitation_id.eq(invitation.to_string()).and(o::tenant.concat("").eq(tenant.as_str())))
        .filter(o::priority.eq(PRIORITY));
    on_backend!(conn, |c| diesel::update(target).set(o::priority.eq(PRIORITY_OF_JOBS)).execute(c))?;
    Ok(())
}

/// Wipes the invitation's messages that are not settled: a resend, a revocation or the acceptance made them pointless.
/// Also one that is being sent right now: what its worker settles later finds nothing.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn supersede(conn: &mut Connection, invitation: InvitationId, now: Timestamp) -> Result<(), StorageError> {
    let target = o::table
        .filter(o::invitation_id.eq(invitation.to_string()))
        .filter(o::state.eq_any(UNSETTLED).and(o::kind.ne_all(WITHOUT_SECRET)));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Superseded.as_str()),
            o::payload.eq(None::<Vec<u8>>),
            o::updated_at.eq(now.millis())
        ))
        .execute(c))?;
    Ok(())
}

/// Takes the message of the generation so far out of the lists of invitations: another is about to take its place.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn unlist(conn: &mut Connection, tenant: &TenantId, invitation: InvitationId) -> Result<(), StorageError> {
    // The tenant is judged on the rows: SQLite takes an index that begins with it for the better one.
    let target = o::table
        .filter(o::invitation_id.eq(invitation.to_string()).and(o::tenant.concat("").eq(tenant.as_str())))
        .filter(o::listed_at.is_not_null());
    on_backend!(conn, |c| diesel::update(target).set(o::listed_at.eq(None::<i64>)).execute(c))?;
    Ok(())
}

/// Lets a row that was given up be tried again from the start; false when its state has changed.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn requeue(conn: &mut Connection, tenant: &TenantId, id: MessageId, now: Timestamp) -> Result<bool, StorageError> {
    let target = o::table
        .filter(o::tenant.eq(tenant.as_str()).and(o::id.eq(id.to_string())))
        .filter(o::state.eq(DeliveryState::Failed.as_str()));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Ready.as_str()),
            o::attempts.eq(0),
            o::next_attempt_at.eq(now.millis()),
            o::updated_at.eq(now.millis())
        ))
        .execute(c))?;
    Ok(rows == 1)
}

/// Wipes what ran out before it could be sent; returns how many rows that were.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn expire_due(conn: &mut Connection, now: Timestamp) -> Result<usize, StorageError> {
    // Written out as in the partial index: SQLite would not find it by values that are bound.
    let waiting = sql::<Bool>("outbox.state IN ('held', 'scheduled', 'ready')");
    let target = o::table.filter(waiting).filter(o::expires_at.le(inv_now().nullable()));
    Ok(on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Expired.as_str()),
            o::payload.eq(None::<Vec<u8>>),
            o::updated_at.eq(now.millis())
        ))
        .execute(c))?)
}

/// How many rows are not settled.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn count_unsettled(conn: &mut Connection) -> Result<i64, StorageError> {
    let query = o::table.filter(o::state.eq_any(UNSETTLED)).count();
    Ok(on_backend!(conn, |c| query.get_result(c))?)
}
