//! Core modules that can and cannot become components.

use super::super::{WIT, pack};
use super::guests::{Guest, in_full, load_bytes};
use crate::benchmark::Limits;
use crate::sandbox::pack::PREVIEW1_STAND_IN;

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
    let told = "the module does not export `rematch:scoring/guest@0.1.0#describe`, `rematch:scoring/guest@0.1.0#score`, \
                `cabi_realloc`, `memory`; a scorer exports";
    assert!(error.starts_with(told), "{error}");
    let half = wat::parse_str(
        r#"(module (memory (export "memory") 1)
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
             (func (export "rematch:scoring/guest@0.1.0#describe") (result i32) unreachable))"#,
    );
    let error = in_full(&pack(&half.unwrap()).unwrap_err());
    assert!(error.starts_with("the module does not export `rematch:scoring/guest@0.1.0#score`; "), "{error}");
}

#[test]
fn an_export_of_another_type_is_named() {
    let text = wat::parse_str(
        r#"(module (memory (export "memory") 1)
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
             (func (export "rematch:scoring/guest@0.1.0#describe") (result f32) unreachable)
             (func (export "rematch:scoring/guest@0.1.0#score") (param i32) (result i32) unreachable))"#,
    );
    let error = in_full(&pack(&text.unwrap()).unwrap_err());
    assert!(error.starts_with("the module does not implement the world `scorer`: "), "{error}");
    assert!(error.contains("describe"), "{error}");
}

#[test]
fn a_module_that_brings_the_worlds_type_itself_is_packed_too() {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("scoring.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some("scorer")).unwrap();
    let mut core = Guest::default().core();
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut core, &resolve, world, encoding).unwrap();
    load_bytes(&pack(&core).unwrap(), Limits::default()).unwrap();
}

#[test]
fn an_import_is_refused_by_name() {
    let guest = Guest { imports: r#"(import "env" "f" (func))"#, ..Guest::default() };
    let error = in_full(&pack(&guest.core()).unwrap_err());
    let expected = "the module imports `env.f`; a plugin may import nothing but `rematch:scoring/log@0.1.0` and \
                    `wasi_snapshot_preview1`";
    assert_eq!(error, expected);
}

#[test]
fn the_stand_in_for_wasi_is_what_its_text_says() {
    let text = include_str!("../../../sandbox/preview1.wat");
    assert!(wat::parse_str(text).unwrap() == PREVIEW1_STAND_IN, "assemble preview1.wat again");
}
