//! A circuit: who fails again and again is left alone for a while, then tried by one call before the others follow.
//!
//! Each process has its own. It says nothing of what is called; the caller says which outcomes are failures.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::time::Timestamp;

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 5;
/// How long it stays open, and how long a probe may take before another one is made.
const PAUSE: Duration = Duration::from_secs(30);

/// How long who is held waits before asking again, at most: once the probe has told, they follow soon.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Whether calls are made, and why not.
#[derive(Default)]
pub struct Circuit(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    /// Set while it is open.
    open: Option<Open>,
}

#[derive(Clone)]
struct Open {
    since: Timestamp,
    /// When the next probe may be made.
    probe_at: Timestamp,
    /// Code of the last failure.
    code: String,
}

/// What is to be seen of an open circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub since: Timestamp,
    /// Code of the last failure.
    pub code: String,
}

/// The call is not to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// When to ask again.
    pub wait: Duration,
    /// Code of the last failure.
    pub code: String,
}

impl Circuit {
    /// Asks whether a call may be made. Of an open circuit one call is the probe, and the others are held until that has told.
    ///
    /// # Errors
    /// [`Held`]
    pub fn admit(&self, now: Timestamp) -> Result<(), Held> {
        let mut state = self.state();
        let Some(open) = &mut state.open else { return Ok(()) };
        if open.probe_at > now {
            return Err(Held { wait: open.probe_at.since(now).min(WAIT_MAX), code: open.code.clone() });
        }
        open.probe_at = now.after(PAUSE);
        Ok(())
    }

    /// Closes it: a call reached its end.
    pub fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// Counts a failure; opens it at the fifth in a row, and leaves it open when that was the probe.
    pub fn failed(&self, code: &str, now: Timestamp) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            let since = state.open.as_ref().map_or(now, |open| open.since);
            state.open = Some(Open { since, probe_at: now.after(PAUSE), code: code.to_owned() });
        }
    }

    /// Since when it is open, and why; `None` while it is closed.
    #[must_use]
    pub fn opened(&self) -> Option<Opened> {
        self.state().open.as_ref().map(|open| Opened { since: open.since, code: open.code.clone() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn opened() -> Circuit {
        let circuit = Circuit::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(circuit.admit(NOW), Ok(()));
            circuit.failed("http_503", NOW);
        }
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_starts_the_count_anew() {
        let circuit = Circuit::default();
        for _ in 1..FAILURES_MAX {
            circuit.failed("http_503", NOW);
        }
        circuit.succeeded();
        circuit.failed("http_503", NOW);
        assert_eq!((circuit.admit(NOW), circuit.opened()), (Ok(()), None));
        let held = Held { wait: WAIT_MAX, code: "http_503".to_owned() };
        assert_eq!(opened().admit(NOW), Err(held));
        assert_eq!(opened().opened(), Some(Opened { since: NOW, code: "http_503".to_owned() }));
    }

    #[test]
    fn one_probe_is_made_and_decides() {
        let later = NOW.after(PAUSE);
        let circuit = opened();
        assert_eq!(circuit.admit(later), Ok(()));
        assert!(circuit.admit(later).is_err(), "the probe is under way");
        circuit.failed("http_500", later);
        let still = Opened { since: NOW, code: "http_500".to_owned() };
        assert_eq!((circuit.admit(later).is_err(), circuit.opened()), (true, Some(still)));
        assert_eq!(circuit.admit(later.after(PAUSE)), Ok(()));
        circuit.succeeded();
        assert_eq!((circuit.admit(later), circuit.opened()), (Ok(()), None));
    }

    #[test]
    fn a_probe_that_never_told_is_followed_by_another() {
        let circuit = opened();
        assert_eq!(circuit.admit(NOW.after(PAUSE)), Ok(()));
        assert_eq!(circuit.admit(NOW.after(PAUSE * 2)), Ok(()));
    }
}
