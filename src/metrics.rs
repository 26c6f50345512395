//! What is counted and timed, in the text that Prometheus reads (`OpenMetrics` 1.0).
//!
//! Every label is one of a few values of our own making: a route as it is written, a status, an outcome. None is a tenant, a person or an
//! id, so the numbers tell nothing of anybody, and their number does not grow with use.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::invitation::Channel;
use crate::domain::message::Backlog;

/// Upper bounds in seconds: from an answer out of memory to the longest deadline of a call.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// The media type of what [`Metrics::render`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChannel {
    channel: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sent {
    channel: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMethod {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    result: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    event: &'static str,
}

type Gauges = Family<OfChannel, Gauge<f64, AtomicU64>>;
type Counters<L> = Family<L, Counter>;
type Timers<L> = Family<L, Histogram, fn() -> Histogram>;

/// The counters of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Counters<Answered>,
    request_duration: Timers<Route>,
    gateway_calls: Counters<Sent>,
    gateway_call_duration: Timers<OfChannel>,
    directory_calls: Counters<Asked>,
    directory_call_duration: Timers<OfMethod>,
    events: Counters<Named>,
}

/// What is looked at when the numbers are asked for.
pub struct Sight {
    /// Of each gateway that there is, whether it is let alone for now.
    pub gateways: Vec<(Channel, bool)>,
    /// What waits in the outbox; `None` when the database can't tell.
    pub backlog: Option<Vec<Backlog>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("invited");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What runs", version);
        Self {
            requests: counted(&mut registry, "http_requests", "Requests that were answered"),
            request_duration: timed(&mut registry, "http_request_duration", "From a request to its answer"),
            gateway_calls: counted(&mut registry, "gateway_calls", "Messages handed to a gateway, by what it said"),
            gateway_call_duration: timed(&mut registry, "gateway_call_duration", "Of handing a message over"),
            directory_calls: counted(&mut registry, "directory_calls", "Calls to the directory, by what came back"),
            directory_call_duration: timed(&mut registry, "directory_call_duration", "Of one call to the directory"),
            events: counted(&mut registry, "events", "Entries of the audit trail"),
            registry,
        }
    }
}

impl Metrics {
    /// A request was answered; `route` is as it is written, with the names of its parameters.
    pub fn answered(&self, method: &str, route: String, status: u16, took: Duration) {
        let method = known_method(method);
        self.requests.get_or_create(&Answered { method, route: route.clone(), status }).inc();
        self.request_duration.get_or_create(&Route { method, route }).observe(took.as_secs_f64());
    }

    /// A message was handed to a gateway.
    pub fn sent(&self, channel: Channel, outcome: &'static str, took: Duration) {
        let channel = channel.as_str();
        self.gateway_calls.get_or_create(&Sent { channel, outcome }).inc();
        self.gateway_call_duration.get_or_create(&OfChannel { channel }).observe(took.as_secs_f64());
    }

    /// The directory was called; `result` is a status, or why there is none.
    pub fn asked_directory(&self, method: &str, result: String, took: Duration) {
        let method = known_method(method);
        self.directory_calls.get_or_create(&Asked { method, result }).inc();
        self.directory_call_duration.get_or_create(&OfMethod { method }).observe(took.as_secs_f64());
    }

    /// An entry of the audit trail was committed.
    pub fn happened(&self, event: &'static str) {
        self.events.get_or_create(&Named { event }).inc();
    }

    /// All of it, and what is seen right now.
    #[must_use]
    pub fn render(&self, sight: &Sight) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = text::encode_registry(&mut page, &self.registry);
        let _ = text::encode_registry(&mut page, &seen(sight));
        let _ = text::encode_eof(&mut page);
        page
    }
}

/// Gauges of the moment, made anew each time: what is not known now is not there.
fn seen(sight: &Sight) -> Registry {
    let mut registry = Registry::with_prefix("invited");
    let down: Gauges = Family::default();
    let help = "1 while a gateway is let alone, since it failed or refused us again and again";
    registry.register("gateway_down", help, down.clone());
    for (channel, is_down) in &sight.gateways {
        down.get_or_create(&of(*channel)).set(f64::from(u8::from(*is_down)));
    }
    let up: Gauge = Gauge::default();
    up.set(i64::from(sight.backlog.is_some()));
    registry.register("database_up", "1 while the database answers", up);
    if let Some(backlog) = &sight.backlog {
        see_backlog(&mut registry, backlog);
    }
    registry
}

fn see_backlog(registry: &mut Registry, backlog: &[Backlog]) {
    let (due, lag) = (Gauges::default(), Gauges::default());
    registry.register("outbox_due", "What all replicas together could carry out now", due.clone());
    registry.register_with_unit("outbox_lag", "For how long the oldest of it has been due", Unit::Seconds, lag.clone());
    for Backlog { channel, due: count, lag: oldest } in backlog {
        due.get_or_create(&of(*channel)).set(f64::from(*count));
        lag.get_or_create(&of(*channel)).set(oldest.as_secs_f64());
    }
}

fn of(channel: Channel) -> OfChannel {
    OfChannel { channel: channel.as_str() }
}

fn counted<L>(registry: &mut Registry, name: &str, help: &str) -> Counters<L>
where
    L: EncodeLabelSet + Clone + Debug + Eq + Hash + Send + Sync + 'static,
{
    let counters = Counters::default();
    registry.register(name, help, Counters::clone(&counters));
    counters
}

fn timed<L>(registry: &mut Registry, name: &str, help: &str) -> Timers<L>
where
    L: EncodeLabelSet + Clone + Debug + Eq + Hash + Send + Sync + 'static,
{
    let timers = Timers::<L>::new_with_constructor(|| Histogram::new(SECONDS));
    registry.register_with_unit(name, help, Unit::Seconds, timers.clone());
    timers
}

/// A method that somebody has a route for; anything else is a stranger's invention.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(metrics: &Metrics, backlog: Option<Vec<Backlog>>) -> String {
        metrics.render(&Sight { gateways: vec![(Channel::Email, true), (Channel::Sms, false)], backlog })
    }

    #[test]
    fn what_happened_is_counted_and_timed() {
        let metrics = Metrics::default();
        metrics.answered("POST", "/v1/invitations".to_owned(), 201, Duration::from_millis(7));
        metrics.answered("BREW", "-".to_owned(), 404, Duration::ZERO);
        metrics.sent(Channel::Email, "misconfigured", Duration::from_millis(300));
        metrics.asked_directory("GET", "timeout".to_owned(), Duration::from_secs(3));
        metrics.happened("invitation.issued");
        metrics.happened("invitation.issued");
        let page = page(&metrics, Some(Vec::new()));
        for line in [
            r#"invited_http_requests_total{method="POST",route="/v1/invitations",status="201"} 1"#,
            r#"invited_http_requests_total{method="other",route="-",status="404"} 1"#,
            r#"invited_http_request_duration_seconds_bucket{le="0.01",method="POST",route="/v1/invitations"} 1"#,
            r#"invited_gateway_calls_total{channel="email",outcome="misconfigured"} 1"#,
            r#"invited_gateway_call_duration_seconds_bucket{le="0.25",channel="email"} 0"#,
            r#"invited_directory_calls_total{method="GET",result="timeout"} 1"#,
            r#"invited_events_total{event="invitation.issued"} 2"#,
            concat!(r#"invited_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        assert!(page.ends_with("# EOF\n") && page.matches("# EOF").count() == 1);
    }

    #[test]
    fn the_moment_is_seen_and_what_is_not_known_is_not_there() {
        let backlog = Backlog { channel: Channel::Directory, due: 3, lag: Duration::from_millis(2_500) };
        let page = |backlog| page(&Metrics::default(), backlog);
        let (known, unknown) = (page(Some(vec![backlog])), page(None));
        for line in [
            r#"invited_gateway_down{channel="email"} 1.0"#,
            r#"invited_gateway_down{channel="sms"} 0.0"#,
            "invited_database_up 1",
            r#"invited_outbox_due{channel="directory"} 3.0"#,
            r#"invited_outbox_lag_seconds{channel="directory"} 2.5"#,
        ] {
            assert!(known.lines().any(|found| found == line), "{line}\n{known}");
        }
        assert!(unknown.contains("invited_database_up 0") && !unknown.contains("outbox"), "{unknown}");
    }
}
