//! WebAssembly, looked at without running it, and packed.
//!
//! Asserted: what is said of a file does not change; what is packed is a component that imports nothing that is refused.

use rematch_engine::score::wasm::{Kind, Provision, inspect, pack};

use crate::folder::Folder;
use crate::input::Choices;

/// A module that can be packed.
const MODULE: &[u8] = include_bytes!("../corpus/component/core");

/// An input that does not begin like WebAssembly says how a sound component, or a module, is damaged.
pub(super) fn component(_: &Folder, data: &[u8]) {
    if data.starts_with(b"\0asm") {
        return check(data);
    }
    let mut choices = Choices::new(data);
    let mut bytes = if choices.yes() { pack(MODULE).expect("a component") } else { MODULE.to_vec() };
    choices.damage(&mut bytes);
    check(&bytes);
}

fn check(data: &[u8]) {
    let Ok(inspection) = inspect(data) else {
        assert!(pack(data).is_err());
        return;
    };
    assert_eq!(inspect(data).expect("the same"), inspection);
    assert_eq!(inspection.bytes, data.len() as u64);
    let Ok(packed) = pack(data) else { return };
    assert_eq!(inspection.kind, Kind::CoreModule);
    assert_eq!(pack(data).expect("the same"), packed);
    let packed = inspect(&packed).expect("a component");
    assert_eq!(packed.kind, Kind::Component);
    assert!(packed.imports.iter().all(|import| import.provision != Provision::Refused), "{:?}", packed.imports);
}
