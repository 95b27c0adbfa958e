//! Core modules that can and cannot become components.

use super::super::pack;
use super::guests::{Guest, in_full};

#[test]
fn the_same_module_gives_the_same_bytes() {
    let core = Guest::default().core();
    assert_eq!(pack(&core).unwrap(), pack(&core).unwrap());
}

#[test]
fn what_is_not_a_core_module_is_refused_with_what_it_is() {
    let packed = pack(&Guest::default().core()).unwrap();
    let error = in_full(&pack(&packed).unwrap_err());
    assert_eq!(error, "the input is a component already, expected a core WebAssembly module");
    for bytes in [&b""[..], b"\0asm", b"(module)"] {
        let error = in_full(&pack(bytes).unwrap_err());
        assert_eq!(error, "the input is not WebAssembly, expected a core WebAssembly module");
    }
}

#[test]
fn a_missing_export_is_named() {
    let empty = wat::parse_str("(module)").unwrap();
    let error = in_full(&pack(&empty).unwrap_err());
    assert!(error.contains("rematch:scoring/guest@0.1.0") && error.contains("describe"), "{error}");
}

#[test]
fn an_import_is_refused_by_name() {
    let foreign = r#"(import "env" "f" (func))"#;
    let wasi = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    for (imports, name) in [(foreign, "env"), (wasi, "wasi_snapshot_preview1")] {
        let error = in_full(&pack(&Guest { imports, ..Guest::default() }.core()).unwrap_err());
        assert!(error.contains(name) && error.contains("import nothing"), "{error}");
    }
}
