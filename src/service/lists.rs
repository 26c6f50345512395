//! Lists, a page at a time.

use std::collections::HashMap;

use super::lookup::{Snapshot, snapshots};
use super::{Caller, Refusal, Service, ServiceResult};
use crate::domain::ids::{AccountKey, InvitationId};
use crate::domain::page::{self, Page, Place, Scope, Slice};
use crate::domain::time::Timestamp;
pub use crate::storage::deliveries::Delivery;
pub use crate::storage::lists::audit::{About, AuditEntry, AuditFilter};
pub use crate::storage::lists::deliveries::DeliveryFilter;
pub use crate::storage::lists::invitations::InvitationFilter;
use crate::storage::{accounts, invitations, lists};

/// Something as it was at a moment, where what is told of it depends on the clock.
pub struct Seen<T> {
    pub what: T,
    pub at: Timestamp,
}

impl Service {
    /// The place as a cursor for callers, good for the same list only.
    #[must_use]
    pub fn seal_cursor(&self, scope: &Scope<'_>, place: &Place) -> String {
        page::seal(&self.keys, scope, place)
    }

    /// The place that a cursor of ours names; `None` for one that is not, or is of another list.
    #[must_use]
    pub fn open_cursor(&self, scope: &Scope<'_>, cursor: &str) -> Option<Place> {
        page::open(&self.keys, scope, cursor)
    }

    /// The tenant's invitations as they are now.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn list_invitations(
        &self,
        caller: &Caller,
        filter: InvitationFilter,
        slice: Slice,
    ) -> ServiceResult<Page<Snapshot>> {
        let tenant = caller.tenant.clone();
        self.store
            .read(move |conn| {
                let now = conn.now()?;
                let page = slice.page(lists::invitations::places(conn, &tenant, (&filter, &slice), now)?, Place::clone);
                let ids: Vec<String> = page.items.iter().map(|place| place.id.clone()).collect();
                let found = invitations::find_many(conn, &tenant, &ids)?;
                let found = snapshots(conn, &tenant, found, now)?;
                let mut found: HashMap<_, _> =
                    found.into_iter().map(|snapshot| (snapshot.invitation.id.to_string(), snapshot)).collect();
                let items = ids.iter().filter_map(|id| found.remove(id)).collect();
                Ok(Page { items, before: page.before, after: page.after })
            })
            .await
    }

    /// The tenant's deliveries.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn list_deliveries(
        &self,
        caller: &Caller,
        filter: DeliveryFilter,
        slice: Slice,
    ) -> ServiceResult<Page<Seen<Delivery>>> {
        let tenant = caller.tenant.clone();
        self.store
            .read(move |conn| {
                let at = conn.now()?;
                let page = lists::deliveries::page(conn, &tenant, (&filter, &slice), at)?;
                Ok(page.map(|what| Seen { what, at }))
            })
            .await
    }

    /// What happened to an invitation.
    ///
    /// # Errors
    /// [`Refusal::InvitationNotFound`], or a failure.
    pub async fn get_timeline(
        &self,
        caller: &Caller,
        id: InvitationId,
        slice: Slice,
    ) -> ServiceResult<Page<AuditEntry>> {
        let tenant = caller.tenant.clone();
        self.store
            .read(move |conn| {
                invitations::find(conn, &tenant, id)?.ok_or(Refusal::InvitationNotFound)?;
                let filter = AuditFilter { invitation: Some(id), ..AuditFilter::default() };
                Ok(lists::audit::page(conn, &tenant, &filter, &slice)?)
            })
            .await
    }

    /// What happened.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn list_audit_events(
        &self,
        caller: &Caller,
        filter: AuditFilter,
        slice: Slice,
    ) -> ServiceResult<Page<AuditEntry>> {
        let tenant = caller.tenant.clone();
        Ok(self.store.read(move |conn| lists::audit::page(conn, &tenant, &filter, &slice)).await?)
    }

    /// The filter narrowed to the account of this name: the trail knows accounts by their ids only.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn about_person(
        &self,
        caller: &Caller,
        mut filter: AuditFilter,
        person: Option<AccountKey>,
    ) -> ServiceResult<AuditFilter> {
        let Some(key) = person else { return Ok(filter) };
        let tenant = caller.tenant.clone();
        let named = self.store.read(move |conn| accounts::find(conn, &tenant, &key)).await?.map(|account| account.id);
        filter.about = match (filter.about, named) {
            (About::Anything, Some(id)) => About::Account(id),
            (About::Account(wanted), Some(id)) if wanted == id => About::Account(id),
            (About::Anything | About::Account(_) | About::Nobody, _) => About::Nobody,
        };
        Ok(filter)
    }
}
