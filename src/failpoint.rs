//! Labelled places at which a test can kill the process, as a power cut would. Compiled to nothing without the feature.

/// Kills the process when `INVITED_FAILPOINT` names this place.
#[cfg(feature = "failpoints")]
pub(crate) fn hit(place: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's wish, no configuration of the service")]
    let wanted = std::env::var("INVITED_FAILPOINT");
    if wanted.as_deref() == Ok(place) {
        std::process::abort();
    }
}

/// Does nothing in a build without the feature.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn hit(_: &str) {}
