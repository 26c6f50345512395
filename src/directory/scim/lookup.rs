//! Finding a user by name. A directory may ignore filters and answer with everybody, the administrator first: the answer is read page
//! by page then, as far as is reasonable, and only exactly one exact match counts. One that refuses the filter is asked without it.

use serde_json::Value;
use url::Url;

use super::ScimDirectory;
use super::user::{STORE_SEPARATOR, name_in};
use crate::directory::address::is_primary;
use crate::directory::reading::the_only;
use crate::directory::{DirectoryError, DirectoryUser, REFUSED};
use crate::domain::dialect::RealmIn;
use crate::domain::ids::{UserStore, Username, fold};

/// People asked for at once, so that their answer stays within what is read of any.
const PAGE: usize = 20;
/// Pages that are read at most: a directory with more people than that has to know filters.
const PAGES_MAX: usize = 50;

/// Those of the name, with what was seen of everybody.
#[derive(Default)]
struct Search {
    matching: Vec<Value>,
    seen: usize,
    /// Whom the page before began with.
    first: Option<Value>,
}

impl ScimDirectory {
    pub(in crate::directory) async fn find_user(
        &self,
        store: UserStore<'_>,
        username: &Username,
    ) -> Result<DirectoryUser, DirectoryError> {
        // A name that says another user store would be somebody else's account under a name of ours.
        if self.dialect.realm_in != RealmIn::Path && username.as_str().contains(STORE_SEPARATOR) {
            return Err(DirectoryError::NotFound);
        }
        let all = tokio::time::timeout(self.caller.timeout, self.matching(store, username)).await;
        let matching = all.map_err(|_| DirectoryError::NotApplied("timeout"))?.map_err(|error| match error {
            // Nobody is a list too: it is the list that is not there.
            DirectoryError::NotFound => DirectoryError::NoSuchStore,
            error => error,
        })?;
        self.user(&the_only(matching)?, None, store)
    }

    /// Everybody of this name; [`DirectoryError::Ambiguous`] when there may be more that was not seen.
    async fn matching(&self, store: UserStore<'_>, username: &Username) -> Result<Vec<Value>, DirectoryError> {
        match self.search(self.query(store, username, true)?, store, username).await {
            // It knows no filters, and says so (RFC 7644 §3.4.2.2 `invalidFilter`, or 501).
            Err(DirectoryError::NotApplied(REFUSED)) => {
                self.search(self.query(store, username, false)?, store, username).await
            }
            found => found,
        }
    }

    async fn search(&self, url: Url, store: UserStore<'_>, username: &Username) -> Result<Vec<Value>, DirectoryError> {
        let mut search = Search::default();
        for _ in 0..PAGES_MAX {
            let mut page = url.clone();
            page.query_pairs_mut()
                .append_pair("startIndex", &(search.seen + 1).to_string())
                .append_pair("count", &PAGE.to_string());
            let (list, _) = self.caller.read(&self.get(page)).await?;
            let wanted = fold(username.as_str());
            let is_wanted = |user: &Value| {
                let name = user.get("userName").and_then(Value::as_str);
                let name = name.and_then(|name| name_in(name, self.dialect.realm_in, store.realm));
                name.is_some_and(|name| fold(name) == wanted)
            };
            if search.take(&list, is_wanted)? {
                return Ok(search.matching);
            }
        }
        Err(DirectoryError::Ambiguous)
    }

    fn query(&self, store: UserStore<'_>, username: &Username, filters: bool) -> Result<Url, DirectoryError> {
        let realm = store.realm.as_str();
        let name = match self.dialect.realm_in {
            RealmIn::Username if !is_primary(store.realm) => format!("{realm}{STORE_SEPARATOR}{}", username.as_str()),
            RealmIn::Path | RealmIn::Domain | RealmIn::Username => username.as_str().to_owned(),
        };
        let mut url = self.users(store, None)?;
        if filters {
            url.query_pairs_mut().append_pair("filter", &format!("userName eq {}", Value::from(name)));
        }
        if self.dialect.realm_in == RealmIn::Domain {
            url.query_pairs_mut().append_pair("domain", realm);
        }
        Ok(url)
    }
}

impl Search {
    /// Takes a page in; true when it was the last one.
    fn take(&mut self, list: &Value, is_wanted: impl Fn(&Value) -> bool) -> Result<bool, DirectoryError> {
        let users = list.get("Resources").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let first = users.first().cloned();
        if first.is_some() && first == self.first {
            // It does not page: the same people again.
            return Err(DirectoryError::Ambiguous);
        }
        self.first = first;
        self.matching.extend(users.iter().filter(|user| is_wanted(user)).cloned());
        self.seen += users.len();
        let total = list.get("totalResults").and_then(Value::as_u64);
        let is_whole = total.is_none_or(|total| usize::try_from(total).is_ok_and(|total| self.seen >= total));
        // What it says that there is besides, it does not show.
        if users.is_empty() && !is_whole { Err(DirectoryError::Ambiguous) } else { Ok(is_whole) }
    }
}
