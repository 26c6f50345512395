//! Failures on demand: what the gateways and the directory are to do wrong, switched while they run.
//!
//! Only says what; each server plays its own failure.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How late a slow answer comes. What was asked for is done at once, only the answer waits.
pub(super) const SLOW: Duration = Duration::from_secs(3);

/// What a gateway does with the next messages.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayFault {
    #[default]
    Ok,
    /// 503, nothing taken.
    Down,
    /// Taken, answered late.
    Slow,
    /// 422, never to be taken.
    Reject,
    /// 429 with `Retry-After`.
    Throttle,
}

/// What the directory does with the next calls.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryFault {
    #[default]
    Ok,
    /// 503, nothing done.
    Down,
    /// Done, answered late.
    Slow,
}

/// The faults in force.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FaultState {
    pub email: GatewayFault,
    pub sms: GatewayFault,
    pub directory: DirectoryFault,
}

/// The faults to change; those not named stay.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultChange {
    pub email: Option<GatewayFault>,
    pub sms: Option<GatewayFault>,
    pub directory: Option<DirectoryFault>,
}

/// The switchboard that the servers look at.
#[derive(Debug, Default)]
pub struct Faults(Mutex<FaultState>);

impl Faults {
    #[must_use]
    pub fn state(&self) -> FaultState {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Switches what `change` names.
    pub fn change(&self, change: FaultChange) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let FaultState { email, sms, directory } = *state;
        *state = FaultState {
            email: change.email.unwrap_or(email),
            sms: change.sms.unwrap_or(sms),
            directory: change.directory.unwrap_or(directory),
        };
    }
}
