mod case;

use case::{Case, NOW, ago, ahead, delivery, seen};

use super::*;
use crate::domain::account::{DirectorySync, Hold, LockReason};
use crate::domain::ids::GrantId;
use crate::domain::invitation::RevokeReason;

const RESEND: Option<&str> = Some("resend_invitation");
const ISSUE: Option<&str> = Some("issue_invitation");
const UNLOCK: Option<&str> = Some("unlock_account");

#[test]
fn whom_nobody_knows_has_no_diagnosis() {
    let mut case = Case::nobody();
    case.look = Look::NotFound;
    assert!(case.diagnose().is_none());
    case.look = Look::Unreachable;
    case.expect(&["not_invited", "directory_unreachable"], "wait", None);
    case.look = Look::Ambiguous;
    case.expect(&["user_ambiguous", "not_invited"], "contact_directory_admin", None);
}

#[test]
fn whom_only_the_directory_knows_was_not_invited() {
    let mut case = Case::nobody();
    case.expect(&["not_invited"], "issue", ISSUE);
    case.look = Look::Found(Seen { email: None, ..seen(true) });
    case.expect(&["no_address", "not_invited"], "fix_recipient", None);
    case.look = Look::Found(seen(false));
    case.expect(&["account_disabled", "not_invited"], "contact_directory_admin", None);
    case.look = Look::Found(seen(true));
    case.enabled = false;
    case.expect(&["not_invited", "feature_disabled"], "enable_feature", Some("change_settings"));
    (case.enabled, case.has_gateway) = (true, false);
    case.expect(&["channel_not_configured", "not_invited"], "contact_operator", None);
}

#[test]
fn a_lock_that_is_not_confirmed_is_waited_for() {
    let mut case = Case::new();
    case.of(|invitation| invitation.status = Status::Provisioning);
    case.on(|account| (account.directory, account.hold) = (DirectorySync::Pending, Hold::None));
    case.sync = Some(delivery(DeliveryState::Ready, 3, Some("directory_unavailable")));
    case.message = Some(delivery(DeliveryState::Held, 0, None));
    case.look = Look::Unreachable;
    let codes = ["lock_not_confirmed", "directory_unreachable", "directory_sync_pending", "message_held"];
    let diagnosis = case.expect(&codes, "wait", None);
    assert_eq!(diagnosis.next_action.not_before, Some(ahead(2)));
    let first = &diagnosis.findings[0];
    assert!(first.detail.contains("of 3") && first.detail.contains("directory_unavailable"), "{}", first.detail);
    assert_eq!(first.since, Some(ago(60)));
}

#[test]
fn what_became_of_the_message_decides() {
    use DeliveryState as D;
    let cases = [
        (D::Scheduled, 0, None, "message_scheduled", "wait"),
        (D::Ready, 0, None, "message_queued", "wait"),
        (D::Sending, 1, None, "message_sending", "wait"),
        (D::Ready, 2, Some("http_503"), "message_retrying", "wait"),
        (D::Sent, 1, None, "message_sent", "resend"),
        (D::Bounced, 1, Some("hard_bounce:5.1.1"), "message_bounced", "fix_recipient"),
        (D::Bounced, 1, Some("suppressed"), "message_bounced", "fix_recipient"),
        (D::Bounced, 1, Some("complained"), "message_bounced", "fix_recipient"),
        (D::Bounced, 1, Some("soft_bounce:4.2.2"), "message_bounced", "resend"),
        (D::Bounced, 1, Some("rejected:30007"), "message_bounced", "resend"),
        (D::Delivered, 1, None, "message_delivered", "resend"),
        (D::Failed, 24, Some("gave_up:http_503"), "message_failed", "resend"),
        (D::Failed, 1, Some("http_422"), "message_failed", "fix_recipient"),
        (D::Expired, 1, None, "message_expired", "resend"),
    ];
    for (state, attempts, error, code, action) in cases {
        let mut case = Case::new();
        case.message = Some(delivery(state, attempts, error));
        let diagnosis = case.diagnose().unwrap();
        let finding = diagnosis.findings.iter().find(|finding| finding.code.as_str() == code).expect(code);
        assert_eq!(diagnosis.next_action.code.as_str(), action, "{code}");
        assert!(error.is_none_or(|error| finding.detail.contains(error)), "{}", finding.detail);
    }
}

#[test]
fn a_message_that_was_just_sent_may_be_on_its_way() {
    let mut case = Case::new();
    case.message.as_mut().unwrap().updated_at = ago(1);
    let diagnosis = case.expect(&["awaiting_password", "message_sent"], "wait", None);
    assert_eq!(diagnosis.next_action.not_before, Some(ahead(9)));
    case.message = None;
    case.expect(&["awaiting_password", "not_sent_by_us"], "resend", RESEND);
}

#[test]
fn an_address_that_is_wrong_is_to_be_mended_first() {
    let mut case = Case::new();
    case.look = Look::Found(Seen { email: Email::parse("new@example.com").ok(), ..seen(false) });
    let diagnosis = case.expect(&["address_changed", "awaiting_password", "message_sent"], "fix_recipient", ISSUE);
    assert!(diagnosis.findings[0].detail.contains("a•••@example.com"), "{}", diagnosis.findings[0].detail);
    case.of(|invitation| invitation.person.email = None);
    case.look = Look::Found(Seen { email: None, ..seen(false) });
    case.expect(&["no_address", "awaiting_password", "message_sent"], "fix_recipient", ISSUE);
}

#[test]
fn a_missing_gateway_is_the_operators() {
    let mut case = Case::new();
    case.has_gateway = false;
    case.message = Some(delivery(DeliveryState::Ready, 4, Some("channel_not_configured")));
    case.expect(&["channel_not_configured", "message_retrying", "awaiting_password"], "contact_operator", None);
}

#[test]
fn what_ran_out_is_sent_again_or_issued_anew() {
    let mut case = Case::new();
    case.of(|invitation| invitation.expires_at = Some(ago(1)));
    let codes = ["locked_without_invitation", "expired", "message_sent"];
    let diagnosis = case.expect(&codes, "resend", RESEND);
    assert_eq!(diagnosis.findings[1].since, Some(ago(1)));
    case.resendable = false;
    case.expect(&["locked_without_invitation", "expired", "resend_limit", "message_sent"], "issue", ISSUE);
    case.enabled = false;
    let codes = ["locked_without_invitation", "expired", "feature_disabled", "resend_limit", "message_sent"];
    case.expect(&codes, "enable_feature", Some("change_settings"));
}

#[test]
fn what_runs_out_soon_is_said() {
    let mut case = Case::new();
    case.of(|invitation| invitation.expires_at = Some(ahead(15)));
    case.expect(&["expiring_soon", "awaiting_password", "message_sent"], "resend", RESEND);
    case.of(|invitation| invitation.expires_at = Some(ahead(61)));
    case.expect(&["awaiting_password", "message_sent"], "resend", RESEND);
}

#[test]
fn used_up_budgets_have_their_own_ways_out() {
    let mut case = Case::code();
    case.traces = Traces { wrong_codes: 2, last_wrong_code: Some(ago(3)), ..Traces::default() };
    case.of(|invitation| invitation.attempts_left = Some(3));
    case.expect(&["wrong_codes_tried", "awaiting_password", "message_sent"], "none", None);
    case.of(|invitation| invitation.attempts_left = Some(0));
    let diagnosis = case.expect(&["attempts_used_up", "awaiting_password", "message_sent"], "resend", RESEND);
    assert_eq!(diagnosis.findings[0].since, Some(ago(3)));
    case.on(|account| account.otp_failures = 20);
    let codes = ["account_attempts_used_up", "attempts_used_up", "awaiting_password", "message_sent"];
    case.expect(&codes, "unlock_account", UNLOCK);
}

#[test]
fn a_link_does_not_care_for_wrong_codes() {
    let mut case = Case::new();
    case.on(|account| account.otp_failures = 20);
    case.expect(&["awaiting_password", "message_sent"], "resend", RESEND);
}

#[test]
fn a_code_that_was_used_without_a_password_needs_another() {
    let mut case = Case::code();
    case.of(|invitation| {
        (invitation.otp_used_at, invitation.grant) = (Some(ago(2)), Some(GrantId::new(NOW, &[4; 10])));
        invitation.grant_expires_at = Some(ahead(8));
    });
    let diagnosis = case.expect(&["code_used", "awaiting_password", "message_sent"], "wait", None);
    assert_eq!(diagnosis.next_action.not_before, Some(ahead(8)));
    case.of(|invitation| invitation.grant_expires_at = Some(ago(1)));
    case.expect(&["code_spent", "awaiting_password", "message_sent"], "resend", RESEND);
}

#[test]
fn a_link_that_was_opened_has_arrived() {
    let mut case = Case::new();
    case.traces = Traces { opened: 3, last_opened: Some(ago(5)), ..Traces::default() };
    case.expect(&["link_opened", "awaiting_password", "message_sent"], "none", None);
}

#[test]
fn older_messages_are_told_from_the_newest() {
    let mut case = Case::code();
    case.of(|invitation| (invitation.generation, invitation.resends) = (3, 2));
    case.traces.wrong_codes = 1;
    let diagnosis =
        case.expect(&["wrong_codes_tried", "superseded", "awaiting_password", "message_sent"], "none", None);
    assert!(diagnosis.findings[0].detail.contains("older message"), "{}", diagnosis.findings[0].detail);
    case.traces = Traces { changed_method: true, ..Traces::default() };
    case.expect(&["method_changed", "awaiting_password", "message_sent"], "resend", RESEND);
}

#[test]
fn an_acceptance_under_way_or_stranded_settles_itself() {
    let mut case = Case::new();
    case.of(|invitation| {
        (invitation.status, invitation.accept_lease_until) = (Status::Accepting, Some(ahead(1)));
        invitation.grant_expires_at = Some(ahead(5));
    });
    let running = case.expect(&["accept_in_progress"], "wait", None);
    assert_eq!(running.next_action.not_before, Some(ahead(1)));
    case.of(|invitation| invitation.accept_lease_until = Some(ago(1)));
    let stranded = case.expect(&["accept_stranded"], "wait", None);
    assert_eq!(stranded.next_action.not_before, Some(ahead(5)));
}

#[test]
fn who_has_a_password_signs_in_with_it() {
    let mut case =
        Case::over(|invitation| (invitation.status, invitation.accepted_at) = (Status::Accepted, Some(ago(7))));
    let diagnosis = case.expect(&["accepted"], "none", None);
    assert_eq!(diagnosis.findings[0].since, Some(ago(7)));
    case.on(|account| account.directory = DirectorySync::Pending);
    case.expect(&["directory_sync_pending", "accepted"], "wait", None);
    case.on(|account| account.directory = DirectorySync::Failed);
    case.expect(&["directory_sync_failed", "accepted"], "unlock_account", UNLOCK);
}

#[test]
fn the_ways_an_invitation_ends_are_told_apart() {
    for (how, code) in [
        (RevokeReason::Administrator, "revoked"),
        (RevokeReason::Declined, "declined"),
        (RevokeReason::Replaced, "replaced"),
        (RevokeReason::UserDeleted, "revoked"),
    ] {
        let mut case =
            Case::over(|invitation| (invitation.status, invitation.revoked_at) = (Status::Revoked, Some(ago(4))));
        case.resendable = false;
        case.of(|invitation| invitation.revoke_reason = Some(how));
        case.expect(&[code], "issue", ISSUE);
    }
    let mut case = Case::over(|invitation| {
        (invitation.status, invitation.revoke_reason) = (Status::Revoked, Some(RevokeReason::PasswordSetElsewhere));
    });
    case.on(|account| account.lock_reason = None);
    case.expect(&["password_set_elsewhere"], "none", None);
    let mut case = Case::over(|invitation| {
        (invitation.status, invitation.failure) = (Status::Failed, Some("outcome_unknown".to_owned()));
    });
    case.message = None;
    let diagnosis = case.expect(&["failed"], "resend", RESEND);
    assert!(diagnosis.findings[0].detail.contains("outcome_unknown"));
}

#[test]
fn locks_of_others_come_before_everything() {
    let mut case = Case::new();
    case.on(|account| account.lock_reason = Some(LockReason::AdminInitiated));
    case.expect(&["locked_by_administrator", "awaiting_password", "message_sent"], "unlock_account", UNLOCK);
    case.on(|account| (account.lock_reason, account.hold) = (None, Hold::Foreign));
    case.expect(&["account_disabled", "awaiting_password", "message_sent"], "contact_directory_admin", None);
    case.look = Look::Found(seen(true));
    case.expect(&["directory_drifted", "awaiting_password", "message_sent"], "resend", RESEND);
}

#[test]
fn a_directory_that_disagrees_has_drifted() {
    let mut case = Case::new();
    case.look = Look::Found(seen(true));
    let diagnosis = case.expect(&["directory_drifted", "awaiting_password", "message_sent"], "resend", RESEND);
    assert!(diagnosis.findings[0].detail.contains("active"));
    let mut case = Case::over(|invitation| invitation.status = Status::Accepted);
    case.look = Look::Found(seen(false));
    case.expect(&["account_disabled", "directory_drifted", "accepted"], "contact_directory_admin", None);
}

#[test]
fn a_drift_that_was_noticed_is_told_with_its_time_also_when_the_directory_is_silent() {
    let mut case = Case::new();
    case.on(|account| account.directory = DirectorySync::Drifted);
    case.look = Look::Unreachable;
    let codes = ["directory_unreachable", "directory_drifted", "awaiting_password", "message_sent"];
    let diagnosis = case.expect(&codes, "resend", RESEND);
    assert_eq!(diagnosis.findings[1].since, Some(ago(59)));
    case.look = Look::Found(seen(false));
    case.expect(&["awaiting_password", "message_sent"], "resend", RESEND);
}

#[test]
fn who_is_gone_or_goes_by_another_name_is_found_out() {
    let mut case = Case::new();
    case.look = Look::NotFound;
    case.expect(&["user_gone", "awaiting_password", "message_sent"], "contact_directory_admin", None);
    case.look = Look::Found(Seen { username: Username::parse("alexandra").unwrap(), ..seen(false) });
    case.expect(&["renamed_in_directory", "awaiting_password", "message_sent"], "resend", RESEND);
}

#[test]
fn the_first_moment_for_a_resend_is_named() {
    let mut case = Case::new();
    case.message = Some(delivery(DeliveryState::Failed, 24, Some("gave_up:http_503")));
    let facts_now = case.diagnose().unwrap().next_action.not_before;
    assert_eq!(facts_now, None, "it is possible already");
}

#[test]
fn every_code_is_explained_in_the_manual() {
    let manual = include_str!("../../../docs/operations.md");
    let codes = FindingCode::ALL.iter().map(|code| code.as_str());
    for code in codes.chain(ActionCode::ALL.iter().map(|code| code.as_str())) {
        assert!(manual.contains(&format!("`{code}`")), "{code}");
    }
}
