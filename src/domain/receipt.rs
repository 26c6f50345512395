//! What a gateway reports of a message that it took: which message, what became of it, and what may follow what.
//!
//! Reports come twice, late and in any order. A state only ever moves on: what arrived can still come back, what came back stays so.

use super::message::DeliveryState;
use super::text::{one_line, text_enum};

/// Longest code of a vendor that is kept.
const CODE_MAX: usize = 32;

text_enum!(
    /// What became of a message, in the words that its error begins with.
    ReceiptKind {
        Delivered = "delivered",
        /// The address does not exist, or will never take mail.
        HardBounce = "hard_bounce",
        /// The gateway gave up after a passing trouble: a full mailbox, a phone that is off.
        SoftBounce = "soft_bounce",
        /// The gateway does not send to this address any more: it bounced, complained or opted out before.
        Suppressed = "suppressed",
        /// It arrived and was reported as spam.
        Complained = "complained",
        /// The gateway, or a filter on the way, did not want the message.
        Rejected = "rejected",
    }
);

impl ReceiptKind {
    /// Where it takes a message that is in `state`; `None` when it is old news. The one rule of what may follow what.
    #[must_use]
    pub const fn moves(self, state: DeliveryState) -> Option<DeliveryState> {
        match (state, self) {
            (DeliveryState::Sent, Self::Delivered) => Some(DeliveryState::Delivered),
            (DeliveryState::Sent, _) => Some(DeliveryState::Bounced),
            // What follows a delivery softly is an answering machine, not the message that comes back.
            (DeliveryState::Delivered, Self::HardBounce | Self::Suppressed | Self::Complained | Self::Rejected) => {
                Some(DeliveryState::Bounced)
            }
            _ => None,
        }
    }

    /// The states that it takes a message out of, and the one that it takes it to.
    #[must_use]
    pub fn transition(self) -> (Vec<DeliveryState>, Option<DeliveryState>) {
        let from = DeliveryState::ALL.iter().copied().filter(|state| self.moves(*state).is_some());
        (from.collect(), self.moves(DeliveryState::Sent))
    }
}

/// One report. Holds no address and none of the vendor's words but a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The gateway's own id of the message, as it answered when it took it.
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

    use super::*;

    /// The state after these reports.
    fn after(state: S, reports: &[R]) -> S {
        reports.iter().fold(state, |state, report| report.moves(state).unwrap_or(state))
    }

    #[test]
    fn a_report_that_comes_twice_or_late_changes_nothing() {
        assert_eq!(after(S::Sent, &[R::Delivered]), S::Delivered);
        assert_eq!(R::Delivered.moves(S::Delivered), None);
        for bounce in [R::HardBounce, R::SoftBounce, R::Suppressed, R::Complained, R::Rejected] {
            assert_eq!(after(S::Sent, &[bounce]), S::Bounced);
            assert_eq!(after(S::Sent, &[bounce, R::Delivered]), S::Bounced, "a late delivery");
            assert_eq!(bounce.moves(S::Bounced), None);
        }
    }

    #[test]
    fn what_arrived_can_come_back_but_not_for_a_passing_trouble() {
        for bounce in [R::HardBounce, R::Suppressed, R::Complained, R::Rejected] {
            assert_eq!(after(S::Sent, &[R::Delivered, bounce]), S::Bounced);
        }
        assert_eq!(after(S::Sent, &[R::Delivered, R::SoftBounce]), S::Delivered);
    }

    #[test]
    fn every_order_of_the_same_reports_ends_the_same() {
        for bounce in [R::HardBounce, R::Suppressed, R::Complained, R::Rejected] {
            assert_eq!(after(S::Sent, &[bounce, R::Delivered]), after(S::Sent, &[R::Delivered, bounce]));
        }
    }

    #[test]
    fn only_what_a_gateway_took_can_be_reported_on() {
        let taken = [S::Sent, S::Delivered, S::Bounced];
        for state in S::ALL.iter().filter(|state| !taken.contains(state)) {
            for report in R::ALL {
                assert_eq!(report.moves(*state), None, "{report:?} of {state:?}");
            }
        }
    }

    #[test]
    fn a_transition_is_the_rule_turned_around() {
        assert_eq!(R::Delivered.transition(), (vec![S::Sent], Some(S::Delivered)));
        assert_eq!(R::SoftBounce.transition(), (vec![S::Sent], Some(S::Bounced)));
        assert_eq!(R::HardBounce.transition(), (vec![S::Sent, S::Delivered], Some(S::Bounced)));
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
