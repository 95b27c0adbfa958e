//! Which names a component may give itself.

/// Most characters of a component's name, of its version and of a metric's name.
pub(crate) const MAX_NAME: usize = 64;

/// Checks the name and the version that a component gives itself; the error says in words what is wrong.
pub(crate) fn check(name: &str, version: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("`describe` gives it no name".to_owned());
    }
    for (what, text) in [("name", name), ("version", version)] {
        if text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
            return Err(format!(
                "`describe` gives it a {what} of {} characters, expected at most {MAX_NAME} and none of control",
                text.chars().count()
            ));
        }
    }
    Ok(())
}
