//! The service from outside: real HTTP, a real database, a real directory; what gateways and the directory received is asserted.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on fails"
)]

mod account_states;
mod accounts;
mod audit;
mod auth;
mod bad_input;
mod bad_requests;
mod budget;
mod bulk;
mod bulk_body;
mod bulk_lists;
mod check_config;
mod concurrency;
mod conventions;
mod countries;
#[cfg(feature = "failpoints")]
mod crash;
mod deliveries;
mod delivery;
mod diagnosis;
mod directory_drivers;
mod directory_events;
mod directory_events_ended;
mod directory_events_wso2;
mod erasure;
mod examples;
mod examples_directory_events;
mod examples_governance;
mod examples_lists;
mod examples_receipts;
mod examples_templates;
mod examples_webhooks;
mod examples_wso2_codes;
mod examples_wso2_resend;
mod expiry;
mod fallback;
mod idempotency;
mod journey;
mod jwks;
mod lists;
mod lists_of_deliveries;
mod metrics;
mod outbound;
mod own_words;
mod receipts;
mod receipts_early;
mod receipts_order;
mod receipts_vendors;
mod reconcile;
mod reminders;
mod replace;
mod resend;
mod retention;
mod review;
mod revoke;
mod saga;
mod schedule;
mod self_service;
mod settings;
mod settings_changes;
mod settings_document;
#[path = "../fixtures/skipped.rs"]
mod skipped;
mod support;
mod templates;
mod tolerance;
mod upgrade;
mod webhook_delivery;
mod webhook_lifecycle;
mod webhooks;
mod wso2;
mod wso2_codes;
mod wso2_directory;
mod wso2_governance;
mod wso2_governance_refusals;
mod wso2_offline_link;
mod wso2_races;
mod wso2_recovery;
mod wso2_resend;
mod wso2_resend_again;
