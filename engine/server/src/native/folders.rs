//! Names of files with folders, in the path of a request.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Where files lie.
const FILES: &str = "/v1/files/";

/// What comes after the name of a file whose content is asked for.
const CONTENT: &str = "/content";

/// Returns a URI in which the `/` of folders are written as `%2F`: the name of a file is one segment of its path. Clients that
/// send `/` as it is are understood that way; only a file that is itself called `content`, in a folder, must be asked for in
/// the long form.
#[must_use]
pub fn with_one_segment(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let written = path.strip_prefix(FILES)?;
    let (name, rest) = match written.strip_suffix(CONTENT) {
        Some(name) => (name, CONTENT),
        None => (written, ""),
    };
    if !name.contains('/') {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("{FILES}{}{rest}{query}", name.replace('/', "%2F"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_file_become_one_segment_and_all_else_stays() {
        let of = |uri: &str| with_one_segment(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(of("/v1/files/a/b/c.tsv").as_deref(), Some("/v1/files/a%2Fb%2Fc.tsv"));
        assert_eq!(of("/v1/files/a/b/content?x=/y").as_deref(), Some("/v1/files/a%2Fb/content?x=/y"));
        assert_eq!(of("http://host/v1/files/a/b").as_deref(), Some("http://host/v1/files/a%2Fb"));
        assert_eq!(of("/v1/files/a/../b").as_deref(), Some("/v1/files/a%2F..%2Fb"), "which is no name then");
        for stays in
            ["/v1/files/a", "/v1/files/a/content", "/v1/files", "/v1/files/", "/v1/runs/a/b", "/v1/files/a%2Fb"]
        {
            assert_eq!(of(stays), None, "{stays}");
        }
    }
}
