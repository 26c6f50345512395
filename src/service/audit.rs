//! Shorthand for the audit row of an invitation's transition.

use crate::domain::invitation::Invitation;
use crate::domain::time::Timestamp;
use crate::storage::audit::{Actor, Event, record};
use crate::storage::{Connection, StorageError};

/// Writes down that `event` happened to the invitation.
pub(super) fn note(
    conn: &mut Connection,
    actor: &Actor,
    now: Timestamp,
    (event, detail): (&'static str, &str),
    invitation: &Invitation,
) -> Result<(), StorageError> {
    let event = Event {
        event,
        tenant: &invitation.tenant,
        invitation: Some(invitation.id),
        account: Some(invitation.account),
        detail,
    };
    record(conn, actor, now, &event)
}
