//! The query of a list: filters taken by name, then `limit`, `order`, `after` and `before`. What nobody took is refused.
//!
//! ```text
//! let filter = filter(&mut query)?;                                        // takes its parameters
//! let part = query.part(&state.service, &caller.tenant, "invitations")?;   // takes the rest, opens the cursor
//! let page = state.service.list_…(caller, filter, part.slice()).await?;
//! let links = part.links(&page);                                           // cursors for the answer
//! ```

use std::future::{Ready, ready};

use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{realm, username};
use super::problem::Problem;
use crate::domain::ids::{Realm, TenantId, Username};
use crate::domain::page::{Edge, Order, Page, Scope, Slice};
use crate::domain::time::Timestamp;
use crate::service::Service;

const LIMIT: usize = 20;
const LIMIT_MAX: usize = 100;

/// The parameters of a list that nobody has taken yet.
pub(super) struct ListQuery {
    left: Vec<(String, String)>,
    /// What a cursor is bound to: the filters.
    filter: String,
    order: Order,
}

/// Cursors to the pages around this one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageLinks {
    /// To be sent as `after`, with the same filters, for the page after this one; null when there is none.
    after: Option<String>,
    /// To be sent as `before`, with the same filters, for the page before this one; null when there is none.
    before: Option<String>,
}

impl FromRequest for ListQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::read(request.query_string())))
    }
}

pub(super) fn refuse(name: &str, code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::field(StatusCode::BAD_REQUEST, name, code, detail)
}

impl ListQuery {
    fn read(query: &str) -> Self {
        let left: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut bound: Vec<_> =
            left.iter().filter(|(name, _)| !matches!(name.as_str(), "limit" | "order" | "after" | "before")).collect();
        bound.sort();
        let filter = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(bound).finish();
        Self { left, filter, order: Order::Descending }
    }

    /// The value of a parameter that may be there once.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.left.extract_if(.., |(found, _)| found == name).map(|(_, value)| value);
        let value = values.next();
        if values.next().is_some() {
            return Err(refuse(name, "duplicate_parameter", "may be there once"));
        }
        Ok(value)
    }

    /// As [`ListQuery::text`], read by `parse`; `expected` says what it takes.
    pub(super) fn one<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| refuse(name, "invalid_value", format!("must be {expected}")))
    }

    /// The values of a parameter that may be repeated, or have several separated by commas.
    pub(super) fn many<T: PartialEq>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Vec<T>, Problem> {
        let texts: Vec<String> = self.left.extract_if(.., |(found, _)| found == name).map(|(_, value)| value).collect();
        let mut values = Vec::new();
        for text in texts.iter().flat_map(|text| text.split(',')) {
            let value = parse(text).ok_or_else(|| refuse(name, "invalid_value", format!("must be of {expected}")))?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(values)
    }

    pub(super) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.one(name, Timestamp::parse, "a time as RFC 3339 has it, such as 2026-11-24T10:00:00Z")
    }

    /// `realm` and `username`; a user name alone is one of the realm `PRIMARY`.
    pub(super) fn person(&mut self) -> Result<(Option<Realm>, Option<Username>), Problem> {
        let named = self.text("realm")?;
        let user = match self.text("username")? {
            Some(text) => Some(username("username", &text)?),
            None => None,
        };
        let is_wanted = named.is_some() || user.is_some();
        let realm = realm("realm", named.as_deref())?;
        Ok((is_wanted.then_some(realm), user))
    }

    /// The order when none is asked for; newest first, unless this is called.
    pub(super) fn ordered(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Refuses what is left.
    pub(super) fn done(&self) -> Result<(), Problem> {
        let Some((name, _)) = self.left.first() else { return Ok(()) };
        let name = crate::outbound::safe_line(name, 64).unwrap_or_default();
        Err(refuse(&name, "unknown_parameter", "is not known here"))
    }

    /// Takes what every list has, and refuses what is left. `list` names the list for its cursors.
    pub(super) fn part<'a>(
        mut self,
        service: &'a Service,
        tenant: &'a TenantId,
        list: impl Into<String>,
    ) -> Result<Part<'a>, Problem> {
        let limit = |text: &str| text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        let limit = self.one("limit", limit, "a number from 1 to 100")?.unwrap_or(LIMIT);
        let order = self.one("order", Order::parse, "asc or desc")?.unwrap_or(self.order);
        let (after, before) = (self.text("after")?, self.text("before")?);
        self.done()?;
        let list = list.into();
        let filter = format!("{}&{}", order.as_str(), self.filter);
        let open = |name: &str, cursor: &str| {
            let scope = Scope { tenant, list: &list, filter: &filter };
            service.open_cursor(&scope, cursor).ok_or_else(|| {
                let detail = "The cursor is not one of this list with these filters.";
                Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail).with_field(name, "invalid_cursor")
            })
        };
        let edge = match (&after, &before) {
            (None, None) => Edge::Start,
            (Some(cursor), None) => Edge::After(open("after", cursor)?),
            (None, Some(cursor)) => Edge::Before(open("before", cursor)?),
            (Some(_), Some(_)) => return Err(refuse("before", "invalid_value", "can't be there together with after")),
        };
        Ok(Part { service, tenant, slice: Slice { limit, order, edge }, list, filter })
    }
}

/// The part of a list that was asked for.
pub(super) struct Part<'a> {
    service: &'a Service,
    tenant: &'a TenantId,
    list: String,
    filter: String,
    slice: Slice,
}

impl Part<'_> {
    pub(super) fn slice(&self) -> Slice {
        self.slice.clone()
    }

    /// The cursors of the page that was found.
    pub(super) fn links<T>(&self, page: &Page<T>) -> PageLinks {
        let scope = Scope { tenant: self.tenant, list: &self.list, filter: &self.filter };
        let seal = |place| self.service.seal_cursor(&scope, place);
        PageLinks { after: page.after.as_ref().map(seal), before: page.before.as_ref().map(seal) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_by_name_and_bind_the_cursor_in_any_order() {
        let mut query = ListQuery::read("status=a,b&limit=5&status=b&from=x%20y&after=c&order=asc");
        assert_eq!(query.filter, ListQuery::read("from=x+y&status=b&status=a,b").filter);
        assert_eq!(query.many("status", |text| Some(text.to_owned()), "letters").unwrap(), ["a", "b"]);
        assert_eq!(query.text("from").unwrap().as_deref(), Some("x y"));
        let left: Vec<&str> = query.left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["limit", "after", "order"]);
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let code = |problem: Problem| problem.errors.first().map(|error| (error.pointer.clone(), error.code)).unwrap();
        let mut query = ListQuery::read("method=x&method=y&order=up&from=yesterday&username=");
        assert_eq!(code(query.text("method").unwrap_err()), ("method".to_owned(), "duplicate_parameter"));
        let order = query.one("order", Order::parse, "asc or desc").unwrap_err();
        assert_eq!(code(order), ("order".to_owned(), "invalid_value"));
        assert_eq!(code(query.time("from").unwrap_err()), ("from".to_owned(), "invalid_value"));
        assert_eq!(code(query.person().unwrap_err()), ("username".to_owned(), "empty"));
    }
}
