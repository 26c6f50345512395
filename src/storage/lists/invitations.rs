//! Pages of invitations: first the places, by merged reads of indexes, then the rows.

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::beyond;
use crate::domain::ids::{AccountKey, Realm, TenantId};
use crate::domain::invitation::{Method, Purpose, Status};
use crate::domain::message::{DeliveryState, DeliveryStatus};
use crate::domain::page::{Place, Slice};
use crate::domain::time::Timestamp;
use crate::storage::connection::{Connection, on_boxed};
use crate::storage::error::StorageError;
use crate::storage::schema::{invitation as i, outbox as o};

/// Which invitations are wanted; what is empty or `None` is not asked for. Times are exclusive.
#[derive(Debug, Clone, Default)]
pub struct InvitationFilter {
    /// As they are at the moment of the read.
    pub statuses: Vec<Status>,
    pub method: Option<Method>,
    pub purpose: Option<Purpose>,
    pub realm: Option<Realm>,
    pub account: Option<AccountKey>,
    pub delivery: Vec<DeliveryStatus>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// Those that never expire do not.
    pub expires_before: Option<Timestamp>,
}

/// How the stored status and the clock have to stand.
#[derive(Clone, Copy)]
enum Clock {
    Ignored,
    NotRunOut,
    RunOut,
}

/// One read of one index.
enum Read {
    /// By the account, or by nothing but the tenant, realm and times; everything else is judged on the rows.
    Plain,
    Status(Status, Clock),
    Kind(Method, Purpose),
}

const LIVE: [Status; 2] = [Status::Provisioning, Status::Pending];

/// The places of the invitations wanted, in reading direction; by expiry when that is filtered by, otherwise by age.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn places(
    conn: &mut Connection,
    tenant: &TenantId,
    (filter, slice): (&InvitationFilter, &Slice),
    now: Timestamp,
) -> Result<Vec<Place>, StorageError> {
    let wanted = Wanted { tenant, filter, slice, now };
    let mut found = Vec::new();
    if wanted.goes_by_outbox() {
        for (state, is_due) in filter.delivery.iter().flat_map(|status| status.states()) {
            found.push(wanted.read_outbox(conn, state, is_due)?);
        }
    } else {
        for read in wanted.reads() {
            found.push(wanted.read(conn, &read)?);
        }
    }
    Ok(slice.merge(found, Place::clone))
}

struct Wanted<'a> {
    tenant: &'a TenantId,
    filter: &'a InvitationFilter,
    slice: &'a Slice,
    now: Timestamp,
}

/// What of the filter is judged on each row, but the statuses.
macro_rules! judged {
    ($query:expr, $wanted:expr) => {{
        let filter = $wanted.filter;
        let mut query = $query;
        if let (Some(realm), None) = (&filter.realm, &filter.account) {
            query = query.filter(i::realm_key.eq(realm.as_str().to_ascii_uppercase()));
        }
        if let Some(account) = &filter.account {
            query = query.filter(i::realm_key.eq(&account.realm).and(i::username_key.eq(&account.username)));
        }
        if let Some(method) = filter.method {
            query = query.filter(i::method.eq(method.as_str()));
        }
        if let Some(purpose) = filter.purpose {
            query = query.filter(i::purpose.eq(purpose.as_str()));
        }
        if let Some(after) = filter.created_after {
            query = query.filter(i::created_at.gt(after.millis()));
        }
        if let Some(before) = filter.created_before {
            query = query.filter(i::created_at.lt(before.millis()));
        }
        if let Some(before) = filter.expires_before {
            query = query.filter(i::expires_at.lt(before.millis()));
        }
        query
    }};
}

/// The statuses wanted, where no index gives them.
macro_rules! status_judged {
    ($query:expr, $wanted:expr) => {
        if $wanted.filter.statuses.is_empty() {
            $query
        } else {
            let now = $wanted.now.millis();
            let (over, live, run_out) = $wanted.stored_statuses();
            $query.filter(
                (i::status.eq_any(over))
                    .or(i::status.eq_any(live).and(i::expires_at.is_null().or(i::expires_at.gt(now))))
                    .or(i::status.eq_any(run_out).and(i::expires_at.le(now))),
            )
        }
    };
}

impl Wanted<'_> {
    /// An account has few invitations, and by expiry only they are ordered.
    fn goes_by_outbox(&self) -> bool {
        let filter = self.filter;
        !filter.delivery.is_empty() && filter.account.is_none() && filter.expires_before.is_none()
    }

    /// The stored statuses that are wanted as they are, those wanted unless run out, and those wanted once run out.
    fn stored_statuses(&self) -> (Vec<&'static str>, Vec<&'static str>, Vec<&'static str>) {
        let wanted = &self.filter.statuses;
        let (live, over): (Vec<_>, Vec<_>) = wanted.iter().partition(|status| LIVE.contains(status));
        let texts = |statuses: Vec<Status>| statuses.into_iter().map(Status::as_str).collect();
        let run_out = if wanted.contains(&Status::Expired) { LIVE.to_vec() } else { Vec::new() };
        (texts(over), texts(live), texts(run_out))
    }

    /// The states of messages that are wanted before their time, afterwards, or at any.
    fn delivery_states(&self, is_due: Option<bool>) -> Vec<&'static str> {
        let states = self.filter.delivery.iter().flat_map(|status| status.states());
        states.filter(|(_, due)| *due == is_due).map(|(state, _)| state.as_str()).collect()
    }

    /// The reads that together find everything wanted, each in the list's order in an index of its own.
    fn reads(&self) -> Vec<Read> {
        let filter = self.filter;
        if filter.account.is_some() {
            return vec![Read::Plain];
        }
        if !filter.statuses.is_empty() || filter.expires_before.is_some() {
            let all = if filter.statuses.is_empty() { Status::ALL } else { &filter.statuses };
            return all.iter().flat_map(|status| reads_of(*status, !filter.statuses.is_empty())).collect();
        }
        if filter.method.is_some() || filter.purpose.is_some() {
            let methods = Method::ALL.iter().filter(|method| filter.method.is_none_or(|wanted| wanted == **method));
            let purposes = |purpose: &&Purpose| filter.purpose.is_none_or(|wanted| wanted == **purpose);
            return methods
                .flat_map(|method| Purpose::ALL.iter().filter(purposes).map(|purpose| Read::Kind(*method, *purpose)))
                .collect();
        }
        vec![Read::Plain]
    }

    /// What the list is ordered by.
    fn key(&self) -> &'static str {
        if self.filter.expires_before.is_some() { "invitation.expires_at" } else { "invitation.created_at" }
    }

    fn read(&self, conn: &mut Connection, read: &Read) -> Result<Vec<Place>, StorageError> {
        let now = self.now.millis();
        let rows: Vec<(i64, String)> = on_boxed!(conn, |c, Db| {
            let mut query = judged!(i::table.filter(i::tenant.eq(self.tenant.as_str())).into_boxed::<Db>(), self);
            if !self.filter.delivery.is_empty() {
                let current = o::invitation_id.eq(i::id.nullable()).and(o::listed_at.is_not_null());
                let states = |is_due| self.delivery_states(is_due);
                let wanted = (o::state.eq_any(states(None)))
                    .or(o::state.eq_any(states(Some(true))).and(o::next_attempt_at.le(now)))
                    .or(o::state.eq_any(states(Some(false))).and(o::next_attempt_at.gt(now)));
                query = query.filter(exists(o::table.filter(current).filter(wanted)));
            }
            query = match read {
                Read::Plain => status_judged!(query, self),
                Read::Kind(method, purpose) => {
                    query.filter(i::method.eq(method.as_str()).and(i::purpose.eq(purpose.as_str())))
                }
                Read::Status(status, Clock::Ignored) => query.filter(i::status.eq(status.as_str())),
                Read::Status(status, Clock::NotRunOut) => query
                    .filter(i::status.eq(status.as_str()))
                    .filter(i::expires_at.is_null().or(i::expires_at.gt(now))),
                Read::Status(status, Clock::RunOut) => {
                    query.filter(i::status.eq(status.as_str())).filter(i::expires_at.le(now))
                }
            };
            beyond!(query, self.slice, self.order_of(read), "invitation.id")
                .select((sql::<BigInt>(self.key()), i::id))
                .load(c)
        })?;
        Ok(rows.into_iter().map(place).collect())
    }

    fn order_of(&self, read: &Read) -> &'static str {
        match read {
            // Few at any time, found by their expiry: the sign keeps planners from walking the index by age.
            Read::Status(_, Clock::RunOut) if self.filter.expires_before.is_none() => "+invitation.created_at",
            Read::Status(..) | Read::Plain | Read::Kind(..) => self.key(),
        }
    }

    /// Invitations by the state of the message of their current generation.
    fn read_outbox(
        &self,
        conn: &mut Connection,
        state: DeliveryState,
        is_due: Option<bool>,
    ) -> Result<Vec<Place>, StorageError> {
        let now = self.now.millis();
        let joined = i::table.inner_join(o::table.on(o::invitation_id.eq(i::id.nullable())));
        let listed = joined
            .filter(o::tenant.eq(self.tenant.as_str()).and(o::state.eq(state.as_str())))
            .filter(o::listed_at.is_not_null());
        // What is due and not taken yet is little, and found by its time.
        let order = if is_due == Some(true) { "+outbox.listed_at" } else { "outbox.listed_at" };
        let rows: Vec<(i64, String)> = on_boxed!(conn, |c, Db| {
            let query = status_judged!(judged!(listed.into_boxed::<Db>(), self), self);
            let query = match is_due {
                None => query,
                Some(true) => query.filter(o::next_attempt_at.le(now)),
                Some(false) => query.filter(o::next_attempt_at.gt(now)),
            };
            beyond!(query, self.slice, order, "outbox.invitation_id").select((i::created_at, i::id)).load(c)
        })?;
        Ok(rows.into_iter().map(place).collect())
    }
}

/// The reads that find what is of this status now; with `by_clock` false, what is stored as it.
fn reads_of(status: Status, by_clock: bool) -> Vec<Read> {
    match status {
        Status::Provisioning | Status::Pending if by_clock => vec![Read::Status(status, Clock::NotRunOut)],
        Status::Expired if by_clock => {
            let run_out = LIVE.map(|live| Read::Status(live, Clock::RunOut));
            std::iter::once(Read::Status(status, Clock::Ignored)).chain(run_out).collect()
        }
        _ => vec![Read::Status(status, Clock::Ignored)],
    }
}

fn place((at, id): (i64, String)) -> Place {
    Place { at: Timestamp::from_millis(at), id }
}
