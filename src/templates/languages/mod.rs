//! The languages that the built-in texts are in, each as data.

mod en;

use super::language::Language;

/// Every language there is; the first is the one to fall back on.
pub(super) const ALL: [&Language; 1] = [&en::EN];
