//! At most one live invitation an account: what becomes of the one that is there when another is wanted.

use super::audit::note;
use super::issue::IfExists;
use super::{Refusal, ServiceResult};
use crate::domain::invitation::{Invitation, RevokeReason, Status};
use crate::domain::time::Timestamp;
use crate::storage::audit::Actor;
use crate::storage::transitions::{self, Close};
use crate::storage::{Connection, invitations, outbox};

const REPLACED: Close<'static> = Close::Revoked(RevokeReason::Replaced);

/// Sees to it that no other invitation of the account is live.
pub(super) fn make_room(
    conn: &mut Connection,
    actor: &Actor,
    invitation: &Invitation,
    if_exists: IfExists,
    now: Timestamp,
) -> ServiceResult<()> {
    let Some(live) = live_invitation(conn, actor, invitation, now)? else { return Ok(()) };
    may_replace(&live, if_exists)?;
    if !transitions::close(conn, &live, REPLACED, now)? {
        return Err(Refusal::AcceptInProgress(transitions::ACCEPT_LEASE).into());
    }
    outbox::supersede(conn, live.id, now)?;
    let reason = RevokeReason::Replaced.as_str();
    Ok(note(conn, actor, now, ("invitation.revoked", reason), &live)?)
}

/// Whether [`make_room`] would let the invitation be; changes nothing.
pub(super) fn check_room(conn: &mut Connection, invitation: &Invitation, if_exists: IfExists) -> ServiceResult<()> {
    let found = invitations::find_live(conn, &invitation.tenant, &invitation.account_key())?;
    let now = conn.now()?;
    match found.filter(|live| live.status_at(now) != Status::Expired) {
        Some(live) => Ok(may_replace(&live, if_exists)?),
        None => Ok(()),
    }
}

/// Whether a new invitation may take the place of the account's live one.
fn may_replace(live: &Invitation, if_exists: IfExists) -> Result<(), Refusal> {
    match (if_exists, live.status) {
        (IfExists::Fail, _) => Err(Refusal::InvitationExists(live.id)),
        (IfExists::Replace, Status::Accepting) => Err(Refusal::AcceptInProgress(transitions::ACCEPT_LEASE)),
        (IfExists::Replace, _) => Ok(()),
    }
}

/// The account's live invitation; one that has run out is marked as expired on the way and is none.
pub(super) fn live_invitation(
    conn: &mut Connection,
    actor: &Actor,
    of: &Invitation,
    now: Timestamp,
) -> ServiceResult<Option<Invitation>> {
    let Some(found) = invitations::find_live(conn, &of.tenant, &of.account_key())? else { return Ok(None) };
    if !transitions::expire(conn, &found, now)? {
        return Ok(Some(found));
    }
    outbox::supersede(conn, found.id, now)?;
    note(conn, actor, now, ("invitation.expired", ""), &found)?;
    Ok(None)
}
