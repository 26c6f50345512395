//! The drivers of gateways against parts that nobody here wrote.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod aws;
mod support;
