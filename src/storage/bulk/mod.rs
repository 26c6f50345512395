//! Jobs that issue many invitations, claimed by lease and fence like the outbox; their rows, settled by conditional writes.

pub mod jobs;
pub mod pages;
pub mod purge;
pub mod rows;

pub use jobs::{Job, Turn};
pub use rows::{NewRow, OpenRow, RowPlace, RowResult, Settled};
