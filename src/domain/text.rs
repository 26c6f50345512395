//! What any text that people type may look like, and the macro for closed sets of words.
//!
//! Control characters, line separators and bidirectional overrides are refused wherever text can reach a message, a header or a log.

/// Why a text was refused. Never carries the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("is longer than {0} characters")]
    TooLong(usize),
    #[error("contains a control character, a line break or an invisible direction mark")]
    Control,
    #[error("has characters that are not allowed here")]
    Charset,
    #[error("is not an e-mail address that can be written to")]
    Email,
    #[error("is not a phone number in E.164 form (+ and 7 to 15 digits)")]
    Phone,
}

/// True for characters that could break a line, a header or the reading order of a text.
#[must_use]
pub fn is_unsafe_char(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Accepts 1 to `max` characters of one line of text.
///
/// # Errors
/// [`TextError`] when empty, too long, or not one plain line.
pub fn one_line(text: &str, max: usize) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.chars().count() > max {
        return Err(TextError::TooLong(max));
    }
    if text.chars().any(is_unsafe_char) {
        return Err(TextError::Control);
    }
    Ok(())
}

/// A closed set of words: an enum with its wire and storage form.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every member, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The member written as `text`, if there is one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use text_enum;
