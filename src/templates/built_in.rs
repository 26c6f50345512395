//! The texts that come with the service: phrases of a language laid into the layouts that all languages share.

use super::language::{Ask, Language};
use super::languages;
use crate::domain::invitation::Channel;
use crate::domain::locale::Locale;
use crate::domain::message::{Kind, SecretKind, Template};

/// The locales that every kind of message is built in for.
pub fn built_in_locales() -> impl Iterator<Item = &'static str> {
    languages::ALL.into_iter().map(|language| language.tag)
}

/// The built-in template of a kind in exactly this locale; `None` when there is none.
#[must_use]
pub fn built_in(kind: Kind, locale: &Locale) -> Option<Template> {
    let language = Language::find(locale.as_str())?;
    let phrases = phrases(language, kind);
    let text = |layout: &str| fill(layout, &phrases).trim_end().to_owned();
    match (kind.channel(), kind.secret()) {
        (Channel::Directory | Channel::Webhook, _) => None,
        (Channel::Sms, Some(_)) => {
            Some(Template { subject: None, text: text(include_str!("layouts/sms_otp.txt")), html: None })
        }
        (Channel::Sms, None) => {
            Some(Template { subject: None, text: text(include_str!("layouts/sms_activation.txt")), html: None })
        }
        (Channel::Email, secret) => {
            let (plain, body) = match secret {
                Some(SecretKind::Link) => (include_str!("layouts/link.txt"), include_str!("layouts/link.html")),
                Some(SecretKind::Otp) => (include_str!("layouts/otp.txt"), include_str!("layouts/otp.html")),
                None => (include_str!("layouts/activation.txt"), include_str!("layouts/activation.html")),
            };
            let subject = ask(language, kind).map_or(language.activation_subject, |ask| ask.subject);
            let body = fill(body, &phrases.map(|(name, phrase)| (name, in_html(phrase))));
            let html = in_frame(language.tag, subject, body.trim_end());
            Some(Template { subject: Some(subject.to_owned()), text: text(plain), html: Some(html) })
        }
    }
}

/// A body of HTML in the frame that every e-mail has.
pub(super) fn in_frame(lang: &str, subject: &str, body: &str) -> String {
    fill(include_str!("layouts/frame.html").trim_end(), &[("lang", lang), ("subject", subject), ("body", body)])
}

const fn ask(language: &'static Language, kind: Kind) -> Option<&'static Ask> {
    match kind {
        Kind::InvitationEmailLink | Kind::InvitationEmailOtp | Kind::InvitationSmsOtp => Some(&language.invitation),
        Kind::PasswordResetEmailLink | Kind::PasswordResetEmailOtp | Kind::PasswordResetSmsOtp => Some(&language.reset),
        Kind::ReminderEmailLink | Kind::ReminderEmailOtp | Kind::ReminderSmsOtp => Some(&language.reminder),
        Kind::ActivationEmail | Kind::ActivationSms | Kind::AccountSync | Kind::WebhookEvent => None,
    }
}

/// What stands in a layout as `[[name]]`.
fn phrases(language: &'static Language, kind: Kind) -> [(&'static str, &'static str); 19] {
    let ask = ask(language, kind);
    let of = |phrase: fn(&Ask) -> &'static str| ask.map_or("", phrase);
    [
        ("greeting", language.greeting),
        ("intro", ask.map_or(language.activated, |ask| ask.intro)),
        ("button", of(|ask| ask.button)),
        ("open_link", of(|ask| ask.open_link)),
        ("enter_code", of(|ask| ask.enter_code)),
        ("sms", of(|ask| ask.sms)),
        ("button_fails", language.button_fails),
        ("link_expires", language.link_expires),
        ("link_endless", language.link_endless),
        ("code_expires", language.code_expires),
        ("code_endless", language.code_endless),
        ("code_signs_in", language.code_signs_in),
        ("never_share", language.never_share),
        ("ignore", language.ignore),
        ("not_you", language.not_you),
        ("sms_expires", language.sms_expires),
        ("sms_endless", language.sms_endless),
        ("sms_enter", language.sms_enter),
        ("sms_activated", language.sms_activated),
    ]
}

fn fill<P: AsRef<str>>(layout: &str, phrases: &[(&str, P)]) -> String {
    phrases
        .iter()
        .fold(layout.to_owned(), |filled, (name, phrase)| filled.replace(&format!("[[{name}]]"), phrase.as_ref()))
}

/// A phrase as HTML: the address in it can be followed.
fn in_html(phrase: &str) -> String {
    phrase.replace("{{ otp_url }}", &link_to("otp_url"))
}

/// The address that a variable stands for, in HTML.
pub(super) fn link_to(variable: &str) -> String {
    format!(r#"<a href="{{{{ {variable} }}}}" rel="noreferrer">{{{{ {variable} }}}}</a>"#)
}
