//! Jobs that issue many invitations: where a job and each of its rows stand, and what one may hold.

use std::time::Duration;

use super::text::text_enum;

/// Most rows that a job may have.
pub const ROWS_MAX: i64 = 10_000;
/// How often a row is tried while something that it needs is down.
pub const TRIES_MAX: i64 = 12;

/// The first wait for something that is down; doubled with every try.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(30);
/// A job looks more often than a single row whether things are up again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

text_enum!(
    /// Where a job stands.
    JobStatus {
        /// Its rows still come in. Not shown.
        Receiving = "receiving",
        Queued = "queued",
        Running = "running",
        Done = "done",
        Cancelled = "cancelled",
        /// It is being removed. Not shown.
        Discarded = "discarded",
    }
);

impl JobStatus {
    /// Those of a job that is still worked on.
    pub const OPEN: [&'static str; 2] = [Self::Queued.as_str(), Self::Running.as_str()];
    /// Those of a job that is over.
    pub const OVER: [&'static str; 2] = [Self::Done.as_str(), Self::Cancelled.as_str()];
    /// Those that callers see.
    pub const SHOWN: [&'static str; 4] =
        [Self::Queued.as_str(), Self::Running.as_str(), Self::Done.as_str(), Self::Cancelled.as_str()];

    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

text_enum!(
    /// Where a row stands.
    RowStatus {
        Pending = "pending",
        Issued = "issued",
        Failed = "failed",
        /// Of a dry run: it could be issued.
        Valid = "valid",
        /// The job was cancelled before its turn.
        Cancelled = "cancelled",
    }
);

/// How long a row waits after its `tries`-th try found something down; `None` when it is given up.
#[must_use]
pub fn wait_of_row(tries: i64) -> Option<Duration> {
    (tries < TRIES_MAX).then(|| doubled(tries - 1).min(LONGEST_WAIT))
}

/// How long a job pauses after `stalls` turns in a row that found something down.
#[must_use]
pub fn pause_of_job(stalls: i64) -> Duration {
    if stalls == 0 { Duration::ZERO } else { doubled(stalls - 1).min(LONGEST_PAUSE) }
}

fn doubled(times: i64) -> Duration {
    FIRST_WAIT.saturating_mul(2u32.saturating_pow(u32::try_from(times.clamp(0, 16)).unwrap_or(16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_outlasts_an_outage_of_an_hour_but_not_a_day() {
        let waits: Vec<Duration> = (1..).map_while(wait_of_row).collect();
        assert_eq!(waits.first(), Some(&Duration::from_secs(5)));
        assert!(waits.is_sorted());
        let all: Duration = waits.iter().sum();
        assert!(all > Duration::from_hours(1) && all < Duration::from_hours(24), "{all:?}");
    }

    #[test]
    fn a_job_that_goes_on_does_not_pause_and_one_that_stalls_looks_every_minute() {
        assert_eq!(pause_of_job(0), Duration::ZERO);
        assert_eq!(pause_of_job(1), Duration::from_secs(5));
        assert_eq!(pause_of_job(50), Duration::from_mins(1));
    }
}
