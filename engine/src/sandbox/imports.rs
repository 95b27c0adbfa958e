//! What a component may import, and what it must export.

use wasmtime::component::Component;

use super::log;
use crate::benchmark::spec::Wasi;

/// The interface that a component must export.
pub(crate) const GUEST: &str = "rematch:scoring/guest@0.1.0";

/// The interface that it exports when it sums up runs itself.
pub(crate) const AGGREGATION: &str = "rematch:scoring/aggregation@0.1.0";

/// The interface that a component exports when it answers searches.
pub(crate) const RETRIEVING: &str = "rematch:scoring/retrieving@0.1.0";

/// The interface that a component exports when it orders hits anew.
pub(crate) const RERANKING: &str = "rematch:scoring/reranking@0.1.0";

/// The interface by which stages name their types; there is nothing in it to provide.
const STAGE_TYPES: &str = "rematch:scoring/stage-types@0.1.0";

/// Who provides an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provision {
    /// The host: messages for people.
    Log,
    /// Stand-ins without effect, where the benchmark says `wasi = "inert"`; a core module gets them when it is packed.
    InertWasi,
    /// Nobody has to: names of types and nothing else.
    Types,
    /// Nobody: a component with it is refused.
    Refused,
}

impl Provision {
    /// Returns who provides the import of that name to a component.
    #[must_use]
    pub fn of(import: &str) -> Self {
        const INERT: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
        if import == log::INTERFACE {
            return Self::Log;
        }
        if import == STAGE_TYPES {
            return Self::Types;
        }
        let interface = import.strip_prefix("wasi:").and_then(|name| name.split_once('@'));
        let inert = interface.is_some_and(|(name, version)| {
            let package = name.split('/').next().unwrap_or_default();
            INERT.contains(&package) && version.starts_with("0.2.")
        });
        if inert { Self::InertWasi } else { Self::Refused }
    }
}

/// Checks the names of a component's imports, and that it exports `interface`; returns the names of all its exports.
pub(crate) fn check(component: &Component, wasi: Wasi, interface: &str) -> Result<Vec<String>, String> {
    let component_type = component.component_type();
    let imports = component_type.imports(component.engine()).map(|(name, _)| (name, Provision::of(name)));
    let (inert, refused): (Vec<_>, Vec<_>) = imports
        .filter(|(_, provision)| !matches!(provision, Provision::Log | Provision::Types))
        .partition(|(_, provision)| *provision == Provision::InertWasi);
    let names = |imports: &[(&str, Provision)]| {
        let names: Vec<String> = imports.iter().map(|(name, _)| format!("`{name}`")).collect();
        names.join(", ")
    };
    if !refused.is_empty() {
        return Err(format!(
            "it imports {}, but a plugin may import nothing but `{}`",
            names(&refused),
            log::INTERFACE
        ));
    }
    if !inert.is_empty() && wasi == Wasi::Refuse {
        return Err(format!(
            "it imports {}; build it without WASI, or set `wasi = \"inert\"` on the plugin to give it stand-ins without \
             effect",
            names(&inert)
        ));
    }
    let exports: Vec<String> = component_type.exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    if exports.iter().any(|export| export == interface) {
        return Ok(exports);
    }
    let found = if exports.is_empty() { "nothing".to_owned() } else { format!("`{}`", exports.join("`, `")) };
    Err(format!("it exports {found}, expected `{interface}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_log_and_wasi_of_today_are_provided() {
        for (import, provision) in [
            ("rematch:scoring/log@0.1.0", Provision::Log),
            ("rematch:scoring/log@0.2.0", Provision::Refused),
            ("rematch:scoring/stage-types@0.1.0", Provision::Types),
            ("wasi:cli/environment@0.2.0", Provision::InertWasi),
            ("wasi:sockets/tcp@0.2.9", Provision::InertWasi),
            ("wasi:clocks/monotonic-clock@0.3.0", Provision::Refused),
            ("wasi:clocks/monotonic-clock", Provision::Refused),
            ("wasi:http/types@0.2.0", Provision::Refused),
            ("wasi:clocksmith/x@0.2.0", Provision::Refused),
            ("env", Provision::Refused),
        ] {
            assert_eq!(Provision::of(import), provision, "{import}");
        }
    }
}
