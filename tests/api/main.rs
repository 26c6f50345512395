//! The service from outside: real HTTP, a real database, a real directory; what gateways and the directory received is asserted.

mod journey;
mod support;
