//! When something that did not work is tried again, and when it is given up.
//!
//! Full jitter over an exponential ceiling, so that an outage ends without a herd; the gateway's own wish is honoured, nothing
//! is tried after the message would be pointless.

use std::time::Duration;

use rand::{CryptoRng, RngExt as _};

use crate::domain::time::Timestamp;

/// How often anything is tried.
pub(super) const MAX_ATTEMPTS: i64 = 24;
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(15);

/// What to do after a try that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Retry(Timestamp),
    GiveUp(&'static str),
}

/// Decides after the `attempts`-th try.
pub(super) fn decide(
    attempts: i64,
    now: Timestamp,
    wish: Option<Duration>,
    expires_at: Option<Timestamp>,
    rng: &mut impl CryptoRng,
) -> Decision {
    if attempts >= MAX_ATTEMPTS {
        return Decision::GiveUp("gave_up");
    }
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    let ceiling = FIRST.saturating_mul(2u32.saturating_pow(doublings)).min(LONGEST);
    let jittered = ceiling.mul_f64(rng.random_range(0.0..1.0));
    before_expiry(now.after(wish.map_or(jittered, |wish| wish.max(jittered))), expires_at)
}

/// Decides after a try that does not count: after `wait` and up to half of it more, as often as it takes.
pub(super) fn postpone(
    now: Timestamp,
    wait: Duration,
    expires_at: Option<Timestamp>,
    rng: &mut impl CryptoRng,
) -> Decision {
    before_expiry(now.after(wait.mul_f64(rng.random_range(1.0..1.5))), expires_at)
}

fn before_expiry(at: Timestamp, expires_at: Option<Timestamp>) -> Decision {
    if expires_at.is_some_and(|end| end <= at) { Decision::GiveUp("expired") } else { Decision::Retry(at) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn wait(attempts: i64, wish: Option<u64>) -> Duration {
        match decide(attempts, NOW, wish.map(Duration::from_secs), None, &mut StdRng::seed_from_u64(1)) {
            Decision::Retry(at) => at.since(NOW),
            Decision::GiveUp(code) => panic!("{code}"),
        }
    }

    #[test]
    fn waits_are_spread_below_a_growing_ceiling() {
        for attempts in 1..MAX_ATTEMPTS {
            for seed in 0..50 {
                let Decision::Retry(at) = decide(attempts, NOW, None, None, &mut StdRng::seed_from_u64(seed)) else {
                    panic!()
                };
                let ceiling = (2u64 << attempts.min(12)).min(900);
                assert!(at.since(NOW) <= Duration::from_secs(ceiling), "attempt {attempts}");
            }
        }
    }

    #[test]
    fn the_gateways_wish_is_a_floor() {
        assert!(wait(1, Some(120)) >= Duration::from_mins(2));
        assert!(wait(1, None) <= Duration::from_secs(4));
    }

    #[test]
    fn nothing_is_tried_after_it_is_pointless() {
        let end = Some(NOW.after(Duration::from_mins(1)));
        let decision = decide(1, NOW, Some(Duration::from_secs(61)), end, &mut StdRng::seed_from_u64(1));
        assert_eq!(decision, Decision::GiveUp("expired"));
    }

    #[test]
    fn what_is_postponed_waits_until_it_is_pointless() {
        let wait = Duration::from_mins(1);
        for seed in 0..50 {
            let decision = postpone(NOW, wait, None, &mut StdRng::seed_from_u64(seed));
            let Decision::Retry(at) = decision else { panic!() };
            assert!((wait..wait.mul_f64(1.5)).contains(&at.since(NOW)));
        }
        let end = Some(NOW.after(wait));
        assert_eq!(postpone(NOW, wait, end, &mut StdRng::seed_from_u64(1)), Decision::GiveUp("expired"));
    }

    #[test]
    fn there_is_an_end_to_trying() {
        let decision = decide(MAX_ATTEMPTS, NOW, None, None, &mut StdRng::seed_from_u64(1));
        assert_eq!(decision, Decision::GiveUp("gave_up"));
    }
}
