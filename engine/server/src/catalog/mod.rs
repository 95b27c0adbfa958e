//! What organisations bring, under the names by which every API family refers to it: files, corpora, components,
//! retrievers. A benchmark that the server writes names them by the absolute paths that are given here.

pub mod components;
pub mod corpora;
pub mod files;
pub mod retrievers;

use crate::platform::error::ApiError;

/// Checks a name that becomes a file's name: 1 to 128 letters, digits, `.`, `-` and `_`, and no dot in front.
///
/// # Errors
///
/// Returns 422 for any other name.
pub fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if plain && !name.starts_with('.') && (1..=128).contains(&name.len()) {
        return Ok(());
    }
    let message = format!(
        "`{name}` is no name of a {what}; expected 1 to 128 letters, digits, `.`, `-` and `_`, no `.` in front"
    );
    Err(ApiError::invalid(&[what], "pattern", message))
}
