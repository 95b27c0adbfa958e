//! Times and pages as the families write them.

use jiff::Timestamp;

use super::error::ApiError;

/// Returns the time now, in milliseconds since 1970, UTC: the form of every time in the database.
#[must_use]
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Returns "this cursor leads nowhere": taken as a place, it would look like the end of the list.
#[must_use]
pub fn no_cursor() -> ApiError {
    ApiError::bad_request("the cursor is none of ours; expected `next_cursor` of the page before")
}

/// Returns a time in the form of RFC 3339, with milliseconds.
#[must_use]
pub fn rfc3339(milliseconds: i64) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => String::new(),
    }
}
