//! The languages that the built-in texts are in, each as data.

mod de;
mod en;
mod es;
mod fr;
mod ja;
mod pt;
mod si;
mod ta;

use super::language::Language;

/// Every language there is; the first is the one to fall back on.
pub(super) const ALL: [&Language; 8] = [&en::EN, &de::DE, &fr::FR, &es::ES, &pt::PT, &si::SI, &ta::TA, &ja::JA];
