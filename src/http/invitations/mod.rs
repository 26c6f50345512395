//! `/v1/invitations`: issuing, reading, resending and revoking.

pub(super) mod get;
pub(super) mod issue;
pub(super) mod resend;
pub(super) mod revoke;
mod view;
