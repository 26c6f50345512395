//! A point in time as the service stores it: UTC, whole milliseconds since 1970.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

/// How long what is over is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Invitations after they ended, with their messages; `None` is for ever.
    pub invitations: Option<Duration>,
    /// What the outbox has done that belongs to no invitation; `None` is for ever.
    pub deliveries: Option<Duration>,
    pub bulk_jobs: Duration,
}

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, as JWTs count them.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment later by `span`; saturates at the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment earlier by `span`; saturates at the beginning of time.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` to this moment; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The minutes from `earlier` to this moment, begun ones included; 0 when it is not later.
    #[must_use]
    pub fn minutes_after(self, earlier: Self) -> i64 {
        i64::try_from(self.since(earlier).as_millis().div_ceil(60_000)).unwrap_or(i64::MAX)
    }

    /// Reads a time as RFC 3339 writes it, in any zone; what is finer than a millisecond is cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self(time.timestamp_millis()))
    }

    /// RFC 3339 in UTC with milliseconds, as on the wire: `2026-11-24T10:00:00.000Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        DateTime::from_timestamp_millis(self.0)
            .unwrap_or(DateTime::UNIX_EPOCH)
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_that_has_begun_is_still_left() {
        let left = |millis| Timestamp::from_millis(millis).minutes_after(Timestamp::from_millis(0));
        assert_eq!([left(3_600_000), left(3_599_000), left(60_001), left(1), left(0), left(-5)], [60, 60, 2, 1, 0, 0]);
    }

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds() {
        assert_eq!(Timestamp::from_millis(1_795_514_400_123).to_rfc3339(), "2026-11-24T10:00:00.123Z");
    }

    #[test]
    fn a_time_is_read_from_any_zone() {
        let expected = Some(Timestamp::from_millis(1_795_514_400_000));
        for text in ["2026-11-24T10:00:00Z", "2026-11-24T11:00:00+01:00", "2026-11-24T10:00:00.0009Z"] {
            assert_eq!(Timestamp::parse(text), expected, "{text}");
        }
        for text in ["", "2026-11-24", "2026-11-24T10:00:00", "1795514400", "2026-13-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.after(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
