//! Every change of an invitation's state: one conditional write each, whose row count is the verdict.
//!
//! The conditions repeat what the rules decided, so that of any number of racers exactly one wins. Expiry is judged by the
//! database's clock at the write and once more in `RETURNING`, since a wait for a lock can outlast it.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::{Backend, Connection, inv_now, on_backend};
use super::error::StorageError;
use super::rows::{InvitationRow, person_json};
use super::schema::invitation as i;
use crate::domain::fallback::Fallback;
use crate::domain::grace::{Era, Grace};
use crate::domain::ids::{GrantId, InvitationId, TenantId};
use crate::domain::invitation::{Invitation, RevokeReason, Status};
use crate::domain::time::Timestamp;

/// Longest life of a grant.
pub const GRANT_TTL: Duration = Duration::from_mins(10);
/// How long an acceptance may be under way before the same grant may claim it again; longer than any call to the directory.
pub const ACCEPT_LEASE: Duration = Duration::from_mins(1);

/// Marks an invitation that has run out as expired; false when its state has changed, or it has not run out after all.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn expire(conn: &mut Connection, seen: &Invitation, now: Timestamp) -> Result<bool, StorageError> {
    let target = i::table
        .filter(is_invitation(&seen.tenant, seen.id))
        .filter(i::status.eq_any([Status::Provisioning.as_str(), Status::Pending.as_str()]))
        .filter(i::expires_at.le(inv_now().nullable()));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((i::status.eq(Status::Expired.as_str()), i::updated_at.eq(now.millis()), i::grant_jti.eq(None::<String>)))
        .execute(c))?;
    Ok(rows == 1)
}

/// As [`expire`] for whatever is due, at most `limit`; returns what was expired.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn expire_due(conn: &mut Connection, limit: i64, now: Timestamp) -> Result<Vec<Invitation>, StorageError> {
    let due: Vec<String> = {
        let query = i::table
            .filter(i::status.eq_any([Status::Provisioning.as_str(), Status::Pending.as_str()]))
            .filter(i::expires_at.le(inv_now().nullable()))
            .order(i::expires_at)
            .limit(limit)
            .select(i::id);
        match &mut conn.backend {
            Backend::Postgres(pg) => query.for_update().skip_locked().load(pg)?,
            Backend::Sqlite(sqlite) => query.load(sqlite)?,
        }
    };
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let target = i::table.filter(i::id.eq_any(due));
    let rows: Vec<InvitationRow> = on_backend!(conn, |c| diesel::update(target)
        .set((i::status.eq(Status::Expired.as_str()), i::updated_at.eq(now.millis()), i::grant_jti.eq(None::<String>)))
        .returning(i::all_columns)
        .get_results(c))?;
    rows.into_iter().map(InvitationRow::read).collect()
}

/// The lock is confirmed: the invitation may be sent and redeemed. False when it is not waiting for that.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn confirm_lock(
    conn: &mut Connection,
    tenant: &TenantId,
    id: InvitationId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let target = i::table.filter(
        i::tenant.eq(tenant.as_str()).and(i::id.eq(id.to_string())).and(i::status.eq(Status::Provisioning.as_str())),
    );
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((i::status.eq(Status::Pending.as_str()), i::updated_at.eq(now.millis())))
        .execute(c))?;
    Ok(rows == 1)
}

/// This invitation of this tenant.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_invitation<'a>(tenant: &'a TenantId, id: InvitationId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: String = id.to_string();
    i::tenant.eq(tenant).and(i::id.eq(id))
}

/// This generation of this invitation: what somebody saw is still so.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn is_generation<'a>(tenant: &'a TenantId, id: InvitationId, generation: i64) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: String = id.to_string();
    i::tenant.eq(tenant).and(i::id.eq(id)).and(i::generation.eq(generation))
}

/// Not run out by the database's clock.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn unexpired() -> _ {
    i::expires_at.is_null().or(i::expires_at.gt(inv_now().nullable()))
}

/// When a grant made now ends: in [`GRANT_TTL`], but not after the invitation does.
fn grant_end(invitation: &Invitation, now: Timestamp) -> Timestamp {
    let end = now.after(GRANT_TTL);
    invitation.expires_at.map_or(end, |expires| expires.min(end))
}

/// A secret that was shown and is right.
pub struct ShownSecret {
    pub era: Era,
    /// A code counts only while nobody has used it up.
    pub is_code: bool,
    pub grant: GrantId,
}

/// Gives whoever showed the secret a new grant; the one before it dies. Nothing is consumed. `None` when it is not (any more)
/// redeemable.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn give_grant(
    conn: &mut Connection,
    seen: &Invitation,
    shown: &ShownSecret,
    now: Timestamp,
) -> Result<Option<Invitation>, StorageError> {
    let is_link: bool = !shown.is_code;
    let target = i::table
        .filter(is_generation(&seen.tenant, seen.id, seen.generation))
        .filter(i::status.eq(Status::Pending.as_str()))
        .filter(unexpired())
        .filter(i::otp_used_at.is_null().or(is_link.into_sql::<Bool>()))
        .filter(is_good(shown.era));
    let row: Option<(InvitationRow, i64)> = on_backend!(conn, |c| diesel::update(target)
        .set((
            i::grant_jti.eq(shown.grant.to_string()),
            i::grant_expires_at.eq(grant_end(seen, now).millis()),
            i::updated_at.eq(now.millis()),
        ))
        .returning((i::all_columns, inv_now()))
        .get_result(c)
        .optional())?;
    still_valid(row, good_until(seen, shown.era))
}

/// A code that opens an invitation.
pub struct RightCode<'a> {
    pub era: Era,
    pub grant: GrantId,
    /// Recognises the repeat of this redemption.
    pub replay: Option<&'a [u8]>,
}

/// Uses the OTP up, and the other one that may be good, and gives a grant for it; exactly one of any number of racers gets it. The
/// verifiers stay until the end, so that a code can be refused as the password.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn consume_otp(
    conn: &mut Connection,
    seen: &Invitation,
    code: &RightCode<'_>,
    now: Timestamp,
) -> Result<Option<Invitation>, StorageError> {
    let target = i::table
        .filter(is_generation(&seen.tenant, seen.id, seen.generation))
        .filter(i::status.eq(Status::Pending.as_str()).and(i::otp_used_at.is_null()))
        .filter(unexpired())
        .filter(is_good(code.era));
    let row: Option<(InvitationRow, i64)> = on_backend!(conn, |c| diesel::update(target)
        .set((
            i::otp_used_at.eq(now.millis()),
            i::otp_replay.eq(code.replay),
            i::grace_until.eq(None::<i64>),
            i::grant_jti.eq(code.grant.to_string()),
            i::grant_expires_at.eq(grant_end(seen, now).millis()),
            i::updated_at.eq(now.millis()),
        ))
        .returning((i::all_columns, inv_now()))
        .get_result(c)
        .optional())?;
    still_valid(row, good_until(seen, code.era))
}

/// The secret of this era is good by the database's clock, as far as the era goes.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_good(era: Era) -> _ {
    let is_current: bool = era == Era::Current;
    i::grace_until.gt(inv_now().nullable()).or(is_current.into_sql::<Bool>().nullable())
}

/// When a secret of this era stops being good.
fn good_until(seen: &Invitation, era: Era) -> Option<Timestamp> {
    match era {
        Era::Current => seen.expires_at,
        Era::Last => [seen.expires_at, seen.grace_ends()].into_iter().flatten().min(),
    }
}

fn still_valid(
    row: Option<(InvitationRow, i64)>,
    until: Option<Timestamp>,
) -> Result<Option<Invitation>, StorageError> {
    let Some((row, now)) = row else { return Ok(None) };
    let invitation = row.read()?;
    if until.is_some_and(|at| at.millis() <= now) {
        // The wait for the lock outlasted the expiry: undo by failing the transaction, which is then repeated and refused.
        return Err(StorageError::Conflict(diesel::result::Error::RollbackTransaction));
    }
    Ok(Some(invitation))
}

/// Claims the acceptance for the holder of the grant, with a lease and a new fence. A lapsed claim is taken over by the
/// same grant only. `None` when the grant is not (any more) the one that counts.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn claim_accept(
    conn: &mut Connection,
    tenant: &TenantId,
    id: InvitationId,
    generation: i64,
    grant: GrantId,
) -> Result<Option<Invitation>, StorageError> {
    let now = conn.now()?;
    let jti = grant.to_string();
    let lapsed = i::status
        .eq(Status::Accepting.as_str())
        .and(i::accept_jti.eq(&jti).assume_not_null())
        .and(i::accept_lease_until.le(inv_now().nullable()).assume_not_null());
    let target = i::table
        .filter(is_generation(tenant, id, generation))
        .filter(i::grant_jti.eq(&jti).and(i::grant_expires_at.gt(inv_now().nullable())))
        .filter(i::status.eq(Status::Pending.as_str()).or(lapsed));
    let row: Option<(InvitationRow, i64)> = on_backend!(conn, |c| diesel::update(target)
        .set((
            i::status.eq(Status::Accepting.as_str()),
            i::accept_fence.eq(i::accept_fence + 1),
            i::accept_jti.eq(&jti),
            i::accept_lease_until.eq(now.after(ACCEPT_LEASE).millis()),
            i::updated_at.eq(now.millis()),
        ))
        .returning((i::all_columns, inv_now()))
        .get_result(c)
        .optional())?;
    match row {
        Some((row, now)) => {
            let invitation = row.read()?;
            let grant_lives = invitation.grant_expires_at.is_some_and(|at| at.millis() > now);
            if grant_lives {
                Ok(Some(invitation))
            } else {
                Err(StorageError::Conflict(diesel::result::Error::RollbackTransaction))
            }
        }
        None => Ok(None),
    }
}

/// How an acceptance under way ends.
pub enum AcceptEnd<'a> {
    /// The directory confirmed the password.
    Accepted,
    /// Known not to have happened: the same grant may try again.
    Released,
    /// It can never be completed; the reason's code.
    Failed(&'a str),
}

/// Ends the acceptance that `claimed` holds; false when another fence holds it by now.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn end_accept(
    conn: &mut Connection,
    claimed: &Invitation,
    end: &AcceptEnd<'_>,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let target = i::table
        .filter(is_invitation(&claimed.tenant, claimed.id))
        .filter(i::status.eq(Status::Accepting.as_str()).and(i::accept_fence.eq(claimed.accept_fence)));
    let lease = i::accept_lease_until.eq(None::<i64>);
    let updated = i::updated_at.eq(now.millis());
    let rows = match end {
        AcceptEnd::Accepted => on_backend!(conn, |c| diesel::update(target)
            .set((
                i::status.eq(Status::Accepted.as_str()),
                i::accepted_at.eq(now.millis()),
                i::grant_jti.eq(None::<String>),
                i::otp_replay.eq(None::<Vec<u8>>),
                i::verifier.eq(kept_verifier(claimed)),
                (i::grace_verifier.eq(None::<String>), i::grace_until.eq(None::<i64>)),
                lease,
                updated,
            ))
            .execute(c)),
        AcceptEnd::Released => {
            on_backend!(conn, |c| diesel::update(target)
                .set((i::status.eq(Status::Pending.as_str()), lease, updated))
                .execute(c))
        }
        AcceptEnd::Failed(code) => on_backend!(conn, |c| diesel::update(target)
            .set((
                i::status.eq(Status::Failed.as_str()),
                i::failure.eq(*code),
                i::grant_jti.eq(None::<String>),
                lease,
                updated,
            ))
            .execute(c)),
    }?;
    Ok(rows == 1)
}

/// How an invitation that nobody is accepting ends.
#[derive(Debug, Clone, Copy)]
pub enum Close<'a> {
    Revoked(RevokeReason),
    /// The reason's code.
    Failed(&'a str),
}

/// Ends an invitation that nobody is accepting. False when its state has changed.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn close(conn: &mut Connection, seen: &Invitation, close: Close<'_>, now: Timestamp) -> Result<bool, StorageError> {
    let target = i::table
        .filter(is_generation(&seen.tenant, seen.id, seen.generation))
        .filter(i::status.eq(seen.status.as_str()));
    let (status, failure, reason) = match close {
        Close::Failed(code) => (Status::Failed, Some(code), None),
        Close::Revoked(reason) => (Status::Revoked, None, Some(reason.as_str())),
    };
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            i::status.eq(status.as_str()),
            (i::revoked_at.eq(reason.map(|_| now.millis())), i::revoke_reason.eq(reason), i::failure.eq(failure)),
            i::grant_jti.eq(None::<String>),
            i::otp_replay.eq(None::<Vec<u8>>),
            i::verifier.eq(kept_verifier(seen)),
            (i::grace_verifier.eq(None::<String>), i::grace_until.eq(None::<i64>)),
            i::updated_at.eq(now.millis()),
        ))
        .execute(c))?;
    Ok(rows == 1)
}

/// A link's verifier outlives it, so that its bearer can be told why it is over; a code's does not.
fn kept_verifier(ended: &Invitation) -> Option<&str> {
    ended.verifier.as_deref().filter(|_| !ended.method.is_otp())
}

/// Stores a new generation over the one that `from` saw; false when it has changed since.
///
/// # Errors
/// [`StorageError::Unique`] when another invitation of the account went live meanwhile; otherwise that the database failed.
pub fn reissue(conn: &mut Connection, from: &Invitation, to: &Invitation) -> Result<bool, StorageError> {
    let target = i::table
        .filter(is_generation(&from.tenant, from.id, from.generation))
        .filter(i::status.eq(from.status.as_str()));
    let terms = serde_json::to_string(&to.terms).unwrap_or_default();
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            (i::status.eq(to.status.as_str()), i::method.eq(to.method.as_str()), i::person.eq(person_json(&to.person))),
            (i::terms.eq(&terms), i::generation.eq(to.generation), i::resends.eq(to.resends)),
            (i::verifier.eq(&to.verifier), i::retired_verifiers.eq(to.retired_verifiers.join("\n"))),
            (i::attempts_left.eq(to.attempts_left), i::otp_used_at.eq(None::<i64>), i::otp_replay.eq(None::<Vec<u8>>)),
            (i::grant_jti.eq(None::<String>), i::grant_expires_at.eq(None::<i64>), i::failure.eq(None::<String>)),
            (i::expires_at.eq(to.expires_at.map(Timestamp::millis)), i::issued_at.eq(to.issued_at.millis())),
            (
                i::send_at.eq(to.send_at.map(Timestamp::millis)),
                i::grace_verifier.eq(to.grace.as_ref().map(Grace::stored))
            ),
            (i::grace_until.eq(to.grace_ends().map(Timestamp::millis)), i::updated_at.eq(to.updated_at.millis())),
            (i::fallback.eq(to.fallback.map(Fallback::as_str)), i::fallback_due_at.eq(None::<i64>)),
        ))
        .execute(c))?;
    Ok(rows == 1)
}
