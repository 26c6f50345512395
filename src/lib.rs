//! `invited`: takes a person from "invited" to "has set a password and can sign in".
//!
//! A request flows one way: route → use case → rule and storage → answer. What must happen outside is a row of the outbox,
//! written in the same transaction, and a worker carries it out. Who may import whom (checked by `tests/architecture.rs`):
//!
//! ```text
//! main, app, sandbox → everything
//! http               → service, domain, outbound, clock, entropy, metrics
//! service            → storage, directory, gateway, webhook, templates, domain, clock, entropy, failpoint
//! delivery           → storage, directory, gateway, webhook, templates, domain, clock, entropy, failpoint, metrics
//! storage            → domain, clock, entropy, metrics
//! directory          → domain, outbound, clock, metrics
//! gateway            → domain, outbound, clock
//! webhook            → domain, outbound, clock
//! templates          → domain
//! config             → domain, outbound, storage, gateway
//! telemetry          → config
//! outbound, metrics  → domain
//! clock, entropy     → domain
//! failpoint          → clock
//! domain             → nothing
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
pub mod metrics;
pub mod outbound;
pub mod sandbox;
pub mod service;
pub mod storage;
pub mod telemetry;
pub mod templates;
pub mod webhook;
