//! Secrets that cannot be printed: no `Debug`, no `Display`, no `Serialize`, wiped when dropped.
//!
//! Whoever needs the text says so with `expose()`, which is easy to find in a review.

use zeroize::Zeroizing;

/// A secret text, such as a configured credential.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The password a person chose. Lives in memory only, for one call to the directory.
#[derive(Clone)]
pub struct Password(Secret);

impl Password {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
