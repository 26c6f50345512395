//! What a gateway reports of a message that it took: which message, what became of it, and which report counts.
//!
//! Reports come twice, late and in any order. The one that weighs most counts, whenever it came, so that the same reports end the same.

use super::ids::TenantId;
use super::invitation::Channel;
use super::message::DeliveryState;
use super::text::{one_line, text_enum};

/// Longest code of a vendor that is kept.
const CODE_MAX: usize = 32;

text_enum!(
    /// What became of a message, in the words that its error begins with. Each weighs more than those above it: of several reports on a message
    /// the last one in this order counts.
    #[derive(PartialOrd, Ord)]
    ReceiptKind {
        /// The gateway gave up after a passing trouble: a full mailbox, a phone that is off. It is not the last word: what arrived after all
        /// arrived, and what is said so after a delivery is an answering machine.
        SoftBounce = "soft_bounce",
        Delivered = "delivered",
        /// The gateway, or a filter on the way, did not want the message.
        Rejected = "rejected",
        /// The gateway does not send to this address any more: it bounced, complained or opted out before.
        Suppressed = "suppressed",
        /// The address does not exist, or will never take mail.
        HardBounce = "hard_bounce",
        /// It arrived and was reported as spam.
        Complained = "complained",
    }
);

impl ReceiptKind {
    /// Where a message stands of which this is what counts.
    #[must_use]
    pub const fn state(self) -> DeliveryState {
        match self {
            Self::Delivered => DeliveryState::Delivered,
            Self::SoftBounce | Self::Rejected | Self::Suppressed | Self::HardBounce | Self::Complained => {
                DeliveryState::Bounced
            }
        }
    }

    /// The reports that it takes the place of.
    pub fn outweighs(self) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |other| *other < self)
    }

    /// Whether it changes anything about a message in `state` whose last error was `error`. Only what a gateway took can be reported on.
    #[must_use]
    pub fn is_news(self, state: DeliveryState, error: Option<&str>) -> bool {
        let counts = match state {
            DeliveryState::Sent => return true,
            DeliveryState::Delivered => Some(Self::Delivered),
            DeliveryState::Bounced => error.and_then(Receipt::kind_of),
            _ => None,
        };
        counts.is_some_and(|counts| counts < self)
    }
}

/// Where a report was posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The tenant that the route names; without one, any tenant's messages are meant.
    pub tenant: Option<TenantId>,
    pub channel: Channel,
    pub provider: String,
    pub request_id: Option<String>,
}

/// One report. Holds no address and none of the vendor's words but a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The gateway's own id of the message, as it answered when it took it; or ours, where the gateway gives that back.
    pub provider_id: String,
    pub kind: ReceiptKind,
    /// The vendor's or the mail server's code, such as `5.1.1`.
    code: Option<String>,
}

impl Receipt {
    /// `None` when the id can't be one that is kept. A code that is more than a code is left out.
    #[must_use]
    pub fn new(provider_id: &str, kind: ReceiptKind, code: Option<&str>) -> Option<Self> {
        one_line(provider_id, 255).ok()?;
        let is_code = |code: &&str| {
            let is_code_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            !code.is_empty() && code.len() <= CODE_MAX && code.bytes().all(is_code_char)
        };
        Some(Self { provider_id: provider_id.to_owned(), kind, code: code.filter(is_code).map(str::to_owned) })
    }

    /// The vendor's or the mail server's code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What is written down as the delivery's error: the kind, and the code if there is one. `None` when it arrived.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        let kind = self.kind.as_str();
        match (self.kind, &self.code) {
            (ReceiptKind::Delivered, _) => None,
            (_, Some(code)) => Some(format!("{kind}:{code}")),
            (_, None) => Some(kind.to_owned()),
        }
    }

    /// The kind that such an error tells of.
    #[must_use]
    pub fn kind_of(error: &str) -> Option<ReceiptKind> {
        ReceiptKind::parse(error.split(':').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use DeliveryState as S;
    use ReceiptKind as R;
    use proptest::prelude::*;

    use super::*;

    /// State and error after these reports on a message that was sent.
    fn after(reports: &[R]) -> (S, Option<String>) {
        reports.iter().fold((S::Sent, None), |(state, error), report| {
            let receipt = Receipt::new("id", *report, None).unwrap();
            if report.is_news(state, error.as_deref()) { (report.state(), receipt.error()) } else { (state, error) }
        })
    }

    fn bounced(kind: R) -> (S, Option<String>) {
        (S::Bounced, Some(kind.as_str().to_owned()))
    }

    const DELIVERED: (S, Option<String>) = (S::Delivered, None);

    /// Every order of the reports.
    fn permutations(reports: &[R]) -> Vec<Vec<R>> {
        if reports.is_empty() {
            return vec![Vec::new()];
        }
        let each = (0..reports.len()).flat_map(|first| {
            let rest = [&reports[..first], &reports[first + 1..]].concat();
            permutations(&rest).into_iter().map(move |rest| [&[reports[first]][..], &rest].concat())
        });
        each.collect()
    }

    proptest! {
        #[test]
        fn every_order_of_the_same_reports_ends_the_same(
            reports in prop::collection::vec(prop::sample::select(R::ALL), 0..6)
        ) {
            let end = after(&reports);
            for order in permutations(&reports) {
                prop_assert_eq!(&after(&order), &end, "{:?}", order);
            }
        }
    }

    #[test]
    fn a_report_that_comes_twice_changes_nothing() {
        for report in R::ALL {
            let (state, error) = after(&[*report]);
            assert!(!report.is_news(state, error.as_deref()), "{report:?}");
        }
    }

    #[test]
    fn what_arrived_can_come_back_but_not_for_a_passing_trouble() {
        for bounce in [R::HardBounce, R::Suppressed, R::Complained, R::Rejected] {
            assert_eq!(after(&[R::Delivered, bounce]), bounced(bounce));
            assert_eq!(after(&[bounce, R::Delivered]), bounced(bounce), "a late delivery");
        }
        assert_eq!(after(&[R::Delivered, R::SoftBounce]), DELIVERED);
    }

    #[test]
    fn a_passing_trouble_is_not_the_last_word() {
        assert_eq!(after(&[R::SoftBounce]), bounced(R::SoftBounce));
        assert_eq!(after(&[R::SoftBounce, R::Delivered]), DELIVERED);
        assert_eq!(after(&[R::SoftBounce, R::HardBounce]), bounced(R::HardBounce));
        assert_eq!(after(&[R::HardBounce, R::SoftBounce]), bounced(R::HardBounce));
    }

    #[test]
    fn only_what_a_gateway_took_can_be_reported_on() {
        let taken = [S::Sent, S::Delivered, S::Bounced];
        for state in S::ALL.iter().filter(|state| !taken.contains(state)) {
            for report in R::ALL {
                assert!(!report.is_news(*state, Some("soft_bounce")), "{report:?} of {state:?}");
            }
        }
    }

    #[test]
    fn what_is_outweighed_is_what_the_report_is_news_after() {
        for report in R::ALL {
            let outweighed: Vec<R> = report.outweighs().collect();
            for before in R::ALL {
                let (state, error) = after(&[*before]);
                assert_eq!(
                    report.is_news(state, error.as_deref()),
                    outweighed.contains(before),
                    "{before:?}, {report:?}"
                );
            }
        }
    }

    #[test]
    fn no_kind_is_the_beginning_of_another() {
        for kind in R::ALL {
            let alike = R::ALL.iter().filter(|other| other.as_str().starts_with(kind.as_str()));
            assert_eq!(alike.count(), 1, "{kind:?}: errors are found by what they begin with");
        }
    }

    #[test]
    fn an_error_has_a_code_and_never_words() {
        let error = |kind, code| Receipt::new("id", kind, code).unwrap().error();
        assert_eq!(error(R::HardBounce, Some("5.1.1")).as_deref(), Some("hard_bounce:5.1.1"));
        assert_eq!(error(R::Suppressed, None).as_deref(), Some("suppressed"));
        assert_eq!(error(R::Rejected, Some("550 alex@example.com unknown")).as_deref(), Some("rejected"));
        assert_eq!(error(R::Rejected, Some("alex@example.com")).as_deref(), Some("rejected"));
        assert_eq!(error(R::Delivered, Some("250")), None);
        assert_eq!(Receipt::kind_of("hard_bounce:5.1.1"), Some(R::HardBounce));
        assert_eq!(Receipt::kind_of("http_422"), None);
        assert_eq!(Receipt::new("", R::Delivered, None), None);
        assert_eq!(Receipt::new("a\nb", R::Delivered, None), None);
    }
}
