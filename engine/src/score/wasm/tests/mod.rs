//! Components of every temper, most of them hostile, and one that a researcher would write.

mod abi;
mod aggregating;
mod bombs;
mod columns;
mod compiling;
mod guests;
mod half_life_utility;
mod hostile;
mod inert_wasi;
mod inspecting;
mod loading;
mod logging;
mod packing;
mod python;
mod reuse;
mod smith;
mod speed;
