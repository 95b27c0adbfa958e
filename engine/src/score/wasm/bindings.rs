//! The host's side of `sdk-wit/wit/scoring.wit`, generated.

wasmtime::component::bindgen!({
    path: "../sdk-wit/wit",
    world: "rematch:scoring/scorer",
    ownership: Borrowing { duplicate_if_necessary: true },
});
