//! The rules of invitations, pure: what may follow what, what a secret looks like, how long it lives, how often it may be tried.
//!
//! Nothing in here does I/O, reads a clock, awaits, or knows HTTP or SQL: time, randomness and ids come in as arguments.
//! Every path into a rule (native API, login with the OTP, worker) calls the same function here.

pub mod account;
pub mod attempt;
pub mod bulk;
pub mod contact;
pub mod diagnosis;
pub mod dialect;
pub mod directory_event;
pub mod event;
pub mod fallback;
pub mod grace;
pub mod ids;
pub mod invitation;
pub mod ip_range;
pub mod keys;
pub mod locale;
pub mod message;
pub mod otp;
pub mod page;
pub mod password;
pub mod receipt;
pub mod reconcile;
pub mod scenario;
pub mod secret;
pub mod sender;
pub mod settings;
pub mod text;
pub mod time;
pub mod token;
pub mod verifier;
pub mod warning;
pub mod webhook;
pub mod wso2;
