//! `/v1/invitations`: issuing, listing, reading, resending and revoking.

pub(super) mod get;
pub(super) mod issue;
pub(super) mod list;
pub(super) mod resend;
pub(super) mod revoke;
pub(super) mod timeline;
pub(super) mod view;
