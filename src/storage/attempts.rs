//! Reserving an attempt before a code is compared: first the account's budget, then the generation's.
//!
//! The caller commits before it compares, and rolls back when nothing could be reserved, so that a blocked account burns
//! no attempt of the invitation and the other way round.

use diesel::prelude::*;

use super::connection::{Connection, inv_now, on_backend};
use super::error::StorageError;
use super::rows::InvitationRow;
use super::schema::{account as a, invitation as i};
use super::transitions::{is_generation, unexpired};
use crate::domain::attempt::ACCOUNT_BUDGET;
use crate::domain::ids::{AccountKey, TenantId};
use crate::domain::invitation::{Invitation, Method, Status};

const OTP_METHODS: [&str; 2] = [Method::EmailOtp.as_str(), Method::SmsOtp.as_str()];

/// Takes one from the account's budget; false when it is used up or the account is unknown.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn reserve_of_account(conn: &mut Connection, tenant: &TenantId, key: &AccountKey) -> Result<bool, StorageError> {
    let target = a::table
        .filter(a::tenant.eq(tenant.as_str()).and(a::realm_key.eq(&key.realm)).and(a::username_key.eq(&key.username)))
        .filter(a::otp_failures.lt(ACCOUNT_BUDGET));
    let rows = on_backend!(conn, |c| diesel::update(target).set(a::otp_failures.eq(a::otp_failures + 1)).execute(c))?;
    Ok(rows == 1)
}

/// Takes one from the live OTP invitation's budget, or from what a link's generation was left of the code before it; `None` when there is no such invitation or nothing left.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn reserve_of_invitation(
    conn: &mut Connection,
    tenant: &TenantId,
    key: &AccountKey,
) -> Result<Option<Invitation>, StorageError> {
    let target = i::table
        .filter(i::tenant.eq(tenant.as_str()).and(i::realm_key.eq(&key.realm)).and(i::username_key.eq(&key.username)))
        .filter(i::status.eq(Status::Pending.as_str()))
        .filter(i::method.eq_any(OTP_METHODS).nullable().or(i::grace_until.gt(inv_now().nullable())))
        .filter(i::otp_used_at.is_null().and(i::attempts_left.gt(0)))
        .filter(unexpired());
    let row: Option<(InvitationRow, i64)> = on_backend!(conn, |c| diesel::update(target)
        .set(i::attempts_left.eq(i::attempts_left - 1))
        .returning((i::all_columns, inv_now()))
        .get_result(c)
        .optional())?;
    let Some((row, now)) = row else { return Ok(None) };
    let invitation = row.read()?;
    // Judged again after a possible wait for the row's lock.
    Ok(Some(invitation).filter(|invitation| invitation.expires_at.is_none_or(|at| at.millis() > now)))
}

/// As [`reserve_of_invitation`], of exactly the generation that was `seen`, also when its code is used up or has run out: what is told
/// of those must cost a guesser as much.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn reserve_of_generation(conn: &mut Connection, seen: &Invitation) -> Result<Option<Invitation>, StorageError> {
    let target = i::table.filter(is_generation(&seen.tenant, seen.id, seen.generation)).filter(i::attempts_left.gt(0));
    let row: Option<InvitationRow> = on_backend!(conn, |c| diesel::update(target)
        .set(i::attempts_left.eq(i::attempts_left - 1))
        .returning(i::all_columns)
        .get_result(c)
        .optional())?;
    row.map(InvitationRow::read).transpose()
}

/// Gives the generation's attempt back. A newer one has a budget of its own, unless it goes on with what was left of this one's.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn give_back_to_generation(conn: &mut Connection, seen: &Invitation) -> Result<(), StorageError> {
    let target = i::table.filter(is_generation(&seen.tenant, seen.id, seen.generation));
    let rows = on_backend!(conn, |c| diesel::update(target).set(i::attempts_left.eq(i::attempts_left + 1)).execute(c))?;
    if rows == 1 {
        return Ok(());
    }
    let inherits = i::method.ne_all(OTP_METHODS).and(i::grace_verifier.like(format!("{}:%", seen.generation)));
    let heir = i::table.filter(is_generation(&seen.tenant, seen.id, seen.generation + 1)).filter(inherits.nullable());
    on_backend!(conn, |c| diesel::update(heir).set(i::attempts_left.eq(i::attempts_left + 1)).execute(c))?;
    Ok(())
}

/// Gives back the account's attempt that turned out to be right.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn give_back(conn: &mut Connection, tenant: &TenantId, key: &AccountKey) -> Result<(), StorageError> {
    let target = a::table
        .filter(a::tenant.eq(tenant.as_str()).and(a::realm_key.eq(&key.realm)).and(a::username_key.eq(&key.username)))
        .filter(a::otp_failures.gt(0));
    on_backend!(conn, |c| diesel::update(target).set(a::otp_failures.eq(a::otp_failures - 1)).execute(c))?;
    Ok(())
}
