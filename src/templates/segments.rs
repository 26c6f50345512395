//! How an SMS is counted: its alphabet, and how many segments it takes (3GPP TS 23.038, TS 23.040).

/// Characters of the GSM 7 bit default alphabet; each takes one septet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Characters of its extension table; each takes two septets, which stay together.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// What an SMS costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsSize {
    /// `gsm7` when every character is in that alphabet, else `ucs2`.
    pub encoding: &'static str,
    /// How many messages are paid for.
    pub segments: usize,
    /// Units taken: septets, or UTF-16 code units.
    pub characters: usize,
    /// Units that are still free in the last segment.
    pub remaining: usize,
}

/// Counts a text.
#[must_use]
pub fn sms_size(text: &str) -> SmsSize {
    let septets: Option<Vec<usize>> = text.chars().map(septets).collect();
    match septets {
        Some(widths) => count("gsm7", &widths, 160, 153),
        None => count("ucs2", &text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67),
    }
}

/// Septets that a character takes; `None` when the alphabet lacks it.
fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// One segment of `alone` units, or as many of `joined` units as it takes when no character is cut in two.
fn count(encoding: &'static str, widths: &[usize], alone: usize, joined: usize) -> SmsSize {
    let characters = widths.iter().sum();
    if characters <= alone {
        return SmsSize { encoding, segments: 1, characters, remaining: alone - characters };
    }
    let (segments, used) = widths.iter().fold((1, 0), |(segments, used), width| {
        if used + width > joined { (segments + 1, *width) } else { (segments, used + width) }
    });
    SmsSize { encoding, segments, characters, remaining: joined - used }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> (&'static str, usize, usize, usize) {
        let size = sms_size(text);
        (size.encoding, size.segments, size.characters, size.remaining)
    }

    #[test]
    fn the_alphabet_is_complete() {
        // 128 places: one is the escape to the extension table.
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENSION.chars().count(), 10);
        assert!(EXTENSION.chars().all(|c| !BASIC.contains(c)));
    }

    #[test]
    fn short_texts_take_one_segment() {
        assert_eq!(counted(""), ("gsm7", 1, 0, 160));
        assert_eq!(counted("Grüße à Ñandú".trim_end_matches('ú')), ("gsm7", 1, 12, 148));
        assert_eq!(counted(&"a".repeat(160)), ("gsm7", 1, 160, 0));
        assert_eq!(counted(&"あ".repeat(70)), ("ucs2", 1, 70, 0));
        assert_eq!(counted("código"), ("ucs2", 1, 6, 64), "ó is not in the alphabet");
    }

    #[test]
    fn longer_ones_share_the_room_with_a_header() {
        assert_eq!(counted(&"a".repeat(161)), ("gsm7", 2, 161, 145));
        assert_eq!(counted(&"a".repeat(306)), ("gsm7", 2, 306, 0));
        assert_eq!(counted(&"a".repeat(307)), ("gsm7", 3, 307, 152));
        assert_eq!(counted(&"あ".repeat(71)), ("ucs2", 2, 71, 63));
        assert_eq!(counted(&"あ".repeat(134)), ("ucs2", 2, 134, 0));
        assert_eq!(counted(&"あ".repeat(135)), ("ucs2", 3, 135, 66));
    }

    #[test]
    fn what_takes_two_units_is_not_cut() {
        assert_eq!(counted("€^{}\\[~]|"), ("gsm7", 1, 18, 142));
        assert_eq!(counted(&"€".repeat(80)), ("gsm7", 1, 160, 0));
        // 152 + 2 do not fit into 153: the sign moves on as a whole.
        assert_eq!(counted(&format!("{}€{}", "a".repeat(152), "a".repeat(151))), ("gsm7", 2, 305, 0));
        assert_eq!(counted(&format!("{}€{}", "a".repeat(152), "a".repeat(152))), ("gsm7", 3, 306, 152));
        assert_eq!(counted("😀"), ("ucs2", 1, 2, 68));
        assert_eq!(counted(&format!("{}😀", "あ".repeat(66))).1, 1);
        assert_eq!(counted(&format!("{}😀{}", "あ".repeat(66), "あ".repeat(66))), ("ucs2", 3, 134, 66));
    }
}
