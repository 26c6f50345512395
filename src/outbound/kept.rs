//! What others give out for a time, such as tokens and keys: fetched once for all who need it, renewed in time, and missed by all alike.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::domain::time::Timestamp;

/// How long a failure stands for those who asked while it came about, and just after: each would wait for the whole deadline in its turn.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// The current one.
pub(super) struct Kept<T, E> {
    /// Held while one is fetched, so that only one is.
    state: Mutex<State<T, E>>,
}

struct State<T, E> {
    current: Option<Lent<T>>,
    /// The last failure, and until when nobody asks again.
    failure: Option<(E, Timestamp)>,
}

/// One, and how long it is good for; `None` is for ever.
#[derive(Clone)]
pub(super) struct Lent<T> {
    pub(super) value: T,
    /// From when on another one is asked for.
    pub(super) renew_at: Option<Timestamp>,
    /// Until when this one is used if there is no other.
    pub(super) end: Option<Timestamp>,
}

impl<T, E> Default for Kept<T, E> {
    fn default() -> Self {
        Self { state: Mutex::new(State { current: None, failure: None }) }
    }
}

impl<T: Clone, E: Copy> Kept<T, E> {
    /// One that is good for a call now.
    pub(super) async fn current(
        &self,
        now: Timestamp,
        fetch: impl AsyncFnOnce() -> Result<Lent<T>, E>,
    ) -> Result<T, E> {
        let mut state = self.state.lock().await;
        let is_before = |at: Option<Timestamp>| at.is_none_or(|at| now < at);
        if let Some(lent) = state.current.as_ref().filter(|lent| is_before(lent.renew_at)) {
            return Ok(lent.value.clone());
        }
        let error = match state.failure {
            Some((error, until)) if now < until => error,
            _ => match fetch().await {
                Ok(lent) => {
                    let value = lent.value.clone();
                    *state = State { current: Some(lent), failure: None };
                    return Ok(value);
                }
                Err(error) => {
                    state.failure = Some((error, now.after(PAUSE)));
                    error
                }
            },
        };
        let usable = state.current.as_ref().filter(|lent| is_before(lent.end));
        usable.map(|lent| lent.value.clone()).ok_or(error)
    }

    /// Lets the next call fetch another one, if this is the one that is kept.
    pub(super) async fn forget_if(&self, is_it: impl FnOnce(&T) -> bool) {
        self.state.lock().await.current.take_if(|lent| is_it(&lent.value));
    }
}
