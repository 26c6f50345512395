//! What every directory says in its own way, made fit to be used.

use super::DirectoryError;
use crate::domain::contact::Phone;
use crate::domain::text::is_unsafe_char;

/// Longest id that is accepted from a directory.
const ID_MAX: usize = 255;

/// Whether an id can be a segment of a path.
pub(super) fn is_usable_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= ID_MAX
        && id != "."
        && id != ".."
        && !id.contains('/')
        && !id.chars().any(is_unsafe_char)
}

/// The one that was found; never one of several.
pub(super) fn the_only<T>(matching: impl IntoIterator<Item = T>) -> Result<T, DirectoryError> {
    let mut matching = matching.into_iter();
    match (matching.next(), matching.next()) {
        (Some(user), None) => Ok(user),
        (Some(_), Some(_)) => Err(DirectoryError::Ambiguous),
        (None, _) => Err(DirectoryError::NotFound),
    }
}

/// A phone number without what people put into one to read it.
pub(super) fn phone_from(text: &str) -> Option<Phone> {
    let digits: String =
        text.trim_start_matches("tel:").chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    Phone::parse(&digits).ok()
}

/// The language of a `preferredLanguage` or `locale`, whichever way it is written.
pub(super) fn language_tag(text: &str) -> Option<String> {
    let tag = text.split([',', ';']).next()?.trim().replace('_', "-");
    let is_tag = !tag.is_empty() && tag.len() <= 35 && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_tag.then_some(tag)
}
