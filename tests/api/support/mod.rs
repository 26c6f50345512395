//! The harness: the real service on a random port, its own database, a directory and gateways that write down what reached them.
//!
//! Nothing here sleeps: the clock is moved and the worker is stepped.

mod adapters;
pub(crate) mod app;
pub(crate) mod database;
pub(crate) mod directory;
pub(crate) mod gateway;
pub(crate) mod receiver;
pub(crate) mod reply;
pub(crate) mod token;
pub(crate) mod vendors;
mod wso2;

pub(crate) use app::{Settings, TestApp, User};
pub(crate) use receiver::Receiver;
pub(crate) use reply::Reply;
pub(crate) use vendors::{VENDORS, Vendors};

/// A password that every rule allows.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
