//! From a payload to the words that a person reads: the built-in English texts.
//!
//! Templates know a fixed set of variables and fail on any other; HTML is escaped by default; a text part is always there.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use crate::domain::message::{Kind, Payload};

/// A template that does not compile, or lacks a variable. Its text is for the log only.
#[derive(Debug, thiserror::Error)]
#[error("a message could not be rendered")]
pub struct RenderError(#[from] minijinja::Error);

/// A finished e-mail. Holds a secret, so it cannot be printed.
pub struct RenderedEmail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The compiled templates.
pub struct Templates(Environment<'static>);

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => { [$(($name, include_str!(concat!("templates/en/", $name)))),+] };
}

const BUILT_IN: [(&str, &str); 15] = built_in![
    "layout.html",
    "invitation_email_link.txt",
    "invitation_email_link.html",
    "invitation_email_otp.txt",
    "invitation_email_otp.html",
    "invitation_sms_otp.txt",
    "password_reset_email_link.txt",
    "password_reset_email_link.html",
    "password_reset_email_otp.txt",
    "password_reset_email_otp.html",
    "password_reset_sms_otp.txt",
    "activation_email.txt",
    "activation_email.html",
    "activation_sms.txt",
    "button.html",
];

impl Templates {
    /// The texts that come with the service.
    ///
    /// # Errors
    /// [`RenderError`] when one does not compile.
    pub fn built_in() -> Result<Self, RenderError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_auto_escape_callback(|name| {
            if name.rsplit('.').next() == Some("html") { AutoEscape::Html } else { AutoEscape::None }
        });
        for (name, source) in BUILT_IN {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    /// Subject, text and HTML of an e-mail.
    ///
    /// # Errors
    /// [`RenderError`] when a variable is missing.
    pub fn email(&self, kind: Kind, payload: &Payload) -> Result<RenderedEmail, RenderError> {
        Ok(RenderedEmail {
            subject: subject(kind).to_owned(),
            text: self.render(kind, "txt", payload)?,
            html: self.render(kind, "html", payload)?,
        })
    }

    /// The text of an SMS.
    ///
    /// # Errors
    /// [`RenderError`] when a variable is missing.
    pub fn sms(&self, kind: Kind, payload: &Payload) -> Result<String, RenderError> {
        Ok(self.render(kind, "txt", payload)?.trim_end().to_owned())
    }

    fn render(&self, kind: Kind, form: &str, payload: &Payload) -> Result<String, RenderError> {
        let template = self.0.get_template(&format!("{}.{form}", kind.as_str()))?;
        let name = payload.name.as_deref().unwrap_or(&payload.username);
        Ok(template.render(context! {
            name => name,
            username => &payload.username,
            link => &payload.link,
            otp => &payload.otp,
            otp_url => &payload.otp_url,
            subject => subject(kind),
            expires => payload.expires_in_minutes.map(in_words),
        })?)
    }
}

const fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::InvitationEmailLink | Kind::InvitationEmailOtp | Kind::InvitationSmsOtp => "Set your password",
        Kind::PasswordResetEmailLink | Kind::PasswordResetEmailOtp | Kind::PasswordResetSmsOtp => "Reset your password",
        Kind::ActivationEmail | Kind::ActivationSms | Kind::AccountSync => "Your password is set",
    }
}

/// `90` → `1 hour and 30 minutes`.
fn in_words(minutes: i64) -> String {
    let unit = |count: i64, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let (days, hours) = if minutes >= 2880 { (minutes / 1440, minutes % 1440 / 60) } else { (0, minutes / 60) };
    let parts = [unit(days, "day"), unit(hours, "hour"), unit(minutes % 60, "minute")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

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

    const EMAILS: [Kind; 5] = [
        Kind::InvitationEmailLink,
        Kind::InvitationEmailOtp,
        Kind::PasswordResetEmailLink,
        Kind::PasswordResetEmailOtp,
        Kind::ActivationEmail,
    ];

    #[test]
    fn names_are_data_in_every_message() {
        let templates = Templates::built_in().unwrap();
        for kind in EMAILS {
            let email = templates.email(kind, &payload()).unwrap();
            assert!(email.html.contains("&lt;b&gt;Alex&lt;&#x2f;b&gt; {{7*7}}"), "{}", email.html);
            assert!(email.text.contains("<b>Alex</b> {{7*7}}"));
            assert!(!email.subject.contains('\n'));
        }
    }

    #[test]
    fn every_message_with_a_secret_has_it_and_says_how_long_it_lives() {
        let templates = Templates::built_in().unwrap();
        for kind in Kind::ALL.iter().copied().filter(|kind| kind.carries_secret()) {
            let text = if kind.as_str().contains("sms") {
                templates.sms(kind, &payload()).unwrap()
            } else {
                let email = templates.email(kind, &payload()).unwrap();
                let secret = if kind.as_str().ends_with("link") { "inv1_x" } else { "Ab3Cd4" };
                assert!(email.html.contains(secret) && email.html.contains("24 hours"), "{}", email.html);
                email.text
            };
            assert!(text.contains("24 hours"), "{text}");
            assert!(text.contains("Ab3Cd4") || text.contains("#token=inv1_x&y"), "{text}");
            let mut endless = payload();
            endless.expires_in_minutes = None;
            let text = if kind.as_str().contains("sms") {
                templates.sms(kind, &endless).unwrap()
            } else {
                templates.email(kind, &endless).unwrap().text
            };
            assert!(text.contains("does not expire"), "{text}");
        }
    }

    #[test]
    fn an_sms_fits_into_two_segments() {
        let mut named = payload();
        named.name = Some("Alexandra".to_owned());
        let text = Templates::built_in().unwrap().sms(Kind::InvitationSmsOtp, &named).unwrap();
        assert!(text.chars().count() <= 306 && text.is_ascii(), "{text}");
    }

    #[test]
    fn spans_are_said_in_words() {
        let said: Vec<_> = [1, 45, 60, 90, 1440, 2880, 2881, 10080].into_iter().map(in_words).collect();
        let expected = [
            "1 minute",
            "45 minutes",
            "1 hour",
            "1 hour and 30 minutes",
            "24 hours",
            "2 days",
            "2 days and 1 minute",
            "7 days",
        ];
        assert_eq!(said, expected);
    }
}
