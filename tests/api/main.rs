//! The service from outside: real HTTP, a real database, a real directory; what gateways and the directory received is asserted.

mod budget;
mod expiry;
mod journey;
mod resend;
mod revoke;
mod support;
