//! Everything that reads what strangers wrote, driven by libFuzzer. README.md says how.
//!
//! A target does more than wait for a panic: it compares two ways to the same answer, or what was written with what is
//! read. An assertion that fails is a finding like a panic.

#![no_main]
#![forbid(unsafe_code)]

mod folder;
mod input;
mod make;
mod targets;

use std::sync::LazyLock;

use folder::Folder;
use libfuzzer_sys::fuzz_target;
use rematch_engine::load::decoder_panics_are_caught;
use targets::Target;

/// Names the target.
const TARGET_VARIABLE: &str = "REMATCH_FUZZ_TARGET";

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var(TARGET_VARIABLE).unwrap_or_default();
    let names = || targets::ALL.map(|(name, _)| name).join(", ");
    let found = targets::ALL.into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("`{TARGET_VARIABLE}` is `{name}`, expected one of {}", names())).1
});

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

/// libFuzzer's hook ends the process at any panic; those that a reader turns into errors are none.
fn let_caught_panics_pass() {
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !decoder_panics_are_caught() {
            abort(panic);
        }
    }));
}

fuzz_target!(
    init: {
        let_caught_panics_pass();
        LazyLock::force(&TARGET);
    },
    |data: &[u8]| TARGET(&FOLDER, data)
);
