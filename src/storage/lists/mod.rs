//! Pages of lists, by keyset: each read goes on from a place in an index, so that a page costs the same wherever it lies.
//!
//! A filter that no single index serves in the list's order is several reads, one for each of its values, merged. What is left of the
//! filter is judged on the rows that the index gives.

pub mod audit;
pub mod deliveries;
pub mod invitations;

/// Lets a boxed query go on beyond the slice's place in the order of `$at` and `$id` (texts of SQL), and read as much as the slice does.
macro_rules! beyond {
    ($query:expr, $slice:expr, $at:expr, $id:expr) => {{
        let (at, id) = ($at, $id);
        let is_ascending = $slice.reads_ascending();
        let mut query = $query;
        if let Some(place) = $slice.from() {
            let direction = if is_ascending { ">" } else { "<" };
            query = query.filter(
                diesel::dsl::sql::<diesel::sql_types::Bool>(&format!("({at}, {id}) {direction} ("))
                    .bind::<diesel::sql_types::BigInt, _>(place.at.millis())
                    .sql(", ")
                    .bind::<diesel::sql_types::Text, _>(place.id.clone())
                    .sql(")"),
            );
        }
        let key = (diesel::dsl::sql::<diesel::sql_types::BigInt>(at), diesel::dsl::sql::<diesel::sql_types::Text>(id));
        let query = if is_ascending {
            query.order((key.0.asc(), key.1.asc()))
        } else {
            query.order((key.0.desc(), key.1.desc()))
        };
        query.limit($slice.reads())
    }};
}
pub(super) use beyond;
