//! `invited`: takes a person from "invited" to "has set a password and can sign in".

pub mod clock;
pub mod domain;
pub mod entropy;
pub mod sandbox;
