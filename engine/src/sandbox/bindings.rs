//! The host's side of `sdk-wit/wit/scoring.wit`, generated.

wasmtime::component::bindgen!({
    path: "../sdk-wit/wit",
    world: "rematch:scoring/scorer",
    ownership: Borrowing { duplicate_if_necessary: true },
});

/// What an aggregating scorer exports beyond a scorer, as a world of its own: the types of the other interfaces are
/// generated once.
pub(crate) mod summing {
    wasmtime::component::bindgen!({
        path: "../sdk-wit/wit",
        inline: "
            package rematch:host;
            world summing { export rematch:scoring/aggregation@0.1.0; }
        ",
        world: "rematch:host/summing",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// What the stages of retrievers export.
pub(crate) mod stages {
    wasmtime::component::bindgen!({
        path: "../sdk-wit/wit",
        inline: "
            package rematch:host;
            world stages {
                export rematch:scoring/retrieving@0.1.0;
                export rematch:scoring/reranking@0.1.0;
            }
        ",
        world: "rematch:host/stages",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}
