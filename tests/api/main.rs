//! The service from outside: real HTTP, a real database, a real directory; what gateways and the directory received is asserted.

mod accounts;
mod budget;
mod concurrency;
mod delivery;
mod expiry;
mod journey;
mod resend;
mod revoke;
mod saga;
mod support;
