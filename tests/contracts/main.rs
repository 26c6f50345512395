//! Our calls to others against the descriptions that their vendors publish: nothing that we send may violate them.
//!
//! The descriptions are no part of this project. They are looked for in the folder that `TEST_SPECS` names, else in `shared/specs`
//! beside the checkout; each test says so when it is skipped for want of one, or of the tools (`scripts/with-tools.sh`).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on fails"
)]

mod aws;
mod directories;
mod gateways;
mod messages;
mod prism;
mod roles;
#[path = "../fixtures/skipped.rs"]
mod skipped;
