//! What can be said of a file without running it.

use super::super::{Import, InspectError, Kind, Provision, inspect, pack};
use super::guests::{Guest, in_full};
use crate::store::sha256_of_bytes;

#[test]
fn a_core_module_shows_its_imports_exports_and_makers() {
    let guest = Guest {
        imports: r#"(import "rematch:scoring/log@0.1.0" "log" (func (param i32 i32 i32)))
            (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
            (import "env" "now" (func (result f64)))
            (@producers (language "C11" "") (processed-by "clang" "22.1.8"))"#,
        ..Guest::default()
    };
    let core = guest.core();
    let inspection = inspect(&core).unwrap();
    assert_eq!((inspection.kind, inspection.bytes), (Kind::CoreModule, core.len() as u64));
    assert_eq!(inspection.sha256, sha256_of_bytes(&core));
    let import = |name: &str, provision| Import { name: name.to_owned(), provision };
    let imports = [
        import("rematch:scoring/log@0.1.0.log", Provision::Log),
        import("wasi_snapshot_preview1.sched_yield", Provision::InertWasi),
        import("env.now", Provision::Refused),
    ];
    assert_eq!(inspection.imports, imports);
    let exports =
        ["memory", "cabi_realloc", "rematch:scoring/guest@0.1.0#describe", "rematch:scoring/guest@0.1.0#score"];
    assert_eq!(inspection.exports, exports);
    let producer = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    assert_eq!(inspection.producers, [producer("language", "C11"), producer("processed-by", "clang 22.1.8")]);
}

#[test]
fn a_component_shows_its_own_imports_and_the_makers_of_its_modules() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.3" (instance))
        (import "wasi:http/types@0.2.3" (instance))
        (core module (import "env" "hidden" (func)) (@producers (language "Rust" "1.96"))))"#;
    let inspection = inspect(&wat::parse_str(text).unwrap()).unwrap();
    assert_eq!(inspection.kind, Kind::Component);
    let imports: Vec<_> = inspection.imports.iter().map(|import| (import.name.as_str(), import.provision)).collect();
    let expected =
        [("wasi:cli/environment@0.2.3", Provision::InertWasi), ("wasi:http/types@0.2.3", Provision::Refused)];
    assert_eq!(imports, expected);
    assert_eq!(inspection.producers, [("language".to_owned(), "Rust 1.96".to_owned())]);
    let json = serde_json::to_value(&inspection).unwrap();
    assert_eq!(json["imports"][0]["provision"], "inert-wasi");
    assert_eq!(json["kind"], "component");
}

#[test]
fn what_is_no_webassembly_is_said_to_be_none() {
    for bytes in [&b""[..], b"\0as", b"PK\x03\x04", b"(component)"] {
        assert!(matches!(inspect(bytes), Err(InspectError::NotWebAssembly)));
    }
}

#[test]
fn a_file_that_breaks_off_is_said_to_be_broken_wherever_it_does() {
    let packed = pack(&Guest::default().core()).unwrap();
    for end in 8..packed.len() {
        match inspect(&packed[..end]) {
            Ok(_) => {}
            Err(error @ InspectError::Broken { .. }) => {
                assert!(in_full(&error).starts_with("the file is broken WebAssembly: "), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
