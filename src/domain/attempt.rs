//! How often a code may be tried.
//!
//! Every try is reserved and committed before the comparison (see `storage::attempts`), so that parallel guesses can't
//! outrun the count. A generation has its own small budget (a setting); the account has one over everything, which a
//! resend does not refill (NIST SP 800-63B-4 §3.1.3.2, §3.2.2).

/// Wrong OTPs per account, over channels, generations and paths, until the next success.
pub const ACCOUNT_BUDGET: i64 = 20;

/// How many tries an account has left.
#[must_use]
pub const fn account_attempts_left(failures: i64) -> i64 {
    if failures >= ACCOUNT_BUDGET { 0 } else { ACCOUNT_BUDGET - failures }
}
