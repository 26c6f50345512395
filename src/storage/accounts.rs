//! The accounts' own state: budgets, and the lock that we hold or want.

use diesel::prelude::*;

use super::connection::{Backend, Connection, on_backend};
use super::error::StorageError;
use super::outbox::UNSETTLED;
use super::rows::AccountRow;
use super::schema::{account as a, outbox as o};
use crate::domain::account::{Account, DirectorySync, Hold, LockReason};
use crate::domain::ids::{AccountId, AccountKey, TenantId};
use crate::domain::invitation::Purpose;
use crate::domain::message::{DeliveryState, Kind};
use crate::domain::time::Timestamp;

/// Inserts the account unless it is there already.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn insert_if_absent(conn: &mut Connection, account: &Account) -> Result<(), StorageError> {
    let row = AccountRow::new(account);
    on_backend!(conn, |c| diesel::insert_into(a::table).values(&row).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

/// The account, if we own any state of it.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, tenant: &TenantId, key: &AccountKey) -> Result<Option<Account>, StorageError> {
    let query = a::table.find((tenant.as_str(), &key.realm, &key.username));
    let row: Option<AccountRow> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(AccountRow::read).transpose()
}

/// The account of this id.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_by_id(conn: &mut Connection, tenant: &TenantId, id: AccountId) -> Result<Option<Account>, StorageError> {
    let query = a::table.filter(a::tenant.eq(tenant.as_str()).and(a::id.eq(id.to_string())));
    let row: Option<AccountRow> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(AccountRow::read).transpose()
}

/// The accounts of these ids.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_many(conn: &mut Connection, tenant: &TenantId, ids: &[AccountId]) -> Result<Vec<Account>, StorageError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    // The tenant is judged on the rows: SQLite takes an index that begins with it for the better one.
    let query = a::table.filter(a::id.eq_any(ids).and(a::tenant.concat("").eq(tenant.as_str())));
    let rows: Vec<AccountRow> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(AccountRow::read).collect()
}

/// As [`find`], holding the row until the transaction ends. Taken before an invitation's row, always.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_locked(
    conn: &mut Connection,
    tenant: &TenantId,
    key: &AccountKey,
) -> Result<Option<Account>, StorageError> {
    let query = a::table.find((tenant.as_str(), &key.realm, &key.username));
    let row: Option<AccountRow> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().first(pg).optional()?,
        Backend::Sqlite(sqlite) => query.first(sqlite).optional()?,
    };
    row.map(AccountRow::read).transpose()
}

/// Wants the account locked for `reason`, or unlocked. What is wanted gets a new version, and is not yet confirmed.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn want_lock(
    conn: &mut Connection,
    account: &Account,
    reason: Option<LockReason>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let key = account.key();
    let target = a::table.find((account.tenant.as_str(), &key.realm, &key.username));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            a::lock_reason.eq(reason.map(LockReason::as_str)),
            a::directory.eq(DirectorySync::Pending.as_str()),
            a::version.eq(a::version + 1),
            a::updated_at.eq(now.millis()),
            (a::check_after.eq(now.millis()), a::checks_failed.eq(0)),
        ))
        .execute(c))?;
    Ok(())
}

/// Wants our lock lifted, and nobody else's: where the directory says that an administrator has made it theirs, it stays.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn release_lock(conn: &mut Connection, account: &Account, now: Timestamp) -> Result<(), StorageError> {
    want_lock(conn, account, None, now)?;
    let key = account.key();
    let target =
        a::table.find((account.tenant.as_str(), &key.realm, &key.username)).filter(a::hold.eq(Hold::Held.as_str()));
    on_backend!(conn, |c| diesel::update(target).set(a::hold.eq(Hold::Released.as_str())).execute(c))?;
    Ok(())
}

/// What a look into the directory, or a change there, told us.
pub struct Observation<'a> {
    pub lock_reason: Option<LockReason>,
    pub hold: Hold,
    pub directory: DirectorySync,
    pub user_id: Option<&'a str>,
}

/// Notes an observation made for the state of `seen`; false when something else is wanted by now.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn observe(
    conn: &mut Connection,
    seen: &Account,
    observation: &Observation<'_>,
    now: Timestamp,
) -> Result<bool, StorageError> {
    // A wish that the directory has not confirmed keeps the longer waits it has come to.
    let (check_after, checks_failed) = match observation.directory {
        DirectorySync::Synced | DirectorySync::Drifted => (Some(now), 0),
        DirectorySync::Pending | DirectorySync::Failed => (seen.check_after.max(Some(now)), seen.checks_failed),
    };
    let key = seen.key();
    let target = a::table.find((seen.tenant.as_str(), &key.realm, &key.username)).filter(a::version.eq(seen.version));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            a::lock_reason.eq(observation.lock_reason.map(LockReason::as_str)),
            a::hold.eq(observation.hold.as_str()),
            a::directory.eq(observation.directory.as_str()),
            a::user_id.eq(observation.user_id.or(seen.user_id.as_deref())),
            a::updated_at.eq(now.millis()),
            (a::check_after.eq(check_after.map(Timestamp::millis)), a::checks_failed.eq(checks_failed)),
        ))
        .execute(c))?;
    Ok(rows == 1)
}

/// The budget of wrong codes starts anew: after a success, or by an administrator.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn clear_budget(conn: &mut Connection, tenant: &TenantId, key: &AccountKey) -> Result<(), StorageError> {
    let target = a::table.find((tenant.as_str(), &key.realm, &key.username));
    on_backend!(conn, |c| diesel::update(target).set(a::otp_failures.eq(0)).execute(c))?;
    Ok(())
}

/// The directory's user is gone: nothing is wanted of them there any more, and whoever comes under that name is somebody else.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn forget_user(conn: &mut Connection, account: &Account, now: Timestamp) -> Result<(), StorageError> {
    let key = account.key();
    let target = a::table.find((account.tenant.as_str(), &key.realm, &key.username));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            (a::user_id.eq(None::<String>), a::otp_failures.eq(0), a::awaits.eq(None::<String>)),
            (a::lock_reason.eq(None::<String>), a::hold.eq(Hold::None.as_str())),
            (a::directory.eq(DirectorySync::Synced.as_str()), a::version.eq(a::version + 1)),
            (a::updated_at.eq(now.millis()), a::check_after.eq(None::<i64>), a::checks_failed.eq(0)),
        ))
        .execute(c))?;
    // The tenant is judged on the rows: SQLite takes an index that begins with it for the better one.
    let wishes = o::table
        .filter(o::account_id.eq(account.id.to_string()).and(o::tenant.concat("").eq(account.tenant.as_str())))
        .filter(o::state.eq_any(UNSETTLED).and(o::kind.eq(Kind::AccountSync.as_str())));
    on_backend!(conn, |c| diesel::update(wishes)
        .set((o::state.eq(DeliveryState::Superseded.as_str()), o::updated_at.eq(now.millis())))
        .execute(c))?;
    Ok(())
}

/// A password is awaited for this purpose from now on, or none any more. Says nothing of the lock, so its time stays.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn await_password(conn: &mut Connection, account: &Account, purpose: Option<Purpose>) -> Result<(), StorageError> {
    if account.awaits == purpose {
        return Ok(());
    }
    let key = account.key();
    let target = a::table.find((account.tenant.as_str(), &key.realm, &key.username));
    let awaits = a::awaits.eq(purpose.map(Purpose::as_str));
    on_backend!(conn, |c| diesel::update(target).set(awaits).execute(c))?;
    Ok(())
}

/// The password is set and our lock, if it waited for that, is lifted.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn settle_acceptance(
    conn: &mut Connection,
    account: &Account,
    unlocked: bool,
    now: Timestamp,
) -> Result<(), StorageError> {
    let key = account.key();
    clear_budget(conn, &account.tenant, &key)?;
    await_password(conn, account, None)?;
    if !unlocked {
        return Ok(());
    }
    let target = a::table.find((account.tenant.as_str(), &key.realm, &key.username));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            a::lock_reason.eq(None::<String>),
            a::hold.eq(Hold::None.as_str()),
            a::directory.eq(DirectorySync::Synced.as_str()),
            a::version.eq(a::version + 1),
            a::updated_at.eq(now.millis()),
            (a::check_after.eq(now.millis()), a::checks_failed.eq(0)),
        ))
        .execute(c))?;
    Ok(())
}
