//! `/api/identity/recovery/v0.9`: the API by which the original's recovery pages complete an invitation.

pub(super) mod recover;
pub(super) mod set_password;
pub(super) mod validate;
