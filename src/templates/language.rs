//! What a language has to say, and how it says a span of time.
//!
//! A phrase may name the variables of its message. What a phrase says for an e-mail is laid into both its text and its HTML.

use icu_locale_core::LanguageIdentifier;
use icu_plurals::{PluralCategory, PluralRules, PluralRulesOptions};

use super::languages;

/// A unit of time; `{n}` is the number.
pub(super) struct Unit {
    /// For the numbers that the language's plural rules (CLDR) put into the category `one`.
    pub(super) one: &'static str,
    pub(super) other: &'static str,
}

/// What a message says that asks a person to do something.
pub(super) struct Ask {
    pub(super) subject: &'static str,
    /// What the button of the link says.
    pub(super) button: &'static str,
    pub(super) intro: &'static str,
    pub(super) open_link: &'static str,
    pub(super) enter_code: &'static str,
    /// The first sentence of the SMS.
    pub(super) sms: &'static str,
}

/// A language as data.
pub(super) struct Language {
    pub(super) tag: &'static str,
    pub(super) minute: Unit,
    pub(super) hour: Unit,
    pub(super) day: Unit,
    /// Between all parts of a span but the last two.
    pub(super) comma: &'static str,
    /// Between the last two parts of a span.
    pub(super) and: &'static str,
    pub(super) greeting: &'static str,
    pub(super) invitation: Ask,
    pub(super) reset: Ask,
    pub(super) reminder: Ask,
    pub(super) button_fails: &'static str,
    pub(super) link_expires: &'static str,
    pub(super) link_endless: &'static str,
    pub(super) code_expires: &'static str,
    pub(super) code_endless: &'static str,
    pub(super) code_signs_in: &'static str,
    pub(super) never_share: &'static str,
    pub(super) ignore: &'static str,
    pub(super) activation_subject: &'static str,
    pub(super) activated: &'static str,
    pub(super) not_you: &'static str,
    pub(super) sms_expires: &'static str,
    pub(super) sms_endless: &'static str,
    pub(super) sms_enter: &'static str,
    pub(super) sms_activated: &'static str,
}

impl Language {
    /// The language of exactly this tag.
    pub(super) fn find(tag: &str) -> Option<&'static Self> {
        languages::ALL.into_iter().find(|language| language.tag == tag)
    }

    /// The language nearest to a tag: its own, that of a parent, else English.
    pub(super) fn nearest(tag: &str) -> &'static Self {
        let [english, ..] = languages::ALL;
        tag.split('-').next().and_then(Self::find).unwrap_or(english)
    }

    /// A span in words: `90` → `1 hour and 30 minutes`. Up to two days it is said in hours.
    pub(super) fn span(&self, minutes: i64) -> String {
        let (days, hours) = if minutes >= 2880 { (minutes / 1440, minutes % 1440 / 60) } else { (0, minutes / 60) };
        let rest = minutes % 60;
        let parts = [(days, &self.day), (hours, &self.hour), (rest, &self.minute)];
        let mut said: Vec<String> =
            parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, unit)| self.count(count, unit)).collect();
        let Some(last) = said.pop() else { return self.count(0, &self.minute) };
        if said.is_empty() { last } else { format!("{}{}{last}", said.join(self.comma), self.and) }
    }

    pub(super) fn count(&self, count: i64, unit: &Unit) -> String {
        let form = if self.is_one(count) { unit.one } else { unit.other };
        form.replace("{n}", &count.to_string())
    }

    fn is_one(&self, count: i64) -> bool {
        let language: Option<LanguageIdentifier> = self.tag.parse().ok();
        let rules =
            language.and_then(|language| PluralRules::try_new((&language).into(), PluralRulesOptions::default()).ok());
        rules.is_some_and(|rules| rules.category_for(count) == PluralCategory::One)
    }
}
