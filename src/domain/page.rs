//! Parts of lists. Every list is ordered by a time and an id; a page is what follows or precedes a place in that order.
//!
//! A cursor is a place that a caller brings back: bound by a MAC to tenant, list, filter and order, so that none can be made up, taken to
//! another tenant, or used with another filter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ids::TenantId;
use super::keys::{Keyring, MacPurpose};
use super::text::text_enum;
use super::time::Timestamp;

/// Bytes of a cursor's MAC.
const MAC_LEN: usize = 32;

text_enum!(
    /// Which way a list runs.
    Order { Ascending = "asc", Descending = "desc" }
);

/// A place in a list: what a row is ordered by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub at: Timestamp,
    pub id: String,
}

/// From where a page goes on. Both are exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// The list's beginning.
    Start,
    After(Place),
    Before(Place),
}

/// The part of a list that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    pub limit: usize,
    pub order: Order,
    pub edge: Edge,
}

/// A page, in the order of its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The first item's place, when there is a page before this one.
    pub before: Option<Place>,
    /// The last item's place, when there is a page after this one.
    pub after: Option<Place>,
}

impl Slice {
    /// Whether rows are read from older to newer: a page before a place is read backwards.
    #[must_use]
    pub const fn reads_ascending(&self) -> bool {
        matches!(
            (self.order, &self.edge),
            (Order::Ascending, Edge::Start | Edge::After(_)) | (Order::Descending, Edge::Before(_))
        )
    }

    /// The place beyond which rows are read.
    #[must_use]
    pub const fn from(&self) -> Option<&Place> {
        match &self.edge {
            Edge::Start => None,
            Edge::After(place) | Edge::Before(place) => Some(place),
        }
    }

    /// How many rows to read: one more than wanted tells whether there is more.
    #[must_use]
    pub fn reads(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The first rows, in reading direction, of several reads of [`Slice::reads`] rows each.
    #[must_use]
    pub fn merge<T>(&self, reads: Vec<Vec<T>>, place: impl Fn(&T) -> Place) -> Vec<T> {
        let mut rows: Vec<T> = reads.into_iter().flatten().collect();
        rows.sort_by_cached_key(place);
        if !self.reads_ascending() {
            rows.reverse();
        }
        rows.truncate(self.limit.saturating_add(1));
        rows
    }

    /// The page of the rows that were read, at most [`Slice::reads`], in reading direction.
    #[must_use]
    pub fn page<T>(&self, mut rows: Vec<T>, place: impl Fn(&T) -> Place) -> Page<T> {
        let is_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let (has_before, has_after) = match &self.edge {
            Edge::Start => (false, is_more),
            Edge::After(_) => (true, is_more),
            Edge::Before(_) => {
                rows.reverse();
                (is_more, true)
            }
        };
        let before = rows.first().filter(|_| has_before).map(&place);
        let after = rows.last().filter(|_| has_after).map(&place);
        Page { items: rows, before, after }
    }
}

impl<T> Page<T> {
    /// The same page of what becomes of its items.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), before: self.before, after: self.after }
    }
}

/// What a cursor is good for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub tenant: &'a TenantId,
    /// The list's name.
    pub list: &'a str,
    /// The filter and the order, the same text for the same list.
    pub filter: &'a str,
}

impl Scope<'_> {
    fn bind<T>(&self, place: &str, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        then(&[self.tenant.as_str().as_bytes(), self.list.as_bytes(), self.filter.as_bytes(), place.as_bytes()])
    }
}

/// The place as a cursor: base64url of `MAC, kid:millis:id`.
#[must_use]
pub fn seal(keys: &Keyring, scope: &Scope<'_>, place: &Place) -> String {
    let text = format!("{}:{}:{}", keys.signing_kid(), place.at.millis(), place.id);
    let mac = scope.bind(&text, |parts| keys.mac(MacPurpose::Cursor, parts));
    URL_SAFE_NO_PAD.encode([mac.as_slice(), text.as_bytes()].concat())
}

/// The place of a cursor that [`seal`] made for the same scope; `None` for anything else.
#[must_use]
pub fn open(keys: &Keyring, scope: &Scope<'_>, cursor: &str) -> Option<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (mac, text) = bytes.split_at_checked(MAC_LEN)?;
    let text = std::str::from_utf8(text).ok()?;
    let mut fields = text.splitn(3, ':');
    let (kid, millis, id) = (fields.next()?, fields.next()?, fields.next()?);
    if !scope.bind(text, |parts| keys.verify_mac(kid, MacPurpose::Cursor, parts, mac)) {
        return None;
    }
    Some(Place { at: Timestamp::from_millis(millis.parse().ok()?), id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> Keyring {
        Keyring::new([("k1", &[1; 32])]).unwrap()
    }

    fn place(at: i64) -> Place {
        Place { at: Timestamp::from_millis(at), id: format!("inv_{at}") }
    }

    fn slice(order: Order, edge: Edge) -> Slice {
        Slice { limit: 2, order, edge }
    }

    #[test]
    fn a_cursor_is_good_for_its_tenant_list_filter_and_nothing_else() {
        let (acme, other) = (TenantId::parse("acme").unwrap(), TenantId::parse("other").unwrap());
        let scope = Scope { tenant: &acme, list: "invitations", filter: "desc&status=pending" };
        let cursor = seal(&keys(), &scope, &place(7));
        assert_eq!(open(&keys(), &scope, &cursor), Some(place(7)));
        for wrong in [
            Scope { tenant: &other, ..scope },
            Scope { list: "deliveries", ..scope },
            Scope { filter: "asc&status=pending", ..scope },
        ] {
            assert_eq!(open(&keys(), &wrong, &cursor), None);
        }
        assert_eq!(open(&Keyring::new([("k1", &[2; 32])]).unwrap(), &scope, &cursor), None);
    }

    #[test]
    fn no_change_of_a_cursor_is_taken() {
        let tenant = TenantId::default_tenant();
        let scope = Scope { tenant: &tenant, list: "invitations", filter: "" };
        let cursor = seal(&keys(), &scope, &place(7));
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(open(&keys(), &scope, &changed), Some(place(8)));
            assert!(changed == cursor || open(&keys(), &scope, &changed).is_none(), "position {at}");
            assert!(open(&keys(), &scope, &cursor[..at]).is_none());
        }
    }

    #[test]
    fn a_page_knows_what_is_around_it() {
        let page = |slice: &Slice, rows: Vec<i64>| slice.page(rows, |at| place(*at));
        let forward = slice(Order::Descending, Edge::Start);
        assert_eq!(page(&forward, vec![9, 8, 7]), Page { items: vec![9, 8], before: None, after: Some(place(8)) });
        let onward = slice(Order::Descending, Edge::After(place(8)));
        assert!(!onward.reads_ascending());
        assert_eq!(page(&onward, vec![7]), Page { items: vec![7], before: Some(place(7)), after: None });
        let back = slice(Order::Descending, Edge::Before(place(7)));
        assert!(back.reads_ascending());
        assert_eq!(page(&back, vec![8, 9]), Page { items: vec![9, 8], before: None, after: Some(place(8)) });
    }

    #[test]
    fn several_reads_make_one() {
        let reads = vec![vec![place(1), place(4)], vec![place(2), place(3)]];
        let merged = slice(Order::Ascending, Edge::Start).merge(reads.clone(), Place::clone);
        assert_eq!(merged, [place(1), place(2), place(3)]);
        let merged = slice(Order::Descending, Edge::Start).merge(reads, Place::clone);
        assert_eq!(merged, [place(4), place(3), place(2)]);
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,120}") {
            let tenant = TenantId::default_tenant();
            let scope = Scope { tenant: &tenant, list: "", filter: "" };
            prop_assert!(open(&keys(), &scope, &text).is_none());
        }
    }
}
