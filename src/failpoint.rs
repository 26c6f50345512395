//! Labelled places at which a test can kill the process, as a power cut would, and a clock that a test can set ahead.
//! Without the feature there are neither.

use std::sync::Arc;

use crate::clock::Clock;

/// Kills the process when `INVITED_FAILPOINT` names this place.
#[cfg(feature = "failpoints")]
pub(crate) fn hit(place: &str) {
    if wish("INVITED_FAILPOINT").as_deref() == Some(place) {
        std::process::abort();
    }
}

/// Does nothing in a build without the feature.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn hit(_: &str) {}

/// The machine's clock, `INVITED_CLOCK_OFFSET_MS` ahead.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn clock() -> Arc<dyn Clock> {
    let clock = crate::clock::OffsetClock::default();
    let ahead = wish("INVITED_CLOCK_OFFSET_MS").and_then(|text| text.parse().ok()).unwrap_or(0);
    clock.advance(std::time::Duration::from_millis(ahead));
    Arc::new(clock)
}

/// The machine's clock.
#[cfg(not(feature = "failpoints"))]
#[must_use]
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(crate::clock::SystemClock)
}

#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "a test's wish, no configuration of the service")]
fn wish(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
