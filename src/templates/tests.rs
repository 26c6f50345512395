use super::language::Language;
use super::*;
use crate::domain::invitation::Channel;
use crate::domain::message::{Kind, Payload};

fn payload() -> Payload {
    Payload {
        to: "alex@example.com".to_owned(),
        name: Some("<b>Alex</b> {{7*7}}".to_owned()),
        username: "alex".to_owned(),
        locale: "en".to_owned(),
        link: Some("https://example.com/set-password#token=inv1_x&y".to_owned()),
        otp: Some("Ab3Cd4".to_owned()),
        otp_url: Some("https://example.com/enter-code".to_owned()),
        expires_in_minutes: Some(1440),
    }
}

/// Subject, text and HTML of the built-in message.
fn said(kind: Kind, tag: &str, payload: &Payload) -> (String, String, String) {
    let template = built_in(kind, tag).unwrap();
    if kind.channel() == Channel::Sms {
        assert_eq!((&template.subject, &template.html), (&None, &None));
        return (String::new(), sms(&template, tag, payload).unwrap(), String::new());
    }
    let mail = email(&template, tag, payload).unwrap();
    (mail.subject, mail.text, mail.html)
}

fn messages() -> impl Iterator<Item = (Kind, &'static str)> {
    let kinds = Kind::ALL.iter().copied().filter(|kind| kind.channel() != Channel::Directory);
    kinds.flat_map(|kind| languages::ALL.map(|language| (kind, language.tag)))
}

#[test]
fn names_are_data_in_every_message() {
    for (kind, tag) in messages().filter(|(kind, _)| kind.channel() == Channel::Email) {
        let (subject, text, html) = said(kind, tag, &payload());
        assert!(html.contains("&lt;b&gt;Alex&lt;&#x2f;b&gt; {{7*7}}"), "{html}");
        assert!(html.contains(&format!("<html lang=\"{tag}\">")), "{html}");
        assert!(text.contains("<b>Alex</b> {{7*7}}"));
        assert!(!subject.is_empty() && !subject.contains('\n'));
    }
}

#[test]
fn every_message_with_a_secret_has_it_and_says_how_long_it_lives() {
    for (kind, tag) in messages().filter(|(kind, _)| kind.carries_secret()) {
        let span = Language::nearest(tag).span(1440);
        let (_, text, html) = said(kind, tag, &payload());
        let secret = if kind.as_str().ends_with("link") { "#token=inv1_x" } else { "Ab3Cd4" };
        for part in [&text, &html].into_iter().filter(|part| !part.is_empty()) {
            assert!(part.contains(secret) && part.contains(&span), "{part}");
        }
        let mut endless = payload();
        endless.expires_in_minutes = None;
        let (_, endless, _) = said(kind, tag, &endless);
        assert!(endless.contains(secret) && !endless.contains(&span), "{endless}");
    }
}

#[test]
fn nothing_is_left_unsaid() {
    for (kind, tag) in messages() {
        let template = built_in(kind, tag).unwrap();
        for source in [template.subject, Some(template.text), template.html].into_iter().flatten() {
            assert!(!source.contains("[[") && !source.contains("]]"), "{source}");
            assert!(source.lines().all(|line| line == line.trim_end()), "{source}");
        }
        let (subject, text, html) = said(kind, tag, &payload());
        for part in [subject, text, html] {
            assert!(!part.replace("{{7*7}}", "").contains('{') && !part.contains("\n\n\n"), "{part}");
        }
    }
}

#[test]
fn an_sms_with_a_code_fits_into_two_segments() {
    let text = said(Kind::InvitationSmsOtp, "en", &payload()).1;
    assert!(text.chars().count() <= 306 && text.is_ascii(), "{text}");
}

#[test]
fn spans_are_said_in_words() {
    let english = Language::nearest("en-GB");
    let said: Vec<_> =
        [0, 1, 45, 60, 90, 1440, 2880, 2881, 10080, 3005].into_iter().map(|minutes| english.span(minutes)).collect();
    let expected = [
        "0 minutes",
        "1 minute",
        "45 minutes",
        "1 hour",
        "1 hour and 30 minutes",
        "24 hours",
        "2 days",
        "2 days and 1 minute",
        "7 days",
        "2 days, 2 hours and 5 minutes",
    ];
    assert_eq!(said, expected);
}
