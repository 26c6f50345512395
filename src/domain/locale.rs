//! Language tags, and which of several texts somebody gets to read.

use icu_locale_core::Locale as Tag;

/// Longest language tag that is taken, in characters.
pub const TAG_MAX: usize = 35;

/// A language tag in its canonical form: language, and perhaps script, region and variants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale(String);

impl Locale {
    /// Reads a tag, in any case: `DE-ch` becomes `de-CH`. What is said of calendars and the like is dropped.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let tag = (tag.len() <= TAG_MAX).then(|| tag.parse::<Tag>().ok())??.id;
        (!tag.language.is_unknown()).then(|| Self(tag.to_string()))
    }

    /// The built-in language that is always there.
    #[must_use]
    pub fn english() -> Self {
        Self("en".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same with one word less: `de-CH` → `de`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('-').map(|(parent, _)| Self(parent.to_owned()))
    }
}

/// Whose text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The tenant's own.
    Tenant,
    /// It comes with the service.
    BuiltIn,
}

/// A text that was chosen, and the locale that it was found under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen<T> {
    pub origin: Origin,
    pub locale: Locale,
    pub text: T,
}

/// Where to look, nearest first: the locale wanted and its parents, then the tenant's and its parents. Tags that are none are
/// passed over.
#[must_use]
pub fn chain(wanted: &str, tenant: &str) -> Vec<Locale> {
    let mut found = Vec::new();
    for start in [wanted, tenant] {
        let mut next = Locale::parse(start);
        while let Some(locale) = next {
            next = locale.parent();
            if !found.contains(&locale) {
                found.push(locale);
            }
        }
    }
    found
}

/// The text to use: the tenant's own along the chain, else the built-in one along the chain, else the built-in English one.
pub fn choose<T>(
    chain: &[Locale],
    mut own: impl FnMut(&Locale) -> Option<T>,
    mut built_in: impl FnMut(&Locale) -> Option<T>,
) -> Option<Chosen<T>> {
    let first =
        |origin, locale: &Locale, text: Option<T>| text.map(|text| Chosen { origin, locale: locale.clone(), text });
    let tenants = chain.iter().find_map(|locale| first(Origin::Tenant, locale, own(locale)));
    let english = Locale::english();
    let mut ours = chain.iter().chain([&english]);
    tenants.or_else(|| ours.find_map(|locale| first(Origin::BuiltIn, locale, built_in(locale))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(wanted: &str, tenant: &str) -> Vec<String> {
        chain(wanted, tenant).iter().map(|locale| locale.as_str().to_owned()).collect()
    }

    #[test]
    fn tags_have_one_form() {
        let parsed = |tag| Locale::parse(tag).map(|locale| locale.0);
        assert_eq!(parsed("DE-ch").as_deref(), Some("de-CH"));
        assert_eq!(parsed("zh-hant-tw").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(parsed("de-DE-u-co-phonebk").as_deref(), Some("de-DE"));
        for none in ["", "x", "und", "de-", "-", "a b", "de-CH-", "../../etc", "de\0", &"de-".repeat(20)] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }

    #[test]
    fn a_text_is_looked_for_from_near_to_far() {
        assert_eq!(tags("de-CH", "fr-CA"), ["de-CH", "de", "fr-CA", "fr"]);
        assert_eq!(tags("de-CH", "de"), ["de-CH", "de"]);
        assert_eq!(tags("not a tag", "pt-BR"), ["pt-BR", "pt"]);
        assert_eq!(tags("zh-Hant-TW", ""), ["zh-Hant-TW", "zh-Hant", "zh"]);
    }

    #[test]
    fn a_tenants_own_text_comes_before_any_built_in_one() {
        let chosen = |wanted: &str, own: &[&str], built_in: &[&str]| {
            let has = |list: &[&str], locale: &Locale| list.contains(&locale.as_str()).then_some(());
            choose(&chain(wanted, "fr-CA"), |locale| has(own, locale), |locale| has(built_in, locale))
                .map(|chosen| (chosen.origin, chosen.locale.0))
        };
        let is = |origin, locale: &str| Some((origin, locale.to_owned()));
        assert_eq!(chosen("de-CH", &["de", "de-CH"], &["de", "en"]), is(Origin::Tenant, "de-CH"));
        assert_eq!(chosen("de-CH", &["de"], &["de-CH", "en"]), is(Origin::Tenant, "de"));
        assert_eq!(chosen("de-CH", &["fr", "en"], &["de", "en"]), is(Origin::Tenant, "fr"));
        assert_eq!(chosen("de-CH", &["it", "en"], &["de", "en"]), is(Origin::BuiltIn, "de"));
        assert_eq!(chosen("it", &["it-CH"], &["fr", "en"]), is(Origin::BuiltIn, "fr"));
        assert_eq!(chosen("it", &[], &["en"]), is(Origin::BuiltIn, "en"));
        assert_eq!(chosen("it", &[], &[]), None);
    }
}
