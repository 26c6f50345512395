//! `invited`: takes a person from "invited" to "has set a password and can sign in".
//!
//! A request flows one way: route → use case → rule and storage → answer. What must happen outside is a row of the outbox,
//! written in the same transaction, and a worker carries it out. Who may import whom (checked by `tests/architecture.rs`):
//!
//! ```text
//! main → app → everything        sandbox plays the outside world, beside the service
//! http → service, domain         service → domain, storage, directory
//! delivery → domain, storage, gateway, directory
//! storage, gateway, directory → domain       domain → nothing of ours
//! ```

pub mod app;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod directory;
pub mod domain;
pub mod entropy;
pub mod failpoint;
pub mod gateway;
pub mod http;
pub mod outbound;
pub mod sandbox;
pub mod service;
pub mod storage;
pub mod telemetry;
